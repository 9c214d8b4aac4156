"""Signalpost: a webhook gateway for document events, in one Python process."""

VERSION = "0.1.0"
