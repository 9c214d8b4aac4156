"""Traces: what makes spans of what has ended, and what hands them to a collector."""
