"""What people who receive events use on their own machine: a gateway to test with, signatures, an exam for receivers.

Nothing here is part of a gateway that runs in production.
"""
