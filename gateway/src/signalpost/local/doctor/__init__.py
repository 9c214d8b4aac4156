"""Examines a receiver from outside: attacks it with requests that are genuine, forged, repeated, late or malformed."""
