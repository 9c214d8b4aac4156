"""The small queries that replays are made of."""

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple, Protocol

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.event import Event
from signalpost.store.nouns.replays import Candidate
from signalpost.store.walks.log_queries import LogQueries


class Stretch(NamedTuple):
    """A stretch of the log, as one subscription sees it."""

    tenant_id: int
    subscription_number: int
    first: int
    last: int


class Entry(NamedTuple):
    """An event of the log, and its state at one subscription."""

    sequence: int
    type: int
    """An EventType's value."""
    document_id: str
    row: Row | None
    """None if it has no exception row."""


class LaneState(NamedTuple):
    """How far a lane was when it was last recorded. `open` and `gaps` are as in its row."""

    head: int
    open: bytes
    gaps: bytes


REQUEST_MADE: Final = (
    "(a.failure IS NULL OR (a.failure <> 'skipped'"
    " AND (a.status IS NOT NULL OR a.failure NOT IN ('rejected', 'connector'))))"
)
"""Whether an attempt made a request: not if its event was skipped, or nothing could be made of it."""
LANE_STATE: Final = "SELECT head, open, gaps FROM lane WHERE subscription_number = $1"
DELIVERY_ROW: Final = "d.state, d.due, d.failed_attempts, d.max_attempts, d.run, d.resume_at, d.replay"


def candidate(sequence: int, document_id: str, state: int | None, *rest: Any) -> Candidate:
    """A delivery with the columns of its row, `DELIVERY_ROW`, which are all None if it has none."""
    row = None if state is None else Row(sequence, document_id, State(state), *rest)
    return Candidate(sequence, document_id, row)


class ReplayQueries(LogQueries, Protocol):
    """What replays ask, all as of one moment."""

    async def lane_state(self, subscription_number: int) -> LaneState | None:
        """How far a lane was; None if its subscription was deleted a moment ago."""
        ...

    async def in_state(self, stretch: Stretch, state: int, limit: int) -> list[Candidate]:
        """Deliveries with an exception row in some state, in the order of the log."""
        ...

    async def count_in_state(self, stretch: Stretch, state: int, limit: int) -> int:
        """How many deliveries have an exception row in some state; it counts no more than `limit`."""
        ...

    async def count_of_types(self, stretch: Stretch, state: int, types: int, limit: int) -> int:
        """How many of the first `limit` deliveries in some state are of events of some types (as bits)."""
        ...

    async def failed_or_without(self, stretch: Stretch, types: int, limit: int) -> list[Candidate]:
        """Events of some types (as bits) with their deliveries, in the order of the log, where the delivery failed or
        has no exception row."""
        ...

    async def count_failed_or_without(self, stretch: Stretch, types: int, limit: int) -> int:
        """How many events of some types have a delivery that failed or that has no exception row; it counts no more
        than `limit`."""
        ...

    async def count_events(self, stretch: Stretch, types: int) -> int:
        """How many events of some types (as bits) there are."""
        ...

    async def of_document(self, stretch: Stretch, document_id: str, types: int, limit: int) -> list[Entry]:
        """A document's events of some types (as bits), in the order of the log."""
        ...

    async def sent(self, stretch: Stretch, sequences: Collection[int]) -> frozenset[int]:
        """For which of these events a request was ever made, whatever its outcome."""
        ...

    async def events(self, tenant_id: int, sequences: Sequence[int]) -> list[Event]:
        """The events with these sequences; see `LogStore.events`."""
        ...

    async def entries(self, stretch: Stretch, sequences: Collection[int]) -> list[Entry]:
        """The events of these sequences that are kept and in the stretch, in the order of the log."""
        ...
