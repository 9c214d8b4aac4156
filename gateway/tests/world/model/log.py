"""Events, as the log shows them, and what each of them changed."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class LoggedEvent(NamedTuple):
    sequence: int
    id: str
    type: str
    document_id: str
    at: float
    """The `createdAt` of the event, in seconds of the world's time."""
    seen_at: float
    """When an onlooker saw it in the log first: then it was there."""
    body: bytes
    document: Mapping[str, Any]
    before: Mapping[str, Any] | None
    """The document before it; None if the event created it."""


class ModelLog:
    """The log of a tenant, from its beginning."""

    def __init__(self) -> None:
        self.events: list[LoggedEvent] = []
        self._of: dict[str, list[LoggedEvent]] = {}

    def add(self, event: LoggedEvent) -> None:
        assert event.sequence == len(self.events) + 1, f"{event.sequence} follows {len(self.events)} (C5)"
        self.events.append(event)
        self._of.setdefault(event.document_id, []).append(event)

    def of(self, document_id: str) -> list[LoggedEvent]:
        """The events of a document, in their order."""
        return self._of.get(document_id, [])

    def at(self, sequence: int) -> LoggedEvent:
        return self.events[sequence - 1]

    def before(self, document_id: str, created: bool) -> Mapping[str, Any] | None:
        """What the next event of a document finds."""
        earlier = self.of(document_id)
        return None if created or not earlier else earlier[-1].document

    def newest(self, document_id: str, first: float, last: float) -> Iterator[LoggedEvent]:
        """The events of a document that may have been its newest at some moment from `first` to `last`."""
        events = self.of(document_id)
        for event, following in zip(events, [*events[1:], None], strict=True):
            if event.at <= last and (following is None or following.seen_at >= first):
                yield event
