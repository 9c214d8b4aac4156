"""A pytest plugin for what receives Signalpost webhooks.

pytest imports this package in every session, so it imports nothing slow.
"""

from pytest_signalpost.gateway import Refused, SignalpostGateway, Triggered

__all__ = ["Refused", "SignalpostGateway", "Triggered"]
