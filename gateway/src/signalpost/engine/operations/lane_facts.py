"""What is wrong with subscriptions, as the owner of their lanes knows it.

Each node tells of its own lanes, from memory. Those at rest are well, so a look at ten thousand of them costs nothing.

A thread looks at those at work while the event loop delivers, since ten thousand take milliseconds. It only reads
numbers and frozen values. Of a lane it takes the subscription before its health, and what changes both changes the
health first (`LaneWorker.update`): so it never finds former failures beside the present status.

Nothing is told of what the tenant `operations` has: a notice about a notice that cannot be delivered would make another
one. Nor is anything told of shadows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from functools import partial
from itertools import chain
from typing import Final, NamedTuple

from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.delivery.attention import CERTIFICATE_ENDS_NOW, CERTIFICATE_SOON
from signalpost.domain.operations.conditions import ConditionRow, Fact
from signalpost.domain.operations.kinds import KINDS, About, Severity
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import DAY, HOUR, MINUTE, readable
from signalpost.engine.directory import Directory
from signalpost.engine.lanes.lane_states import CAUGHT_UP
from signalpost.engine.lanes.lane_views import OF_THE_GATEWAY
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.lanes_here import LanesHere
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.operations.objective_facts import ObjectiveFacts
from signalpost.sharing.resting_turns import Rest, RestingTurns, with_rests
from signalpost.store.nouns.lanes import EndpointHealth
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


Position = tuple[int, int]
"""A tenant, and a sequence of its log."""


class _LaneSeen(NamedTuple):
    """A lane at work about which there may be something to tell, as it was when it was looked at."""

    subscription: Subscription
    health: EndpointHealth
    trouble: str | None
    is_active: bool
    excused_until: int
    failed: int
    """How many deliveries were given up, and are kept."""


class _LanesSeen(NamedTuple):
    facts: list[Fact]
    behind: dict[Position, list[Subscription]]
    """Subscriptions that deliver and wait for an event, by the first that they wait for."""
    made: dict[Position, int]
    """When these events were made, as far as that is in memory."""
    silent: dict[int, list[Subscription]]
    """Subscriptions that send nothing although something waits, by tenant."""


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
        thread: Executor,
        turns: RestingTurns,
        disable_after_days: int,
        is_first: Callable[[], bool],
    ) -> None:
        """`thread` looks at the lanes, in these turns. `is_first` says whether this node tells what is no node's
        own."""
        self._store = store
        self._directory = directory
        self._here = here
        self._log = log
        self._thread = thread
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
        workers = [*self._here.workers]
        seen = await self._turns.run(OF_THE_GATEWAY, self._thread, partial(self._look, workers, now))
        made = await self._made(seen)
        since = await self._waits_since(seen.silent, now)
        return await self._turns.run(OF_THE_GATEWAY, self._thread, partial(self._told, seen, made, since, now))

    # --- On the thread ------------------------------------------------------------------------------------------------

    def _look(self, workers: Iterable[LaneWorker], now: int, rest: Rest) -> _LanesSeen:
        """Look at the lanes at work, most of which are well."""
        seen = _LanesSeen([], {}, {}, {})
        held_before, self._held_since = self._held_since, {}
        for worker in with_rests(workers, rest):
            subscription = worker.subscription
            health = worker.health
            if (
                _is_surely_well(worker, subscription, health, now)
                or subscription.tenant_id == OPERATIONS_TENANT
                or subscription.shadow_of is not None
            ):
                continue
            lane = _LaneSeen(
                subscription,
                health,
                worker.trouble,
                subscription.status == "active" and not worker.tenant_is_paused,
                worker.excused_until,
                worker.recorded_counts.failed,
            )
            if lane.trouble is not None:
                self._held_since[subscription.number] = held_before.get(subscription.number, now)
            self._note_waiting(seen, lane, worker)
            seen.facts.extend(chain(self._of_silent(lane, now), _of_others(lane, now)))
        for place in seen.behind:
            if (event := self._log.get(*place)) is not None:
                seen.made[place] = event.at
        return seen

    def _note_waiting(self, seen: _LanesSeen, lane: _LaneSeen, worker: LaneWorker) -> None:
        """Note a lane at which something waits: it may have waited for long."""
        subscription, tenant_id = lane.subscription, lane.subscription.tenant_id
        if _sends_nothing(lane):
            if worker.waiting or worker.progress is not CAUGHT_UP:
                seen.silent.setdefault(tenant_id, []).append(subscription)
        elif worker.lane.open or worker.unread(self._log.end.get(tenant_id, 0)):
            first = min(worker.lane.open, default=worker.lane.head + 1)
            seen.behind.setdefault((tenant_id, first), []).append(subscription)

    def _of_silent(self, lane: _LaneSeen, now: int) -> Iterator[Fact]:
        """About a lane that does not send, or whose attempts all fail. What a person paused is left alone."""
        subscription, since, last_error = lane.subscription, lane.health.breaker.failing_since, lane.health.last_error
        if subscription.status == "disabled":
            yield _fact(
                "subscriptionDisabled",
                subscription,
                subscription.disabled_at or subscription.updated_at,
                subscription.disabled_because or f"Its endpoint failed for days. {last_error or ''}".strip(),
            )
        if not lane.is_active:
            return
        if lane.trouble is not None:
            yield _fact("subscriptionHeld", subscription, self._held_since[subscription.number], lane.trouble)
        elif since is not None:
            detail = f"Every attempt fails since {readable(since)}. {last_error or ''}".strip()
            yield _fact("subscriptionFailing", subscription, since, detail)
            disabled_at = max(since, subscription.revived_at, lane.excused_until) + self._disable_after
            if self._disable_after and now >= disabled_at - DAY:
                told = f"It is disabled at {readable(disabled_at)}."
                yield _fact("subscriptionDisablingSoon", subscription, disabled_at - DAY, told)

    def _told(
        self, seen: _LanesSeen, made: Mapping[Position, int], since: Mapping[int, int] | None, now: int, _rest: Rest
    ) -> list[Fact]:
        """All that there is to tell. `since` says since when something waits at lanes that send nothing, by the
        subscription's number; None if that was not asked."""
        if since is None:
            waiting = {each.id for subscriptions in seen.silent.values() for each in subscriptions}
            aging = [fact for fact in self._aged if fact.subject in waiting]
        else:
            aging = self._aged = [*self._aging(seen.silent, since, now)]
        seen.facts.extend(chain(_late(seen.behind, made, now), aging))
        return seen.facts

    def _aging(
        self, silent: Mapping[int, Iterable[Subscription]], since: Mapping[int, int], now: int
    ) -> Iterator[Fact]:
        """About lanes that send nothing, and whose oldest event the retention removes before long."""
        for tenant_id, subscriptions in silent.items():
            kept = self._directory.retention_days_of(tenant_id) * DAY
            for each in subscriptions:
                at = since.get(each.number)
                bad = None if at is None else next((bad for part, bad in AGES if now >= at + part * kept), None)
                if at is not None and bad is not None:
                    told = f"The oldest is kept until {readable(at + kept)}."
                    yield _fact("retentionNear", each, at + kept // 2, told, bad)

    # --- What the store is asked --------------------------------------------------------------------------------------

    async def _made(self, seen: _LanesSeen) -> dict[Position, int]:
        """When the events were made for which lanes wait, except those that were removed."""
        made, asked = seen.made, dict[int, list[int]]()
        for tenant_id, sequence in seen.behind.keys() - made.keys():
            asked.setdefault(tenant_id, []).append(sequence)
        for tenant_id, sequences in asked.items():
            for event in await self._store.log.events(tenant_id, sequences):
                made[tenant_id, event.sequence] = event.at
        return made

    async def _waits_since(self, silent: Mapping[int, Iterable[Subscription]], now: int) -> dict[int, int] | None:
        """Since when something waits at lanes that send nothing; None if that was asked a while ago."""
        if now < self._aged_at + AGE_EVERY and silent:
            return None
        since: dict[int, int] = {}
        for tenant_id, subscriptions in silent.items():
            since |= await self._store.lanes.waits_since(tenant_id, subscriptions)
        self._aged_at = now
        return since


def _is_surely_well(worker: LaneWorker, subscription: Subscription, health: EndpointHealth, now: int) -> bool:
    """Whether there is nothing to tell of a lane at work. Of most there is not."""
    return not (
        health.breaker.failing_since is not None
        or worker.progress is not CAUGHT_UP
        or worker.lane.open
        or worker.gate is not None
        or worker.tenant_is_paused
        or subscription.status != "active"
        or subscription.promote_at is not None
        or subscription.client_certificate is not None
        or health.given_up_at is not None
        or health.lost_at is not None
        or ((ends := health.certificate_ends) is not None and ends <= now + CERTIFICATE_SOON)
    )


def _sends_nothing(lane: _LaneSeen) -> bool:
    return lane.health.breaker.failing_since is not None or lane.trouble is not None or not lane.is_active


def _of_others(lane: _LaneSeen, now: int) -> Iterator[Fact]:
    """About what happened or ends. Of a lane that a person paused, only that events were lost."""
    subscription, health = lane.subscription, lane.health
    if health.lost_at is not None and now < health.lost_at + WINDOW:
        yield _fact("eventsLost", subscription, health.lost_at, f"{health.lost:,} since it was made.")
    if not lane.is_active:
        return
    if health.given_up_at is not None and now < health.given_up_at + WINDOW and lane.failed:
        detail = f"{lane.failed:,} {'is' if lane.failed == 1 else 'are'} kept."
        yield _fact("deliveriesGivenUp", subscription, health.given_up_at, detail)
    offered = subscription.client_certificate
    for kind, ends in (
        ("certificateExpiring", health.certificate_ends),
        ("clientCertificateExpiring", None if offered is None else offered.ends_at),
    ):
        if ends is not None and now >= ends - CERTIFICATE_SOON:
            bad = Severity.CRITICAL if now >= ends - CERTIFICATE_ENDS_NOW else None
            yield _fact(kind, subscription, ends - CERTIFICATE_SOON, f"It ends at {readable(ends)}.", bad)
    yield from about_overlap(subscription, now)


def _late(behind: Mapping[Position, Iterable[Subscription]], made: Mapping[Position, int], now: int) -> Iterator[Fact]:
    """About lanes that deliver, and have not come to an event that was made a while ago."""
    for place, at in made.items():
        for subscription in behind[place]:
            # One that begins in the past is late no sooner than any other.
            if now >= (since := max(at, subscription.created_at)) + LATE:
                yield _fact(
                    "backlogOld", subscription, since, f"The oldest that it waits for was made at {readable(at)}."
                )


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
