"""Kinds of destinations that a gateway finds through the entry point group `signalpost.destinations`."""
