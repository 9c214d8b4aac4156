"""Removes what is older than its tenant's retention, a little at a time.

A lane that is so far behind that the retention reaches it is told first: it gives up what it would lose, records that,
and an operator reads of it in the log and in the subscription's `health`. Half-way there it warns.

A wall clock that is set ahead while the process runs makes nothing older: that counts from the next start on.
"""

import asyncio

from signalpost.domain.stats import KEPT_SECONDS
from signalpost.domain.timestamps import DAY, SECOND
from signalpost.engine.directory import Directory
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.lanes import Lanes
from signalpost.engine.maintenance.passes import make_pass
from signalpost.runtime.clock import Clock, passed
from signalpost.runtime.logger import log
from signalpost.store.store import Store

EVERY = 600.0
FIRST_AFTER = 60.0
BATCH = 500
PAUSE = 0.05
"""Seconds between batches, so that writers always get their turn."""


class Retention:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        directory: Directory,
        lanes: Lanes,
    ) -> None:
        self._store = store
        self._clock = clock
        self._directory = directory
        self._lanes = lanes

    async def run(self) -> None:
        await asyncio.sleep(FIRST_AFTER)
        while True:
            await make_pass(self.pass_once, "the retention pass failed; trying again later")
            await asyncio.sleep(EVERY)

    async def pass_once(self) -> None:
        """Remove everything that is too old now."""
        now = passed(self._clock)
        if self._clock.wall() - now > DAY:
            log.warning(
                "the clock was set ahead; until a restart the retention goes by the time before that",
                hours=(self._clock.wall() - now) // (3600 * SECOND),
            )
        for tenant_id in self._directory.tenant_ids:
            await self._prune_tenant(tenant_id, now, self._directory.retention_days_of(tenant_id) * DAY)
        while await self._store.retention.prune_leftovers(now, BATCH) >= BATCH:
            await asyncio.sleep(PAUSE)
        for step, kept in KEPT_SECONDS.items():
            while await self._store.stats.prune(step, now // SECOND - kept, BATCH) >= BATCH:
                await asyncio.sleep(PAUSE)

    async def _prune_tenant(self, tenant_id: int, now: int, kept: int) -> None:
        """Remove what a tenant has that is older than `kept`."""
        floor = await self._store.log.sequence_at(tenant_id, now - kept)
        half = await self._store.log.sequence_at(tenant_id, now - kept // 2)
        await self._tell_lanes(tenant_id, floor, half)
        removed = 0
        while batch := await self._store.retention.prune_log(tenant_id, floor, BATCH):
            removed += batch
            await asyncio.sleep(PAUSE)
        if removed:
            await self._count_anew(tenant_id)
        while await self._store.retention.prune_replays(tenant_id, now - kept, BATCH) >= BATCH:
            await asyncio.sleep(PAUSE)

    async def _count_anew(self, tenant_id: int) -> None:
        """Let lanes learn, with a record, how many of their rows the retention has left."""
        await self._lanes.record([worker for worker in self._lanes.of_tenant(tenant_id) if any(worker.recorded_counts)])

    async def _tell_lanes(self, tenant_id: int, floor: int, half: int) -> None:
        """Have lanes give up what they would lose below `floor`, and record how far they have come: after a crash, what
        a lane passed and did not record would look lost."""
        workers = self._lanes.of_tenant(tenant_id)
        gave_up = [worker for worker in workers if await self._gives_up(worker, floor, half)]
        unrecorded = [worker for worker in workers if worker.recorded_head < floor - 1]
        await self._lanes.record([*gave_up, *unrecorded])

    async def _gives_up(self, worker: LaneWorker, floor: int, half: int) -> bool:
        """Give up what the lane has not settled below `floor`, if there is anything, and say so."""
        alone = await self._left_in_store(worker, floor)
        if alone or worker.lane.is_behind(floor):
            lost = worker.lane.abandon(floor - 1) + alone
            worker.note_lost(lost)
            log.error(
                "the retention removes events that were not delivered",
                subscription=worker.subscription.id,
                lost=lost,
            )
            return True
        if worker.lane.is_behind(half) or await self._left_in_store(worker, half):
            log.warning("a subscription is behind by half of the retention time", subscription=worker.subscription.id)
        return False

    async def _left_in_store(self, worker: LaneWorker, floor: int) -> int:
        """Deliveries below `floor` that wait for their retry and that the lane does not keep in memory."""
        horizon = worker.lane.retry_queue.horizon
        return (
            0 if horizon is None else await self._store.lanes.count_awaiting_retry(worker.subscription, floor, horizon)
        )
