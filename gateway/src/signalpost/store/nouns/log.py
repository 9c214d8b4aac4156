"""A tenant's log of events."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

from signalpost.domain.event import Event, PastEvent, title_of
from signalpost.domain.subscription import Filters


class LogRow(NamedTuple):
    """An event without its body."""

    sequence: int
    at: int
    """The event's `createdAt`, in microseconds since the epoch."""
    id: str
    type: int
    """An `EventType`'s value."""
    document_id: str
    title: str | None = None
    """The document's title as the event has it; None if the document was erased, or no one asked for titles."""


def row_of(event: Event) -> LogRow:
    """An event without its body, with its title."""
    return LogRow(event.sequence, event.at, event.id, event.type, event.document_id, title_of(event.body))


class LogPage(Struct, frozen=True):
    """A part of the log, newest first."""

    events: list[Event]
    last: int
    """The sequence from which on it goes back: the log's end, or the one before what was asked for."""
    next: int | None
    """The `before` of the next page; None if the log was looked through down to its floor."""


class PastPage(NamedTuple):
    """A part of the log for a walk, newest first, without events whose document was erased."""

    events: list[PastEvent]
    next: int | None
    """The `before` of the next page; None if the log was looked through down to its floor."""


class LogPart(NamedTuple):
    """A part of a tenant's log, with how far the log went, all as of one moment."""

    events: list[Event]
    """In order and without a gap. There are fewer than were asked for where they are large, or at the log's end."""
    floor: int
    """The lowest sequence that was kept. An event that is missing was removed by the retention only if it is below."""
    last: int
    """The last sequence of the log."""
    config_version: int
    """The version of the tenant's configuration; see `TenantMark`."""


END_OF_LOG: Final = 2**62
"""Beyond every sequence: what follows it is nothing, read with how far the log goes."""
LATEST_AMONG: Final = 20_000
"""Among how many of the last events of a log the latest of each type are found."""


class LatestOfTypes(NamedTuple):
    """The last event of each type in the end of a tenant's log, all as of one moment."""

    after: int
    """The end of the log begins after this sequence."""
    last: int
    """The last sequence of the log."""
    config_version: int
    """The version of the tenant's configuration; see `TenantMark`."""
    of_types: Mapping[int, int]
    """The last sequence of each type that is there."""

    def passed(self, head: int, filters: Filters) -> int:
        """Up to which sequence nothing is new to a lane with this head and these filters."""
        since, types = filters[-1]
        is_new = any(sequence > head and each & types for each, sequence in self.of_types.items())
        return head if is_new or head < max(since, self.after) else max(head, self.last)


LOG_NOW: Final = "SELECT floor, last_sequence, config_version FROM tenant WHERE id = $1"


class LogStore(Protocol):
    """A tenant's events. Their sequences have no gap from the floor to the last one."""

    async def after(self, tenant_id: int, sequence: int, limit: int) -> LogPart:
        """The events that follow a sequence, at most `limit` and at least one unless the log ends there. The first has
        the next sequence, or is the one at the floor if that is higher."""
        ...

    async def latest(self, tenant_id: int, after: int) -> LatestOfTypes:
        """The last event of each type after a sequence, which is about `LATEST_AMONG` before the log's end or later."""
        ...

    async def events(self, tenant_id: int, sequences: Sequence[int]) -> list[Event]:
        """The events with these sequences, in the order given, until they add up to 4 MiB. An event that the retention
        removed is missing."""
        ...

    async def by_id(self, tenant_id: int, event_id: str) -> Event | None:
        """The event with an id; None if the tenant never had one, or the retention removed it."""
        ...

    async def newest(self, tenant_id: int, document_id: str) -> Event | None:
        """The last event of a document; None if none is kept."""
        ...

    async def feed(
        self, tenant_id: int, after: int, types: int, document_id: str | None, limit: int
    ) -> tuple[list[Event], int]:
        """Events of some types (`EventType` values, as bits), perhaps of one document, oldest first.

        Also returns the sequence up to which the log was looked through: its end, if `after` is beyond that. Fewer
        events than `limit` do not mean that there are no more, because one call looks through a bounded part.
        """
        ...

    async def back(self, tenant_id: int, before: int, types: int, document_id: str | None, limit: int) -> LogPage:
        """Events of some types (`EventType` values, as bits), perhaps of one document, newest first, from below the
        sequence `before` on. Fewer events than `limit` do not mean that there are no more, because one call looks
        through a bounded part."""
        ...

    async def past(self, tenant_id: int, before: int, types: int, limit: int, *, with_content: bool) -> PastPage:
        """The pages of `back` for a walk over much of the log: of as many numbers as `limit` says, and of fewer where
        the events are large. Without content, an event is sequence and type alone."""
        ...

    def external_id(self, document: bytes) -> str:
        """What the `document` of a `PastEvent` stands for."""
        ...

    async def callers(self, tenant_id: int, sequences: Sequence[int]) -> dict[int, str]:
        """Names of the API keys that asked for the changes of some events, by sequence. An event is missing if the
        gateway itself made the change, or the key is not known."""
        ...

    async def floor(self, tenant_id: int) -> int:
        """The lowest sequence that is still kept."""
        ...

    async def sequence_at(self, tenant_id: int, at: int) -> int:
        """The lowest kept sequence whose event was created at `at` (µs) or later. It is one above the last sequence if
        there is no such event."""
        ...
