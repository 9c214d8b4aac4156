"""What people see of lanes: the health of each, whichever node owns it. Nothing here changes a lane."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from itertools import chain
from typing import TypeVar

from msgspec.structs import replace

from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.engine.directory import Directory
from signalpost.engine.lanes.lane_health import (
    LanesOverview,
    LaneView,
    glance_at,
    now_of,
    seen_view_of,
    undated_view_of,
    view_at_rest,
    view_of,
)
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.lanes_here import LanesHere
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.runtime.clock import Clock
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.store.nouns.lanes import LaneNow, LaneStanding
from signalpost.store.nouns.log import LATEST_AMONG
from signalpost.store.store import Store

T = TypeVar("T")
LOOKED_AT_IN_A_ROW = 32
"""Number of lanes to look at before others get the event loop; each takes some 10 µs."""

COUNTED_IN_A_ROW = 256
"""Number of lanes to count before others get the event loop; each takes some 3 µs."""
OF_THE_GATEWAY = 0
"""The holder of turns that no tenant asked for."""
RETRIES_IN_A_ROW = 4_000
"""After lanes with so many retries others have their turn: to find the oldest of 2,000 takes some 150 µs."""


class LaneViews:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        here: LanesHere,
        log: LogCache,
        turns: LoopTurns,
    ) -> None:
        self._store = store
        self._clock = clock
        self._workers, self._resting, self._paused_tenants = here.workers, here.resting, here.paused_tenants
        self._log = log
        self._turns = turns
        self._pending_since: dict[int, tuple[int, int]] = {}
        """The sequence and `createdAt` of each tenant's oldest pending event, as last asked for."""

    def head(self, subscription: Subscription) -> int:
        """The last sequence that a lane of this node took in."""
        head = self._head(subscription)
        assert head is not None
        return head

    def _head(self, subscription: Subscription) -> int | None:
        if (worker := self._workers.get(subscription.number)) is not None:
            return worker.lane.head
        lane = self._resting.get(subscription.number)
        return None if lane is None else self._resting.head_of(lane, self._log.seen.get(subscription.tenant_id, 0))

    async def head_of(self, subscription: Subscription) -> int | None:
        """The last sequence that the subscription's lane took in, as far as this node knows; None if the subscription
        was deleted."""
        head = self._head(subscription)
        return await self._store.lanes.head(subscription) if head is None else head

    def here(self, subscription: Subscription) -> LaneView | None:
        """The health of a subscription's lane; None if this node does not own it."""
        worker = self._workers.get(subscription.number)
        if worker is None:
            return self._at_rest(subscription)
        return view_of(worker, subscription, self._log.end.get(subscription.tenant_id, 0), self._clock.steady())

    def _at_rest(self, subscription: Subscription) -> LaneView | None:
        """The health of a lane that rests here."""
        tenant_id, lane = subscription.tenant_id, self._resting.get(subscription.number)
        if lane is None:
            return None
        unread = 0
        if self._resting.is_rising(subscription.number):
            unread = self._log.end.get(tenant_id, 0) - self._resting.head_of(lane, 0)
        return view_at_rest(subscription, lane, unread, tenant_is_paused=tenant_id in self._paused_tenants)

    async def of(self, subscription: Subscription) -> LaneView:
        """The health of a subscription's lane, whichever node owns it. Raises Unavailable."""
        return (await self.seen([subscription]))[0]

    async def of_all(self, subscriptions: Sequence[Subscription]) -> list[LaneView]:
        """The health of the lanes of one tenant's subscriptions, in their order, whichever nodes own them. Raises
        Unavailable."""
        here: dict[int, LaneView] = {}
        for looked_at, each in enumerate(subscriptions, 1):
            if (view := self.here(each)) is not None:
                here[each.number] = view
            if looked_at % LOOKED_AT_IN_A_ROW == 0:
                await self._turns.turn(each.tenant_id)
        return await self._completed(subscriptions, here)

    async def noteworthy(
        self, of: Directory, tenant_id: int, off_loop: Executor, told: Callable[[Iterable[LaneView]], T]
    ) -> tuple[T, int]:
        """What `told` makes, on a thread, of the lanes of a tenant of which there may be something to tell, as
        `glances` shows them, in no order; and how many more there are: each of those rests, and is well. Of shadows
        there never is. Raises Unavailable.

        Each lane is looked at as it is taken, and none is kept: to let go of thousands would take the event loop
        milliseconds."""
        loop, read = asyncio.get_running_loop(), await self.of_all(of.read_subscriptions(tenant_id))
        workers, resting = self._workers.of_tenant(tenant_id), self._resting.count_of(tenant_id)
        if len(workers) + resting < of.lane_count_of(tenant_id):  # some are at other nodes
            return await self.glances(of.originals(tenant_id), off_loop, told), 0
        end = self._log.end.get(tenant_id, 0)
        here = (glance_at(each, each.subscription, end) for each in workers if each.subscription.shadow_of is None)
        return await loop.run_in_executor(off_loop, told, chain(here, read)), resting

    async def glances(
        self, subscriptions: Sequence[Subscription], off_loop: Executor, told: Callable[[Iterable[LaneView]], T]
    ) -> T:
        """What `told` makes, on a thread, of the lanes of one tenant in the order of their subscriptions, without their
        next attempts. None is kept, as above. Raises Unavailable.

        The thread looks at lanes while the event loop delivers. It only reads numbers and frozen values, so it sees
        each as it was at some moment."""
        loop = asyncio.get_running_loop()
        elsewhere = await loop.run_in_executor(off_loop, self._not_here, subscriptions)
        standings = await self._standings(subscriptions[0].tenant_id, elsewhere) if elsewhere else {}
        lanes = (self._look(each, glance_at) or self._elsewhere(each, standings) for each in subscriptions)
        return await loop.run_in_executor(off_loop, told, lanes)

    async def undated(self, subscriptions: Sequence[Subscription]) -> list[LaneView]:
        """The lanes of some of one tenant's subscriptions without their next attempts, in their order. It waits for
        nothing but the store (`Store.reading`), and reads only numbers and frozen values of lanes. Raises
        Unavailable."""
        return await self._looked_at(subscriptions, undated_view_of)

    async def seen(self, subscriptions: Sequence[Subscription]) -> list[LaneView]:
        """The same with their next attempts."""
        return await self._looked_at(subscriptions, seen_view_of)

    async def _looked_at(
        self, subscriptions: Sequence[Subscription], made: Callable[[LaneWorker, Subscription, int, int], LaneView]
    ) -> list[LaneView]:
        now = self._clock.steady()

        def look(worker: LaneWorker, of: Subscription, last: int) -> LaneView:
            return made(worker, of, last, now)

        here = {each.number: view for each in subscriptions if (view := self._look(each, look)) is not None}
        return await self._completed(subscriptions, here)

    def _not_here(self, subscriptions: Iterable[Subscription]) -> list[Subscription]:
        return [
            each
            for each in subscriptions
            if self._workers.get(each.number) is None and each.number not in self._resting
        ]

    def _look(
        self, subscription: Subscription, look: Callable[[LaneWorker, Subscription, int], LaneView]
    ) -> LaneView | None:
        """How a lane does that this node owns; None if it does not. `look` says it of one at work. Any thread may ask:
        so a lane that is not at rest is looked for twice, since it may have been woken meanwhile."""
        worker = self._workers.get(subscription.number)
        if worker is None and (view := self._at_rest(subscription)) is not None:
            return view
        worker = worker or self._workers.get(subscription.number)
        return None if worker is None else look(worker, subscription, self._log.end.get(subscription.tenant_id, 0))

    async def _completed(self, subscriptions: Sequence[Subscription], here: Mapping[int, LaneView]) -> list[LaneView]:
        """Add what the store says of lanes that other nodes own. Those of this node are in the order of their
        subscriptions."""
        if len(here) == len(subscriptions):  # as on most nodes
            return [*here.values()]
        elsewhere = [each for each in subscriptions if each.number not in here]
        standings = await self._standings(subscriptions[0].tenant_id, elsewhere)
        return [here.get(each.number) or self._elsewhere(each, standings) for each in subscriptions]

    def _elsewhere(self, subscription: Subscription, standings: Mapping[int, LaneStanding]) -> LaneView:
        """The health of a lane of another node."""
        standing = standings.get(subscription.number, LaneStanding())
        return LaneView(subscription, standing, subscription.tenant_id in self._paused_tenants)

    async def _standings(self, tenant_id: int, elsewhere: Sequence[Subscription]) -> dict[int, LaneStanding]:
        """What the store says of lanes that this node does not own. What no one has read because a lane has no owner is
        counted here, as the next owner will find it; what the last one wrote down is as old as that."""
        told = await self._store.lanes.standings(tenant_id, elsewhere)
        left = {number: standing.left_at for number, standing in told.items() if standing.left_at is not None}
        if not left:
            return told
        after = max(min(left.values()), self._log.end.get(tenant_id, 0) - LATEST_AMONG)
        latest = await self._store.log.latest(tenant_id, after)
        for each in elsewhere:
            if (head := left.get(each.number)) is not None:
                standing = told[each.number]
                unread = latest.last - latest.passed(max(head, each.skip_to), each.filters)
                told[each.number] = replace(standing, now=replace(standing.now, unread=unread))
        return told

    async def closer(self, glances: Sequence[LaneView]) -> list[LaneView]:
        """The same lanes of one tenant with their next attempts, if this node owns them. Between lanes with many
        retries others have their turn."""
        lanes, retries, now = [], 0, self._clock.steady()
        for glance in glances:
            worker, standing = self._workers.get(glance.subscription.number), glance.standing
            due = None if worker is None else worker.lane.retry_queue.oldest_due(now)
            if due is not None:
                glance = replace(glance, standing=replace(standing, now=replace(standing.now, oldest_due=due)))
            lanes.append(glance)
            retries += standing.counts.awaiting_retry
            if retries >= RETRIES_IN_A_ROW:
                retries = 0
                await self._turns.turn(glance.subscription.tenant_id)
        return lanes

    async def dated(self, views: Sequence[LaneView], kept: int) -> list[LaneView]:
        """The same lanes of one tenant, with the time of their oldest waiting event and until when it is kept. The
        tenant keeps its events for `kept` µs. Raises Unavailable."""
        asked = [view.subscription for view in views if view.lag + view.waiting]
        if not asked:
            return [*views]
        since = await self._store.lanes.waits_since(asked[0].tenant_id, asked)
        return [
            view
            if (at := since.get(view.subscription.number)) is None
            else replace(view, waits_since=at, kept_until=at + kept)
            for view in views
        ]

    def unwritten(self) -> Iterable[tuple[LaneWorker, LaneNow]]:
        """What only this node knows of its lanes, if it was not written down as it is now. Of lanes at rest
        everything was."""
        now = self._clock.steady()
        for worker in [*self._workers]:
            known = now_of(worker, self._log.end.get(worker.subscription.tenant_id, 0), now)
            if known != worker.written_down:
                yield worker, known

    def is_sending(self, subscription: Subscription, sequence: int, document_id: str) -> bool:
        """Whether an attempt of a delivery is under way, as far as this node knows."""
        worker = self._workers.get(subscription.number)
        return worker is not None and worker.lane.is_in_flight(sequence, document_id)

    async def overview(self) -> LanesOverview:
        """The health of all lanes of this node together. Others have their turn between some hundreds of them."""
        overview = LanesOverview()
        for looked_at, worker in enumerate([*self._workers], 1):
            overview.add(worker, self._log.end.get(worker.subscription.tenant_id, 0))
            if looked_at % COUNTED_IN_A_ROW == 0:
                await self._turns.turn(OF_THE_GATEWAY)
        for tenant_id, count in self._resting.counts:
            overview.subscriptions["paused" if tenant_id in self._paused_tenants else "healthy"] += count
        return overview

    async def pending_seconds(self, overview: LanesOverview) -> dict[int, float]:
        """The age of the oldest event that an active lane has not settled and that does not await a retry, by tenant.
        A tenant without one is missing."""
        now, ages = self._clock.wall(), {}
        for tenant_id, sequence in overview.pending.items():
            known, at = self._pending_since.get(tenant_id, (0, 0))
            if known != sequence:
                cached = self._log.get(tenant_id, sequence)
                events = [cached] if cached is not None else await self._store.log.events(tenant_id, [sequence])
                if not events:
                    continue
                at = events[0].at
                self._pending_since[tenant_id] = sequence, at
            ages[tenant_id] = max(0, now - at) / SECOND
        for tenant_id in self._pending_since.keys() - overview.pending.keys():
            del self._pending_since[tenant_id]
        return ages
