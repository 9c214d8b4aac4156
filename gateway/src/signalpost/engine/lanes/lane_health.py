"""The health of lanes at one moment: of each as the API shows it, and of all together as metrics show it."""

from collections import Counter
from typing import Final, Literal

from msgspec import Struct

from signalpost.domain.delivery.attention import Standing
from signalpost.domain.delivery.breaker import Breaker
from signalpost.domain.delivery.exception_row import RowCounts
from signalpost.domain.delivery.explanation import HeldUp
from signalpost.domain.delivery.reading import Reading
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import format_timestamp
from signalpost.engine.lanes.lane_holds import TENANT_PAUSED, held_up
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.resting_lanes import RestingLane
from signalpost.store.nouns.lanes import LaneNow, LaneStanding

STATES: Final = ("healthy", "failing", "breaker_open", "paused", "disabled")
STATUSES: Final = ("active", "paused", "disabled")
State = Literal["healthy", "failing", "paused", "disabled"]
"""The state in a subscription's `health`."""
NO_NODE: Final = "No node delivers for this subscription now; soon one takes it, if a node with the role worker runs."


class LanesOverview:
    def __init__(self) -> None:
        self.subscriptions: Counter[str] = Counter()
        """How many subscriptions are in each state."""
        self.lag: Counter[str] = Counter()
        """How many events lanes have not settled yet, by the status of the subscription: those of a paused one wait on
        purpose."""
        self.lag_most: dict[str, int] = dict.fromkeys(STATUSES, 0)
        self.waiting: Counter[str] = Counter()
        """Deliveries that are taken in and neither delivered nor given up, by the subscription's status."""
        self.awaiting_retry = 0
        """How many deliveries await a retry in memory; the store may have more."""
        self.lag_of: Counter[int] = Counter()
        """How many events lanes of active subscriptions have not settled yet, by tenant."""
        self.failed_of: Counter[int] = Counter()
        """Deliveries that were given up, and are kept, by tenant."""
        self.pending: dict[int, int] = {}
        """The lowest sequence of each tenant that an active lane has not settled and that does not await a retry."""

    @property
    def failed(self) -> int:
        """Deliveries that were given up, and are kept."""
        return self.failed_of.total()

    def add(self, worker: LaneWorker, last: int) -> None:
        """Add a lane, unless it is a shadow's. `last` is the last sequence of its tenant's log."""
        if worker.subscription.shadow_of is not None:
            return
        lane, status = worker.lane, worker.subscription.status
        self.subscriptions[_state(worker)] += 1
        self.awaiting_retry += len(lane.retry_queue)
        self.waiting[status] += worker.waiting
        tenant_id, failed = worker.subscription.tenant_id, worker.recorded_counts.failed
        if failed:
            self.failed_of[tenant_id] += failed
        lag = worker.lag(last)
        if lag == 0:
            return
        self.lag[status] += lag
        self.lag_most[status] = max(self.lag_most[status], lag)
        if status == "active":
            lowest = min(lane.open, default=lane.head + 1)
            self.lag_of[tenant_id] += lag
            self.pending[tenant_id] = min(lowest, self.pending.get(tenant_id, lowest))


def _state(worker: LaneWorker) -> str:
    breaker = worker.health.breaker
    if worker.tenant_is_paused:
        return "paused"
    if worker.subscription.status != "active":
        return worker.subscription.status
    if breaker.is_open:
        return "breaker_open"
    return "failing" if breaker.failures or worker.trouble else "healthy"


def now_of(worker: LaneWorker, last: int, now: int) -> LaneNow:
    """What only the owner of a lane knows about it. `last` is the last sequence of its tenant's log."""
    return _now(worker, last, now, worker.lane.retry_queue.oldest_due(now))


def _now(worker: LaneWorker, last: int, now: int, oldest_due: int | None) -> LaneNow:
    held = held_up(worker, now)
    return LaneNow(
        unread=worker.unread(last),
        in_flight=worker.lane.in_flight,
        oldest_due=oldest_due,
        trouble=worker.trouble,
        asked_to_wait_until=held.asked_to_wait_until,
        rate_limited_until=held.rate_limited_until,
    )


def view_of(worker: LaneWorker, subscription: Subscription, last: int, now: int) -> "LaneView":
    """The health of a lane of this node. `last` is the last sequence of its tenant's log."""
    return _view(worker, subscription, now_of(worker, last, now))


def glance_at(worker: LaneWorker, subscription: Subscription, last: int) -> "LaneView":
    """The same without what keeps deliveries from being sent right now: cheap enough for every lane."""
    return _view(worker, subscription, LaneNow(worker.unread(last), worker.lane.in_flight, trouble=worker.trouble))


def undated_view_of(worker: LaneWorker, subscription: Subscription, last: int, now: int) -> "LaneView":
    """The health of a lane of this node without its next attempts. Any thread may ask."""
    return _view(worker, subscription, _now(worker, last, now, None))


def seen_view_of(worker: LaneWorker, subscription: Subscription, last: int, now: int) -> "LaneView":
    """The same with its next attempts."""
    return _view(worker, subscription, _now(worker, last, now, worker.lane.retry_queue.seen_oldest_due(now)))


def view_at_rest(subscription: Subscription, lane: RestingLane, unread: int, *, tenant_is_paused: bool) -> "LaneView":
    """The health of a lane that rests on this node. `unread` is how many events it is about to look at."""
    standing = LaneStanding(has_node=True, health=lane.health, now=LaneNow(unread))
    return LaneView(subscription, standing, tenant_is_paused)


def _view(worker: LaneWorker, subscription: Subscription, now: LaneNow) -> "LaneView":
    lane = worker.lane
    counts = RowCounts(worker.awaiting_retry, lane.blocked, worker.recorded_counts.failed)
    standing = LaneStanding(has_node=True, open=len(lane.open), health=worker.health, counts=counts, now=now)
    return LaneView(subscription, standing, worker.tenant_is_paused)


class LaneView(Struct, frozen=True):
    """A lane's health as people see it, the same on every node."""

    subscription: Subscription
    standing: LaneStanding
    tenant_is_paused: bool
    waits_since: int | None = None
    """When the oldest waiting event was made, µs since the epoch; None if nothing waits, or if that was not asked
    for."""
    kept_until: int | None = None
    """When the retention removes that event."""

    @property
    def status(self) -> str:
        return "paused" if self.tenant_is_paused else self.subscription.status

    @property
    def trouble(self) -> str | None:
        """A sentence: what blocks all sending, other than the endpoint; None if nothing does, as far as is known."""
        if self.subscription.is_read:
            return None
        return self.standing.now.trouble if self.standing.has_node else NO_NODE

    @property
    def state(self) -> State:
        """The `state` in a subscription's `health`."""
        if self.status != "active":
            return "paused" if self.status == "paused" else "disabled"
        return "failing" if self.standing.health.breaker.failures or self.trouble else "healthy"

    @property
    def lag(self) -> int:
        """How many events are yet to be settled or to await a retry."""
        return self.standing.now.unread + self.standing.open + self.standing.counts.blocked

    @property
    def waiting(self) -> int:
        """How many deliveries are taken in and neither delivered nor given up."""
        return self.standing.open + self.standing.counts.blocked + self.standing.counts.awaiting_retry

    @property
    def failed(self) -> int:
        """How many deliveries were given up, and are kept."""
        return self.standing.counts.failed

    @property
    def held_up(self) -> HeldUp:
        """What keeps deliveries from being sent right now."""
        now = self.standing.now
        return HeldUp(
            asked_to_wait_until=now.asked_to_wait_until,
            rate_limited_until=now.rate_limited_until,
            trouble=TENANT_PAUSED if self.tenant_is_paused else self.trouble,
        )

    @property
    def needs(self) -> Standing:
        """What is known for deciding whether it needs attention."""
        health = self.standing.health
        return Standing(
            status=self.status,
            failing_since=health.breaker.failing_since,
            breaker_is_open=health.breaker.is_open,
            last_error=health.last_error,
            trouble=self.trouble,
            lag=self.lag,
            waiting=self.waiting,
            failed=self.failed,
            lost=health.lost,
            disabled_at=self.subscription.disabled_at,
            disabled_because=self.subscription.disabled_because,
            waits_since=self.waits_since,
            kept_until=self.kept_until,
        )

    def shown(self) -> dict[str, object]:
        """A subscription's `health`."""
        health, disabled_at = self.standing.health, self.subscription.disabled_at
        breaker = health.breaker
        reading = {"reading": self._reading()} if self.subscription.is_read else {}
        return {
            "state": self.state,
            "failingSince": _time(breaker.failing_since),
            "lastError": self.trouble or health.last_error,
            "breaker": "open" if breaker.is_open else "closed",
            "nextProbeAt": _time(breaker.probe_at),
            "lag": self.lag,
            "waiting": self.waiting,
            "failed": self.failed,
            "oldestDueAt": _time(self.standing.now.oldest_due),
            "lost": health.lost,
            "keptUntil": None if self.status == "active" else _time(self.kept_until),
            "disabledAt": _time(disabled_at),
            "disabledReason": None
            if disabled_at is None
            else self.subscription.disabled_because or _all_failed(breaker),
            **reading,
        }

    def _reading(self) -> dict[str, object]:
        """How its events are read."""
        reading = self.standing.health.reading or Reading()
        return {
            "readAt": _time(reading.read_at or None),
            "acknowledgedAt": _time(reading.acknowledged_at),
            "handedOut": self.standing.open,
            "leasedUntil": _time(reading.until or None) if self.standing.open else None,
            "waitsSince": _time(self.waits_since),
        }


def _time(at: int | None) -> str | None:
    return None if at is None else format_timestamp(at)


def _all_failed(breaker: Breaker) -> str:
    failed = "for days" if breaker.failing_since is None else f"since {format_timestamp(breaker.failing_since)}"
    return f"Every attempt failed {failed}. Resume it with status active: its waiting events are sent."
