"""A source that reads a stream of Redis."""
