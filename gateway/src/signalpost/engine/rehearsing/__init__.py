"""Rehearsals: what a subscription would have sent of the log as it was."""
