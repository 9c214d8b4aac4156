"""What the engine and the API need of a store, whatever database is behind it.

Writes go through `publish` (commands) and `record` (lanes) only; each is durable when it returns. Reads see every
write that returned before they began.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from signalpost.commands.command import Command, CommandOutcome, Retry
from signalpost.domain.api_key import ApiKey
from signalpost.domain.delivery.breaker import CLOSED, Breaker
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.delivery.replay import Replay, What
from signalpost.domain.event import Event
from signalpost.domain.subscription import Filters, Subscription
from signalpost.store.access import AccessStore
from signalpost.store.deliveries import Attempt, DeliveryStore
from signalpost.store.documents import DocumentStore
from signalpost.store.history import HistoryStore
from signalpost.store.log import LogStore
from signalpost.store.retention import RetentionStore
from signalpost.store.subscriptions import SubscriptionStore
from signalpost.store.versions import VersionStore

MAX_SCANNED = 10_000
"""How many rows one page of a list looks through, so that it may be short, or empty, and still have a next one."""


class Health(Struct, frozen=True):
    """How an endpoint does; kept with its lane so that a restart knows it."""

    breaker: Breaker = CLOSED
    last_error: str | None = None
    """The class of its last failure and the sentence about it."""
    lost: int = 0
    """Events that the retention took before they were delivered."""


class LaneWanted(NamedTuple):
    """A lane to load, with at most so many of its parked rows."""

    subscription: Subscription
    parked: int


class LaneRow(Struct, frozen=True):
    """A lane as it was last recorded, with the rows that its object keeps in memory."""

    version: int
    head: int
    open: tuple[tuple[int, str], ...]
    """Sequence and document."""
    gaps: tuple[tuple[int, int], ...]
    health: Health
    rows: tuple[Row, ...]
    """Blocked ones, and the parked ones up to `horizon`."""
    horizon: int | None
    unskipped: bool = False
    """Whether something up to the subscription's `skip_to` is in its first run and waits."""
    retries: tuple[Retry, ...] = ()
    """Retries by hand that the lane has not acted upon yet, oldest first."""
    replays: tuple[Replay, ...] = ()
    """The replays that run, oldest first."""


class Published(Struct, frozen=True):
    """What a batch of commands came to: a result for each, in order, and what the engine has to know of it."""

    results: tuple[CommandOutcome[Any] | Exception, ...]
    """CallerError for a command that was refused, Unavailable for one that was not committed although others were; any
    other Exception is a defect that this command alone ran into."""
    events: tuple[Event, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    retries: tuple[Retry, ...] = ()
    keys: tuple[ApiKey, ...] = ()
    replays: tuple[Replay, ...] = ()
    expiries: tuple[int, ...] = ()
    """When signature requests of changed documents expire."""


class Feed(Struct, frozen=True):
    """The next part of a replay, which a lane has room for."""

    replay: Replay
    up_to: int
    """Its end, or the lane's head."""
    filters: Filters
    """What the subscription asked for."""


class Candidate(NamedTuple):
    """A delivery that a replay found failed or settled."""

    sequence: int
    document_id: str
    row: Row | None


class Fed(Struct, frozen=True):
    candidates: tuple[Candidate, ...]
    cursor: int
    """Up to here there is no other one."""


class LaneFlush(Struct, frozen=True, kw_only=True):
    """What one lane wants recorded, and what it wants to read right after that, in the same transaction."""

    tenant_id: int
    subscription_number: int
    version: int
    """The lane's version before this write; the write applies only to it."""
    head: int
    open: tuple[int, ...]
    gaps: tuple[tuple[int, int], ...]
    health: Health
    rows: dict[int, Row | None]
    abandoned_to: int
    attempts: Sequence[Attempt]
    retries_done: tuple[int, ...]
    replays: tuple[Replay, ...]
    """Those that have come further, as they stand with these rows."""
    look_up: tuple[int, ...]
    """Sequences whose rows are wanted."""
    refill: int
    """How many of the parked rows that are due first are wanted; 0 for none."""
    feed: Feed | None


class LaneFlushed(Struct, frozen=True):
    looked_up: dict[int, Row] = {}
    parked: tuple[Row, ...] = ()
    horizon: int | None = None
    fed: Fed | None = None
    """The answer to `feed`."""


class StoreSize(NamedTuple):
    """What a store takes on disk, in bytes."""

    database: int
    wal: int
    """The write-ahead log, which is copied into the database from time to time."""


class Store(Protocol):
    """Raises Unavailable where the database cannot answer now."""

    @property
    def documents(self) -> DocumentStore: ...

    @property
    def versions(self) -> VersionStore: ...

    @property
    def history(self) -> HistoryStore: ...

    @property
    def subscriptions(self) -> SubscriptionStore: ...

    @property
    def deliveries(self) -> DeliveryStore: ...

    @property
    def access(self) -> AccessStore: ...

    @property
    def log(self) -> LogStore: ...

    @property
    def retention(self) -> RetentionStore: ...

    async def load_lanes(self, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
        """Lanes as of one moment, by subscription number. The lane of a deleted subscription is missing."""
        ...

    async def count_parked(self, subscription: Subscription, below: int, due_from: int) -> int:
        """How many recorded deliveries with a sequence below that are parked until `due_from` or later."""
        ...

    async def publish(self, commands: Sequence[Command[Any]]) -> Published: ...

    async def record(self, flushes: Sequence[LaneFlush]) -> dict[int, LaneFlushed]:
        """Records lanes; one that another owner wrote since (or that was deleted) is missing in the answer, and
        nothing of it was written."""
        ...

    async def replay(self, subscription: Subscription, replay_id: str) -> Replay | None: ...

    async def replays(self, subscription: Subscription, below: int | None, limit: int) -> list[Replay]:
        """Newest first; give the last one's number as `below` for the page after this one."""
        ...

    async def count_replayable(
        self, subscription: Subscription, from_sequence: int, to_sequence: int, what: What
    ) -> tuple[int, bool]:
        """How many deliveries of a range a replay would queue, as they were last recorded; and whether there may be
        more, since it counts no further than a bound."""
        ...

    async def size(self) -> StoreSize: ...

    async def close(self) -> None: ...
