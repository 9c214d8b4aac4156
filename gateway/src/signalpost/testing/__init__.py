"""For authors of kinds of destinations: the promises that every kind keeps, as tests, and what helps to test the rest.

A gateway that runs uses nothing of this. pytest finds the tests in a class that derives from `Conformance`, and is not
imported here.
"""

from signalpost.testing.conformance import Conformance
from signalpost.testing.rehearsal import PlayedAttempt, Rehearsal
from signalpost.testing.samples import DOCUMENT, context, reply

__all__ = ["DOCUMENT", "Conformance", "PlayedAttempt", "Rehearsal", "context", "reply"]
