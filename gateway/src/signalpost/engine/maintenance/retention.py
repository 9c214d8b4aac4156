"""Removes what is older than its tenant's retention, a little at a time.

A lane that is so far behind that the retention reaches it is told first: it gives up what it would lose and records
that, and an operator sees it in the log and in the subscription's `health`. At half of the time, a warning is logged.

In a fleet one node does this, and lanes are of all: the floor that comes next is announced with the marks of tenants,
every node gives up what its lanes would lose, and the floor moves once all have recorded that, or after a while without
those that did not.

A wall clock that is set ahead while the process runs makes nothing older: that counts from the next start on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from signalpost.domain.stats import KEPT_SECONDS
from signalpost.domain.timestamps import DAY, SECOND
from signalpost.engine.counts import Counts
from signalpost.engine.directory import Directory
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.lanes import Lanes
from signalpost.engine.maintenance.jobs import Jobs
from signalpost.engine.maintenance.pace import SlicePace
from signalpost.engine.maintenance.passes import make_pass
from signalpost.runtime.clock import Clock, passed
from signalpost.runtime.logger import log
from signalpost.store.nouns.fleet import TenantMark
from signalpost.store.nouns.retention import ATTEMPTS_EACH
from signalpost.store.store import Store

EVERY = 600.0
FIRST_AFTER = 60.0
AGAIN_AFTER = 60.0
"""Seconds until a pass that failed is made again: what it left is to be removed while more becomes too old."""
OTHERS_HAVE = 60.0
"""Seconds that other nodes have to give up what their lanes would lose."""
LOOK_EVERY = 1.0
GO_ON_FROM = 10_000
"""If a pass removed as many events, the next one follows at once: many more have become too old meanwhile."""


class Retention:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        directory: Directory,
        lanes: Lanes,
        counts: Counts,
    ) -> None:
        self._jobs = Jobs(store.fleet)
        self._pace = SlicePace(lambda: counts.committed + counts.attempted // ATTEMPTS_EACH)
        self._given_up: dict[int, int] = {}
        """The highest floor that lanes here have followed, by tenant."""
        self._removed = 0
        """How many events this pass has removed."""
        self._counts = counts
        self._store = store
        self._clock = clock
        self._directory = directory
        self._lanes = lanes

    async def run(self) -> None:
        await asyncio.sleep(FIRST_AFTER)
        while True:
            self._removed = 0
            if not await make_pass(self.pass_once, "the retention pass failed; trying again later"):
                await asyncio.sleep(AGAIN_AFTER)
            elif self._removed < GO_ON_FROM:
                await asyncio.sleep(EVERY)

    async def pass_once(self) -> None:
        """Remove everything that is too old now."""
        now = passed(self._clock)
        if self._clock.wall() - now > DAY:
            log.warning(
                "the clock was set ahead; until a restart, the retention uses the time from before",
                hours=(self._clock.wall() - now) // (3600 * SECOND),
            )
        if not await self._jobs.take("retention"):
            return
        for tenant_id in self._directory.tenant_ids:
            await self.prune(tenant_id, now, self._directory.retention_days_of(tenant_id) * DAY)
        await self._until_few(lambda size: self._store.retention.prune_leftovers(now, size))
        for step, kept in KEPT_SECONDS.items():
            await self._until_few(partial(self._store.stats.prune, step, now // SECOND - kept))

    async def _until_few(self, remove: Callable[[int], Awaitable[int]]) -> None:
        """Remove slice by slice, until one was not full."""
        while True:
            asked = self._pace.size
            if await self._pace.take(remove(asked)) < asked:
                return

    async def prune(self, tenant_id: int, now: int, kept: int) -> None:
        """Remove what a tenant has that is older than `kept` µs."""
        floor = await self._store.log.sequence_at(tenant_id, now - kept)
        half = await self._store.log.sequence_at(tenant_id, now - kept // 2)
        await self._tell_lanes(tenant_id, floor, half)
        if not self._jobs.is_alone:
            await self._tell_others(tenant_id, floor)
        before = self._removed
        while removed := await self._pace.take(self._store.retention.prune_log(tenant_id, floor, self._pace.size)):
            self._removed += removed
        if self._removed > before:
            await self._count_anew(tenant_id)
        await self._until_few(partial(self._store.retention.prune_replays, tenant_id, now - kept))

    def announced(self, marks: Mapping[int, TenantMark]) -> list[tuple[int, int]]:
        """The tenants for which another node announced a floor that lanes here have not followed, with that floor."""
        higher = [
            (tenant_id, mark.next_floor)
            for tenant_id, mark in marks.items()
            if mark.next_floor > self._given_up.get(tenant_id, 0)
        ]
        self._given_up.update(higher)
        return higher

    async def give_up_below(self, tenant_id: int, floor: int) -> None:
        """Have the lanes here give up what they would lose below an announced floor."""
        await self._tell_lanes(tenant_id, floor, floor)

    async def _tell_others(self, tenant_id: int, floor: int) -> None:
        """Announce the floor, and wait until no lane has anything below it, or for long enough."""
        if not await self._store.retention.is_awaited(tenant_id, floor):
            return
        await self._store.retention.announce_floor(tenant_id, floor)
        for _ in range(round(OTHERS_HAVE / LOOK_EVERY)):
            await asyncio.sleep(LOOK_EVERY)
            if not await self._store.retention.is_awaited(tenant_id, floor):
                return
        log.warning("lanes still hold events that the retention is about to remove", tenant=tenant_id, floor=floor)

    async def _count_anew(self, tenant_id: int) -> None:
        """Let lanes learn, with a record, how many of their rows the retention has left."""
        await self._lanes.record(
            [worker for worker in self._lanes.here.at_work_of(tenant_id) if any(worker.recorded_counts)]
        )

    async def _tell_lanes(self, tenant_id: int, floor: int, half: int) -> None:
        """Have lanes give up what they would lose below `floor`, and record how far they have come: after a crash, what
        a lane passed and did not record would look lost."""
        workers = self._lanes.here.before(tenant_id, passed=half - 1, recorded=floor - 1)
        gave_up = [worker for worker in workers if await self._gives_up(worker, floor, half)]
        unrecorded = [worker for worker in workers if worker.recorded_head < floor - 1]
        await self._lanes.record([*gave_up, *unrecorded])
        for subscription in self._directory.read_subscriptions(tenant_id):
            if lost := await self._lanes.readers.give_up_below(subscription, floor):
                log.error("the retention removes events that were not read", subscription=subscription.id, lost=lost)

    async def _gives_up(self, worker: LaneWorker, floor: int, half: int) -> bool:
        """Give up what the lane has not settled below `floor`, if there is anything, and say so."""
        alone = await self._left_in_store(worker, floor)
        if alone or worker.lane.is_behind(floor):
            lost = worker.lane.abandon(floor - 1) + alone
            if worker.subscription.shadow_of is not None:
                return True
            worker.note_lost(lost, self._clock.steady())
            self._counts.lost += lost
            log.error(
                "the retention removes events that were not delivered",
                subscription=worker.subscription.id,
                lost=lost,
            )
            return True
        is_told = worker.subscription.shadow_of is None
        if is_told and (worker.lane.is_behind(half) or await self._left_in_store(worker, half)):
            log.warning(
                "a subscription is behind by more than half of the retention time", subscription=worker.subscription.id
            )
        return False

    async def _left_in_store(self, worker: LaneWorker, floor: int) -> int:
        """Deliveries below `floor` that wait for their retry and that the lane does not keep in memory."""
        horizon = worker.lane.retry_queue.horizon
        return (
            0 if horizon is None else await self._store.lanes.count_awaiting_retry(worker.subscription, floor, horizon)
        )
