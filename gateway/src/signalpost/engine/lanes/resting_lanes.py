"""The lanes of this node that are at rest: each has looked at everything in its log, has nothing to send, to record or
to wait for, and is well.

That is most lanes most of the time, so a lane at rest is a few words instead of a worker with all that sending needs.
It is woken by the first event that it wants, and by all else that is asked of it: a change of its subscription, a retry
by hand, a replay, the retention. It never has more to do than to be woken, so nothing of it is ever recorded, held,
handed over or in flight. Only its recorded head may lie behind, by events that it did not want.

Waking takes some 30 µs. Of the lanes that one event wakes, each *rises* first: it has its place in the log and no
worker yet, until the event loop gets to it. A caller that asks for such a lane before that wakes it at once.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from signalpost.domain.delivery.attention import CERTIFICATE_SOON
from signalpost.domain.delivery.breaker import CLOSED
from signalpost.domain.delivery.concurrency import FIRST, Concurrency
from signalpost.domain.delivery.exception_row import RowCounts
from signalpost.domain.event import EventType
from signalpost.domain.subscription import WEBHOOK, Subscription
from signalpost.domain.timestamps import DAY
from signalpost.engine.lanes.carriers import NEVER
from signalpost.engine.lanes.lane_states import CAUGHT_UP, CLEAN, IDLE, NOT_HELD
from signalpost.store.nouns.lanes import EndpointHealth, LaneNow, LaneRow

if TYPE_CHECKING:
    from signalpost.engine.lanes.lane_worker import LaneWorker

NO_ROWS, NOTHING = RowCounts(), LaneNow()
_SETS_OF_TYPES = (*range(1, EventType.NOTICE + 1),)
"""The sets of types, as bits, that a subscription can want: some of the types of documents, or notices alone."""
_SETS_WITH = {int(each): tuple(types for types in _SETS_OF_TYPES if types & each) for each in EventType}
"""The sets that each type is in."""


class RestingLane(Struct, frozen=True, gc=False):
    """What a lane at rest is."""

    subscription: Subscription
    version: int
    """The version of its row."""
    head: int
    """The head in its row."""
    gaps: tuple[tuple[int, int], ...]
    health: EndpointHealth
    concurrency: Concurrency = FIRST

    @property
    def row(self) -> LaneRow:
        """The row from which its worker is made."""
        return LaneRow(
            version=self.version,
            head=self.head,
            open=(),
            gaps=self.gaps,
            health=self.health,
            rows=(),
            horizon=None,
        )


def is_well(subscription: Subscription, health: EndpointHealth, counts: RowCounts, now: int) -> bool:
    """Whether a lane need not be looked at as long as it has nothing to send. `now` is the wall clock's."""
    return (
        subscription.status == "active"
        and subscription.kind == WEBHOOK  # any other has a gate, which may close by itself
        and subscription.shadow_of is None  # lanes at rest are counted, and shadows are not
        and subscription.promote_at is None
        and subscription.client_certificate is None  # which ends some day
        and health.breaker == CLOSED
        and health.last_error is None
        and not health.lost
        and counts == NO_ROWS
        and not certificate_ends_soon(health, now)
    )


def certificate_ends_soon(health: EndpointHealth, now: int) -> bool:
    """Whether the overview shows, within a day, that the endpoint's certificate ends."""
    ends = health.certificate_ends
    return ends is not None and ends < now + CERTIFICATE_SOON + DAY


def at_rest(subscription: Subscription, row: LaneRow, now: int) -> RestingLane | None:
    """The lane of a row that has looked at everything in its log, if it may rest."""
    if (
        row.open
        or row.rows
        or row.retries
        or row.replays
        or row.horizon is not None
        or row.now != NOTHING
        or subscription.has_skipped_since(row.skip_version)
        or not is_well(subscription, row.health, row.counts, now)
    ):
        return None
    return RestingLane(subscription, row.version, row.head, row.gaps, row.health)


def rest_of(worker: "LaneWorker", now: int) -> RestingLane | None:
    """What is left of a lane at work if it needs no worker for now; None if it does."""
    if (
        worker.progress is not CAUGHT_UP
        or worker.recording is not CLEAN
        or worker.record_by < NEVER
        or worker.turn is not IDLE
        or worker.hold is not NOT_HELD
        or worker.gate is not None
        or not worker.lane.is_idle
        or worker.retries.waiting
        or worker.retries.held
        or worker.replay_feeder.next is not None
        or worker.written_down != NOTHING
        or worker.hold_until > now
        or worker.rate_limit.earliest(1, now) > now
        or worker.recorded_head < worker.subscription.skip_to
        or not is_well(worker.subscription, worker.health, worker.recorded_counts, now)
    ):
        return None
    gaps = tuple(worker.lane.gaps)
    return RestingLane(
        worker.subscription, worker.version, worker.recorded_head, gaps, worker.health, worker.concurrency
    )


class RestingLanes:
    def __init__(self) -> None:
        self._lanes: dict[int, RestingLane] = {}
        """All of them, by the number of the subscription."""
        self._counts: dict[int, int] = {}
        """How many there are of each tenant."""
        self._asleep: dict[tuple[int, int], dict[int, None]] = {}
        """The numbers of those that no event wakes yet, by tenant and by the types that they want now, as bits."""
        self._rising: dict[int, int] = {}
        """Lanes that an event wakes, by number, each with the sequence up to which it has looked at everything."""

    def __len__(self) -> int:
        return len(self._lanes)

    def __iter__(self) -> Iterator[RestingLane]:
        return iter(self._lanes.values())

    def __contains__(self, number: int) -> bool:
        return number in self._lanes

    @property
    def numbers(self) -> Iterable[int]:
        return self._lanes

    def get(self, number: int) -> RestingLane | None:
        return self._lanes.get(number)

    def count_of(self, tenant_id: int) -> int:
        return self._counts.get(tenant_id, 0)

    @property
    def counts(self) -> Iterable[tuple[int, int]]:
        """The tenants that have some, with how many."""
        return self._counts.items()

    def of_tenant(self, tenant_id: int) -> list[RestingLane]:
        if tenant_id not in self._counts:
            return []
        asleep = (number for types in _SETS_OF_TYPES for number in self._asleep.get((tenant_id, types), ()))
        lanes = [self._lanes[number] for number in (*asleep, *self._rising)]
        return [lane for lane in lanes if lane.subscription.tenant_id == tenant_id]

    def add(self, lane: RestingLane) -> None:
        subscription = lane.subscription
        tenant_id, number = subscription.tenant_id, subscription.number
        self._lanes[number] = lane
        self._counts[tenant_id] = self._counts.get(tenant_id, 0) + 1
        self._asleep.setdefault((tenant_id, subscription.filters[-1][1]), {})[number] = None

    def rise(self, tenant_id: int, event_type: int, head: int) -> bool:
        """Let those of a tenant that want events of a type rise, because one follows `head`. Returns whether there
        are any."""
        risen = False
        for types in _SETS_WITH[event_type]:
            if (numbers := self._asleep.pop((tenant_id, types), None)) is not None:
                self._rising.update(dict.fromkeys(numbers, head))
                risen = True
        return risen

    def head_of(self, lane: RestingLane, seen: int) -> int:
        """Up to which sequence a lane has looked at everything. `seen` is up to where the log was offered to all."""
        return max(lane.head, self._rising.get(lane.subscription.number, seen))

    def is_rising(self, number: int) -> bool:
        return number in self._rising

    def some_rising(self, count: int) -> list[int]:
        """The first that rise, at most so many."""
        return list(islice(self._rising, count))

    def take(self, number: int) -> RestingLane | None:
        """Take a lane out; None if it is not here."""
        lane = self._lanes.pop(number, None)
        if lane is None:
            return None
        tenant_id = lane.subscription.tenant_id
        self._counts[tenant_id] -= 1
        if not self._counts[tenant_id]:
            del self._counts[tenant_id]
        if self._rising.pop(number, None) is None:
            key = (tenant_id, lane.subscription.filters[-1][1])
            asleep = self._asleep[key]
            del asleep[number]
            if not asleep:
                del self._asleep[key]
        return lane

    def clear(self) -> None:
        """Forget all of them: others may own them by now."""
        for each in (self._lanes, self._counts, self._asleep, self._rising):
            each.clear()
