"""What is wrong with subscriptions, as the owner of their lanes knows it.

Each node tells of its own lanes, from memory. Those at rest are well, so a look at ten thousand of them costs nothing.
One at a lane at work takes less than a microsecond if it is well, and some more if there may be something to tell:
others have the event loop after each `COUNTED_IN_A_ROW` of the former, and `LOOKED_AT_IN_A_ROW` of the latter.
Nothing is told of what the tenant `operations` has: a notice about a notice that cannot be delivered would make another
one. Nor is anything told of shadows.
"""

from collections.abc import Callable, Iterator
from typing import Final

from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.delivery.attention import CERTIFICATE_ENDS_NOW, CERTIFICATE_SOON
from signalpost.domain.operations.conditions import ConditionRow, Fact
from signalpost.domain.operations.kinds import KINDS, About, Severity
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import DAY, HOUR, MINUTE, readable
from signalpost.engine.directory import Directory
from signalpost.engine.lanes.lane_states import CAUGHT_UP
from signalpost.engine.lanes.lane_views import COUNTED_IN_A_ROW, LOOKED_AT_IN_A_ROW, OF_THE_GATEWAY
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.lanes_here import LanesHere
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.operations.objective_facts import ObjectiveFacts
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.store.store import Store

WINDOW: Final = DAY
"""For how long it counts that something was given up or lost."""
LATE: Final = MINUTE
"""An event that waits for less is not late."""
OVERLAP_ENDS_SOON: Final = 4 * HOUR
AGE_EVERY: Final = 10 * MINUTE
"""How often it is asked how old the events are that wait at lanes which send nothing: that takes a query."""
AGES: Final = ((0.8, Severity.CRITICAL), (0.5, Severity.WARNING))
"""From which part of the time for which events are kept on their age is told, and how bad that is."""


class LaneFacts:
    kinds: Final = (
        frozenset(name for name, kind in KINDS.items() if kind.about is About.SUBSCRIPTION)
        - ObjectiveFacts.kinds
        - {"subscriptionUnread"}
    )

    def __init__(
        self,
        store: Store,
        directory: Directory,
        here: LanesHere,
        log: LogCache,
        turns: LoopTurns,
        disable_after_days: int,
        is_first: Callable[[], bool],
    ) -> None:
        """`is_first` says whether this node tells what is no node's own."""
        self._store = store
        self._directory = directory
        self._here = here
        self._log = log
        self._turns = turns
        self._disable_after = disable_after_days * DAY
        self._is_first = is_first
        self._aged: list[Fact] = []
        """What was told of old events when their age was last asked for."""
        self._aged_at = 0
        self._held_since: dict[int, int] = {}
        """Since when each lane is held up, as far as this node saw: no attempt fails meanwhile, so no breaker knows."""

    def sees(self, condition: ConditionRow) -> bool:
        """The owner of its lane sees a subscription. That one is gone is seen by the node that sees to the fleet."""
        found = self._directory.subscription(condition.tenant_id, condition.subject)
        return self._is_first() if found is None else found.number in self._here

    async def facts(self, now: int) -> list[Fact]:
        found: list[Fact] = []
        behind: dict[tuple[int, int], list[Subscription]] = {}
        silent: dict[int, list[Subscription]] = {}
        held_before, self._held_since = self._held_since, {}
        for looked_at, worker in enumerate(await self._not_surely_well(now), 1):
            if looked_at % LOOKED_AT_IN_A_ROW == 0:
                await self._turns.turn(OF_THE_GATEWAY)
            subscription, health, lane = worker.subscription, worker.health, worker.lane
            if subscription.tenant_id == OPERATIONS_TENANT or subscription.shadow_of is not None:
                continue
            trouble = worker.trouble
            if trouble is not None:
                self._held_since[subscription.number] = held_before.get(subscription.number, now)
            waits = worker.progress is not CAUGHT_UP or lane.open
            if (
                health.breaker.failing_since is not None
                or trouble is not None
                or subscription.status != "active"
                or worker.tenant_is_paused
            ):
                found += self._of_silent(worker, trouble, now)
                if waits or worker.waiting:
                    silent.setdefault(subscription.tenant_id, []).append(subscription)
            elif waits and (lane.open or worker.unread(self._log.end.get(subscription.tenant_id, 0))):
                lowest = min(lane.open, default=lane.head + 1)
                behind.setdefault((subscription.tenant_id, lowest), []).append(subscription)
            found += self._of_others(worker, now)
        return [*found, *await self._late(behind, now), *await self._aging(silent, now)]

    async def _not_surely_well(self, now: int) -> list[LaneWorker]:
        """The lanes about which there may be something to tell. This runs for every lane at work, and most are well."""
        found: list[LaneWorker] = []
        workers, ends_soon = [*self._here.workers], now + CERTIFICATE_SOON
        for begin in range(0, len(workers), COUNTED_IN_A_ROW):
            if begin:
                await self._turns.turn(OF_THE_GATEWAY)
            found += [
                worker
                for worker in workers[begin : begin + COUNTED_IN_A_ROW]
                if (health := worker.health).breaker.failing_since is not None
                or worker.progress is not CAUGHT_UP
                or worker.lane.open
                or worker.gate is not None
                or worker.tenant_is_paused
                or (subscription := worker.subscription).status != "active"
                or subscription.promote_at is not None
                or subscription.client_certificate is not None
                or health.given_up_at is not None
                or health.lost_at is not None
                or ((ends := health.certificate_ends) is not None and ends <= ends_soon)
            ]
        return found

    def _of_silent(self, worker: LaneWorker, trouble: str | None, now: int) -> Iterator[Fact]:
        """About a lane that does not send, or whose attempts all fail. What a person paused is left alone."""
        subscription, since = worker.subscription, worker.health.breaker.failing_since
        if subscription.status == "disabled":
            yield _fact(
                "subscriptionDisabled",
                subscription,
                subscription.disabled_at or subscription.updated_at,
                subscription.disabled_because
                or f"Its endpoint failed for days. {worker.health.last_error or ''}".strip(),
            )
        if not worker.is_active:
            return
        if trouble is not None:
            yield _fact("subscriptionHeld", subscription, self._held_since[subscription.number], trouble)
        elif since is not None:
            detail = f"Every attempt fails since {readable(since)}. {worker.health.last_error or ''}".strip()
            yield _fact("subscriptionFailing", subscription, since, detail)
            disabled_at = max(since, subscription.revived_at, worker.excused_until) + self._disable_after
            if self._disable_after and now >= disabled_at - DAY:
                told = f"It is disabled at {readable(disabled_at)}."
                yield _fact("subscriptionDisablingSoon", subscription, disabled_at - DAY, told)

    def _of_others(self, worker: LaneWorker, now: int) -> Iterator[Fact]:
        """About what happened or ends. Of a lane that a person paused, only that events were lost."""
        subscription, health = worker.subscription, worker.health
        if health.lost_at is not None and now < health.lost_at + WINDOW:
            yield _fact("eventsLost", subscription, health.lost_at, f"{health.lost:,} since it was made.")
        if not worker.is_active:
            return
        failed = worker.recorded_counts.failed
        if health.given_up_at is not None and now < health.given_up_at + WINDOW and failed:
            detail = f"{failed:,} {'is' if failed == 1 else 'are'} kept."
            yield _fact("deliveriesGivenUp", subscription, health.given_up_at, detail)
        ends = health.certificate_ends
        if ends is not None and now >= ends - CERTIFICATE_SOON:
            bad = Severity.CRITICAL if now >= ends - CERTIFICATE_ENDS_NOW else None
            told = f"It ends at {readable(ends)}."
            yield _fact("certificateExpiring", subscription, ends - CERTIFICATE_SOON, told, bad)
        offered = subscription.client_certificate
        if offered is not None and now >= offered.ends_at - CERTIFICATE_SOON:
            bad = Severity.CRITICAL if now >= offered.ends_at - CERTIFICATE_ENDS_NOW else None
            told = f"It ends at {readable(offered.ends_at)}."
            yield _fact("clientCertificateExpiring", subscription, offered.ends_at - CERTIFICATE_SOON, told, bad)
        yield from about_overlap(subscription, now)

    async def _late(self, behind: dict[tuple[int, int], list[Subscription]], now: int) -> list[Fact]:
        """About lanes that deliver, and have not come to an event that was made a while ago."""
        made: dict[tuple[int, int], int] = {}
        asked: dict[int, list[int]] = {}
        for tenant_id, sequence in behind:
            event = self._log.get(tenant_id, sequence)
            if event is None:  # it is old, or was removed
                asked.setdefault(tenant_id, []).append(sequence)
            else:
                made[tenant_id, sequence] = event.at
        for tenant_id, sequences in asked.items():
            for event in await self._store.log.events(tenant_id, sequences):
                made[tenant_id, event.sequence] = event.at
        return [
            _fact("backlogOld", subscription, since, f"The oldest that it waits for was made at {readable(at)}.")
            for place, at in made.items()
            for subscription in behind[place]
            # One that begins in the past is late no sooner than any other.
            if now >= (since := max(at, subscription.created_at)) + LATE
        ]

    async def _aging(self, silent: dict[int, list[Subscription]], now: int) -> list[Fact]:
        """About lanes that send nothing, and whose oldest event the retention removes before long."""
        if now < self._aged_at + AGE_EVERY and silent:
            waiting = {each.id for subscriptions in silent.values() for each in subscriptions}
            return [fact for fact in self._aged if fact.subject in waiting]
        aged = []
        for tenant_id, subscriptions in silent.items():
            kept = self._directory.retention_days_of(tenant_id) * DAY
            since = await self._store.lanes.waits_since(tenant_id, [each.number for each in subscriptions])
            for each in subscriptions:
                at = since.get(each.number)
                bad = None if at is None else next((bad for part, bad in AGES if now >= at + part * kept), None)
                if at is not None and bad is not None:
                    told = f"The oldest is kept until {readable(at + kept)}."
                    aged.append(_fact("retentionNear", each, at + kept // 2, told, bad))
        self._aged, self._aged_at = aged, now
        return aged


def about_overlap(subscription: Subscription, now: int) -> Iterator[Fact]:
    """The fact that the overlap of a rotation ends soon, if it does."""
    ends = subscription.promote_at
    if ends is not None and ends - OVERLAP_ENDS_SOON <= now < ends:
        yield _fact("secretOverlapEnding", subscription, ends - OVERLAP_ENDS_SOON, f"That is at {readable(ends)}.")


def _fact(kind: str, subscription: Subscription, since: int, detail: str, severity: Severity | None = None) -> Fact:
    return Fact(
        kind=kind,
        tenant_id=subscription.tenant_id,
        subject=subscription.id,
        name=subscription.name,
        since=since,
        detail=detail,
        severity=severity,
    )
