"""Takes away what is older than the retention, a little at a time.

A lane that is so far behind that the retention reaches it is told first: it gives up what it would lose, records that,
and an operator reads of it in the log and in the subscription's `health`. Half-way there it warns.

A wall clock that is set ahead while the process runs makes nothing older: that counts from the next start on.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from signalpost.domain.errors import SignalpostError
from signalpost.domain.timestamps import SECOND
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.runtime.clock import Clock, passed
from signalpost.runtime.logger import log
from signalpost.store.store import Store

EVERY = 600.0
FIRST_AFTER = 60.0
BATCH = 500
PAUSE = 0.05
"""Seconds between batches, so that writers always get their turn."""
DAY = 24 * 3600 * SECOND


class LaneRecorder(Protocol):
    def changed(self, worker: LaneWorker) -> None: ...

    async def written(self, worker: LaneWorker) -> None: ...


class Retention:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        days: int,
        runners_of: Callable[[int], Iterable[LaneWorker]],
        recorder: LaneRecorder,
    ) -> None:
        """`runners_of` gives a tenant's runners, with the heads of sleeping ones brought up to the log's end."""
        self._store = store
        self._clock = clock
        self._kept = days * DAY
        self._workers_of = runners_of
        self._recorder = recorder

    async def run(self) -> None:
        await asyncio.sleep(FIRST_AFTER)
        while True:
            try:
                await self.pass_once()
            except SignalpostError as error:
                log.warning("the retention pass stopped; it goes on later", error=str(error))
            except Exception:
                log.exception("the retention pass stopped; it goes on later")
            await asyncio.sleep(EVERY)

    async def pass_once(self) -> None:
        """Everything that is too old now goes."""
        now = passed(self._clock)
        if self._clock.wall() - now > DAY:
            log.warning(
                "the clock was set ahead: what is old is told by the time before that, until a restart",
                hours=(self._clock.wall() - now) // (3600 * SECOND),
            )
        for tenant in await self._store.access.tenants():
            floor = await self._store.log.sequence_at(tenant.id, now - self._kept)
            half = await self._store.log.sequence_at(tenant.id, now - self._kept // 2)
            await self._tell_lanes(tenant.id, floor, half)
            while await self._store.retention.prune_log(tenant.id, floor, BATCH):
                await asyncio.sleep(PAUSE)
        while await self._store.retention.prune_leftovers(now, now - self._kept, BATCH) >= BATCH:
            await asyncio.sleep(PAUSE)

    async def _tell_lanes(self, tenant_id: int, floor: int, half: int) -> None:
        for worker in self._workers_of(tenant_id):
            alone = await self._left_in_store(worker, floor)
            if alone or worker.lane.is_behind(floor):
                lost = worker.lane.abandon(floor - 1) + alone
                worker.note_lost(lost)
                log.error(
                    "the retention removes what was not delivered",
                    subscription=worker.subscription.id,
                    lost=lost,
                )
                self._recorder.changed(worker)
                await self._recorder.written(worker)
            elif worker.lane.is_behind(half) or await self._left_in_store(worker, half):
                log.warning("a subscription is behind by half of the retention", subscription=worker.subscription.id)

    async def _left_in_store(self, worker: LaneWorker, floor: int) -> int:
        """Deliveries below `floor` that wait for their retry and that the lane does not keep in memory."""
        horizon = worker.lane.retry_queue.horizon
        return 0 if horizon is None else await self._store.count_parked(worker.subscription, floor, horizon)
