"""The HTTP API: turns requests into commands and reads, and their results into responses."""
