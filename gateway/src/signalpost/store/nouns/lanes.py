"""What the owner of a lane loads and records."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from signalpost.commands.command import RequestedRetry
from signalpost.domain.delivery.breaker import CLOSED, Breaker
from signalpost.domain.delivery.exception_row import Row, RowCounts
from signalpost.domain.delivery.reading import Reading
from signalpost.domain.delivery.replay import Replay, ReplayTally
from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.deliveries import AttemptRow
from signalpost.store.nouns.replays import Fed, ReplayPart


class EndpointHealth(Struct, frozen=True):
    """How an endpoint does. It is kept with the lane, so that a restart knows it."""

    breaker: Breaker = CLOSED
    last_error: str | None = None
    """The class of its last failure and the sentence about it."""
    lost: int = 0
    """How many events the retention removed before they were delivered."""
    delivered_at: int | None = None
    """When an attempt began that it last took, µs since the epoch; None if that is not known."""
    certificate_ends: int | None = None
    """When the certificate ends that it last showed, µs since the epoch; None if that is not known."""
    lost_at: int | None = None
    """When the retention last removed some; None if that is not known."""
    given_up_at: int | None = None
    """When a delivery was last given up; None if that is not known."""
    reading: Reading | None = None
    """How its events are read, if a reader asked for them."""


class LaneWanted(NamedTuple):
    """A lane to load, with at most `retries_loaded` of the rows that await a retry."""

    subscription: Subscription
    retries_loaded: int


class LaneNow(Struct, frozen=True, omit_defaults=True):
    """What only the owner of a lane knows, because it is in memory. In a fleet the owner stores it every few seconds if
    it has changed, so that every node can show it."""

    unread: int = 0
    """How many events of the log it has not looked at."""
    in_flight: int = 0
    oldest_due: int | None = None
    """When the first delivery that awaits a retry is due, µs since the epoch; None if none does."""
    trouble: str | None = None
    """A sentence: what blocks all sending, other than the endpoint; None if nothing does, as far as is known."""
    asked_to_wait_until: int | None = None
    """When the time ends that the endpoint asked for with `Retry-After`, µs since the epoch; None if it did not."""
    rate_limited_until: int | None = None
    """When the rate limit lets the next request through, µs since the epoch; None if it does now."""


class LaneRow(Struct, frozen=True):
    """A lane as it was last recorded, with the rows that its object keeps in memory."""

    version: int
    head: int
    open: tuple[tuple[int, str], ...]
    """The sequence and document of each."""
    gaps: tuple[tuple[int, int], ...]
    health: EndpointHealth
    rows: tuple[Row, ...]
    """All blocked rows, and those that await a retry due before `horizon`."""
    horizon: int | None
    """From this due time on, rows that await a retry are only in the store; None if there are no such rows."""
    counts: RowCounts = RowCounts()
    """How many exception rows the lane has, those that its object does not keep in memory included."""
    delay: int = 0
    """The longest delay, in seconds, that rows which wait untried may have been put off by."""
    skip_version: int = 0
    """The `skip_version` of the subscription when the lane last skipped its backlog."""
    retries: tuple[RequestedRetry, ...] = ()
    """Retries by hand that the lane has not acted upon yet, oldest first."""
    replays: tuple[Replay, ...] = ()
    """The replays that run, oldest first."""
    owner: int | None = None
    """The node that owns it; see `FleetStore`."""
    now: LaneNow = LaneNow()
    """What was last written down of it; see `LaneStore.write_down`."""


class LaneStanding(Struct, frozen=True):
    """What people ask of a lane, whichever node owns it."""

    has_node: bool = False
    """Whether a node owns the lane or soon will. While a lane moves, no node owns it, but a node that takes lanes is
    running."""
    left_at: int | None = None
    """The head, as it was last recorded, of a lane whose owner is gone, or that has none yet: no one counts meanwhile
    what follows it in the log. None if the lane has an owner."""
    open: int = 0
    """How many deliveries are taken in and in their first attempt, or before it."""
    health: EndpointHealth = EndpointHealth()
    counts: RowCounts = RowCounts()
    now: LaneNow = LaneNow()
    """What its owner last wrote down, which may have gone since."""


class LaneFlush(Struct, frozen=True, kw_only=True):
    """What one lane wants recorded, and what it wants to read right after that, in the same transaction."""

    tenant_id: int
    subscription_number: int
    version: int
    """The lane's version before this write; the write applies only to it."""
    head: int
    open: tuple[int, ...]
    gaps: tuple[tuple[int, int], ...]
    health: EndpointHealth
    rows: dict[int, Row | None]
    abandoned_to: int
    delay: int = 0
    skip_version: int = 0
    hurried_by: int = 0
    attempts: Sequence[AttemptRow]
    retries_done: tuple[int, ...]
    made: Mapping[str, Mapping[str, str]] = {}
    """What deliveries made, by document; an empty mapping forgets what was kept for one."""
    replays: tuple[Replay, ...]
    """The replays that have come further, as they stand once these rows are written."""
    ended: Mapping[int, ReplayTally] = {}
    """How deliveries of replays ended, by the replays' numbers. Those that `abandoned_to` ends and that are not in
    `rows` are missing: the store counts them."""
    look_up: tuple[int, ...]
    """Sequences whose rows are wanted."""
    refill: int
    """How many rows that await a retry are wanted, the first due first; 0 for none."""
    feed: ReplayPart | None


class LaneFlushed(Struct, frozen=True):
    """What a record left, and what the lane asked for with it."""

    counts: RowCounts = RowCounts()
    """How many exception rows the lane has now."""
    looked_up: dict[int, Row] = {}
    awaiting_retry: tuple[Row, ...] = ()
    horizon: int | None = None
    fed: Fed | None = None
    """The answer to `feed`."""
