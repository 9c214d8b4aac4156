"""How lanes do at one moment: each as the API shows it, and all together as metrics show them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from signalpost.domain.delivery.attention import Standing
from signalpost.domain.delivery.breaker import Breaker
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import format_timestamp
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.store.lanes import LaneSummary

STATES: Final = ("healthy", "failing", "breaker_open", "paused", "disabled")
STATUSES: Final = ("active", "paused", "disabled")
UNKNOWN: Final = "unknown"
"""The state of a subscription whose lane is not here."""


class Overview:
    def __init__(self, workers: Iterable[LaneWorker], last: Mapping[int, int]) -> None:
        """`last` has the last sequence of each tenant's log."""
        self.subscriptions: Counter[str] = Counter()
        """How many subscriptions are in each state."""
        self.lag: Counter[str] = Counter()
        """How many events lanes have yet to settle, by the status of the subscription: events of a paused one wait on
        purpose."""
        self.lag_most: dict[str, int] = dict.fromkeys(STATUSES, 0)
        self.waiting: Counter[str] = Counter()
        """Deliveries that are taken in and neither delivered nor given up, by the subscription's status."""
        self.failed = 0
        """Deliveries that were given up, and are kept."""
        self.awaiting_retry = 0
        """How many deliveries await a retry in memory; the store may have more."""
        self.pending: dict[int, int] = {}
        """The lowest sequence of each tenant that an active lane has not settled and that does not await a retry."""
        for worker in workers:
            self._add(worker, last.get(worker.subscription.tenant_id, 0))

    def _add(self, worker: LaneWorker, last: int) -> None:
        lane, status = worker.lane, worker.subscription.status
        self.subscriptions[_state(worker)] += 1
        self.awaiting_retry += len(lane.retry_queue)
        self.waiting[status] += worker.waiting
        self.failed += worker.recorded_counts.failed
        lag = worker.lag(last)
        if lag == 0:
            return
        self.lag[status] += lag
        self.lag_most[status] = max(self.lag_most[status], lag)
        if status == "active":
            lowest = min(lane.open, default=lane.head + 1)
            tenant_id = worker.subscription.tenant_id
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


def shown_state(worker: LaneWorker, subscription: Subscription) -> str:
    """The `state` in a subscription's `health`."""
    if worker.tenant_is_paused:
        return "paused"
    if subscription.status != "active":
        return subscription.status
    return "failing" if worker.health.breaker.failures or worker.trouble else "healthy"


def standing_of(worker: LaneWorker, subscription: Subscription, last: int) -> Standing:
    """What is known of whether a subscription needs somebody. `last` is the last sequence of its tenant's log."""
    breaker = worker.health.breaker
    return Standing(
        status="paused" if worker.tenant_is_paused else subscription.status,
        failing_since=breaker.failing_since,
        breaker_is_open=breaker.is_open,
        last_error=worker.health.last_error,
        trouble=worker.trouble,
        lag=worker.lag(last),
        waiting=worker.waiting,
        failed=worker.recorded_counts.failed,
        lost=worker.health.lost,
        disabled_at=subscription.disabled_at,
        disabled_because=subscription.disabled_because,
    )


def shown_health(worker: LaneWorker, subscription: Subscription, last: int, now: int) -> dict[str, object]:
    """A subscription's `health`. `last` is the last sequence of its tenant's log."""
    lane, breaker = worker.lane, worker.health.breaker
    due = lane.retry_queue.oldest_due(now)
    return {
        "state": shown_state(worker, subscription),
        "failingSince": None if breaker.failing_since is None else format_timestamp(breaker.failing_since),
        "lastError": worker.trouble or worker.health.last_error,
        "breaker": "open" if breaker.is_open else "closed",
        "nextProbeAt": None if breaker.probe_at is None else format_timestamp(breaker.probe_at),
        "lag": worker.lag(last),
        "waiting": worker.waiting,
        "failed": worker.recorded_counts.failed,
        "oldestDueAt": None if due is None else format_timestamp(due),
        "lost": worker.health.lost,
        "disabledAt": None if subscription.disabled_at is None else format_timestamp(subscription.disabled_at),
        "disabledReason": None
        if subscription.disabled_at is None
        else subscription.disabled_because or _all_failed(breaker),
    }


def recorded_health(summary: LaneSummary, subscription: Subscription, *, is_paused: bool) -> dict[str, object]:
    """A subscription's `health`, as its lane was last recorded by the node that owns it."""
    breaker = summary.health.breaker
    failing = "failing" if breaker.failures else "healthy"
    state = "paused" if is_paused else subscription.status if subscription.status != "active" else failing
    return {
        "state": state,
        "failingSince": None if breaker.failing_since is None else format_timestamp(breaker.failing_since),
        "lastError": summary.health.last_error,
        "breaker": "open" if breaker.is_open else "closed",
        "nextProbeAt": None if breaker.probe_at is None else format_timestamp(breaker.probe_at),
        "lag": summary.lag,
        "waiting": summary.lag + summary.counts.awaiting_retry,
        "failed": summary.counts.failed,
        "oldestDueAt": None if summary.oldest_due is None else format_timestamp(summary.oldest_due),
        "lost": summary.health.lost,
        "disabledAt": None if subscription.disabled_at is None else format_timestamp(subscription.disabled_at),
        "disabledReason": None
        if subscription.disabled_at is None
        else subscription.disabled_because or _all_failed(breaker),
    }


def _all_failed(breaker: Breaker) -> str:
    failed = "for days" if breaker.failing_since is None else f"since {format_timestamp(breaker.failing_since)}"
    return f"Every attempt failed {failed}. Resume it with status active: its waiting events are sent."
