"""A tenant's log of events."""

from typing import NamedTuple


class LogEntry(NamedTuple):
    """An event without its body."""

    sequence: int
    at: int
    """Its `createdAt`, in microseconds since the epoch."""
    id: str
    type: int
    """An `EventType`'s value."""
    document_id: str
