"""Receivers in web frameworks: each module has `webhook(receiver)`, the view of that framework.

What is no fault of this program is answered (`Refusal`); what is (a handler or a store that failed, a body that was
parsed before) is raised, so that the framework reports it as it reports any error. The sender then tries again.
"""
