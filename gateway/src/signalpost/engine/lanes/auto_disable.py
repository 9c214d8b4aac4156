"""Disables subscriptions whose endpoint has failed for days, or whose vendor rejects one event after the other. It uses
a command with the version that it knew, so that it never overrules a person who changes the subscription meanwhile."""

from signalpost.commands.subscriptions import DisableSubscription
from signalpost.domain.delivery.breaker import is_given_up
from signalpost.domain.errors import SignalpostError
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import DAY, format_timestamp
from signalpost.engine.committer import Committer
from signalpost.engine.counts import Counts
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.runtime.tasks import Tasks


class AutoDisable:
    def __init__(self, committer: Committer, clock: Clock, counts: Counts, tasks: Tasks, after_days: int) -> None:
        """`after_days` says how long an endpoint may fail; with 0 it may fail for ever."""
        self._committer = committer
        self._clock = clock
        self._counts = counts
        self._tasks = tasks
        self._after = after_days * DAY
        self._asked: set[LaneWorker] = set()
        """Lanes whose subscriptions are being disabled."""

    def consider(self, worker: LaneWorker) -> None:
        """Disable the subscription of a lane whose endpoint has just failed, if it has failed for long enough."""
        subscription = worker.subscription
        counts_from = max(subscription.revived_at, worker.excused_until)
        given_up = is_given_up(worker.health.breaker, counts_from, self._clock.steady(), self._after)
        if given_up and subscription.status == "active" and worker not in self._asked:
            self._asked.add(worker)
            self._tasks.start(self._disable(worker))

    def disable(self, subscription: Subscription, because: str) -> None:
        """Disable a subscription for a reason other than that its endpoint failed for days."""
        self._tasks.start(self._disable_because(subscription, because))

    async def _disable_because(self, subscription: Subscription, because: str) -> None:
        if await self._submit(subscription, because):
            log.error("subscription disabled", subscription=subscription.id, reason=because)

    async def _disable(self, worker: LaneWorker) -> None:
        subscription, breaker = worker.subscription, worker.health.breaker
        if await self._submit(subscription, None):
            log.error(
                "subscription disabled: its endpoint failed for days",
                subscription=subscription.id,
                failing_since=None if breaker.failing_since is None else format_timestamp(breaker.failing_since),
                last_error=worker.health.last_error,
            )
        self._asked.discard(worker)

    async def _submit(self, subscription: Subscription, because: str | None) -> bool:
        """Returns whether it was disabled."""
        command = DisableSubscription(
            tenant_id=subscription.tenant_id,
            subscription_id=subscription.id,
            if_match=frozenset({subscription.etag}),
            because=because,
        )
        try:
            await self._committer.submit(command)
        except SignalpostError as error:
            # It was changed just now, or nothing can be committed: its next failure asks again.
            log.warning("a subscription could not be disabled", subscription=subscription.id, error=str(error))
            return False
        self._counts.disabled += 1
        return True
