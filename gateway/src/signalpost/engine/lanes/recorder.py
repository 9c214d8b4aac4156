"""Writes what lanes have done: attempts, exception rows and lane rows of many lanes in one transaction.

Each lane is written at most every `INTERVAL` and one write at a time, fenced by its version. A write that fails is
repeated as it is until it succeeds; meanwhile lanes stop by themselves once too much is unrecorded, so a crash repeats
a bounded number of attempts. A lane whose version moved on has another owner: it is loaded again.
"""

import asyncio
from collections.abc import Callable, Sequence
from itertools import islice

from signalpost.domain.errors import SignalpostError
from signalpost.engine.counts import Counts
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.engine.lanes.lane_states import WRITING_AND_DIRTY
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.stats_writer import StatsWriter
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.store.nouns.lanes import LaneFlush, LaneFlushed
from signalpost.store.nouns.replays import Fed, ReplayPart
from signalpost.store.store import Store

INTERVAL = 0.02
REPEAT_AFTER = 0.5
MAX_LANES = 1_000


class Recorder:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        counts: Counts,
        stats: StatsWriter,
        erased: ErasedEvents,
        on_recorded: Callable[[LaneWorker, int], None],
        on_fed: Callable[[LaneWorker, ReplayPart, Fed], None],
        on_fenced: Callable[[LaneWorker], None],
    ) -> None:
        """`erased` says of which events nothing is to be kept. `on_recorded` is told how many attempts of a lane
        became durable, `on_fed` what its replay found, `on_fenced` of a lane that another owner wrote."""
        self._store = store
        self._clock = clock
        self._counts = counts
        self._stats = stats
        self._erased = erased
        self._on_recorded = on_recorded
        self._on_fed = on_fed
        self._on_fenced = on_fenced
        self._dirty: dict[LaneWorker, None] = {}
        self._writing: asyncio.Task[None] | None = None
        self._closing = self._is_closed = False
        self.failing_since: int | None = None

    def changed(self, worker: LaneWorker) -> None:
        """Record the lane with the next write. Once the recorder is closed nothing more is written: requests to a lane
        are in the store, and its next owner finds them."""
        if worker.note_change() and not self._is_closed:
            self._dirty[worker] = None
            if self._writing is None:
                self._writing = asyncio.get_running_loop().create_task(self._write())

    async def written(self, worker: LaneWorker) -> None:
        """Wait until everything that the lane had to record is written."""
        while not worker.is_recorded:
            await asyncio.sleep(INTERVAL)

    async def caught_up(self, workers: Sequence[LaneWorker]) -> None:
        """Wait until what these lanes have to record now is written. What they do meanwhile may be left: a busy one
        always has something."""
        written_with = [
            (worker, worker.version + (2 if worker.recording is WRITING_AND_DIRTY else 1)) for worker in workers
        ]
        for worker, version in written_with:
            while not worker.is_recorded and worker.version < version:
                await asyncio.sleep(INTERVAL)

    async def close(self) -> None:
        """Write everything that is left, at once."""
        self._closing = True
        while (writing := self._writing) is not None:
            await asyncio.wait([writing])
            if (error := writing.exception()) is not None:
                log.error(
                    "the last deliveries could not be recorded; the next start sends them again", error=str(error)
                )
        self._is_closed = True

    async def _write(self) -> None:
        try:
            while self._dirty:
                if not self._closing:
                    await asyncio.sleep(INTERVAL)
                workers = list(self._dirty)[:MAX_LANES]
                for worker in workers:
                    del self._dirty[worker]
                await self._record([(worker, worker.begin_write()) for worker in workers])
        finally:
            self._writing = None

    async def _record(self, flushes: list[tuple[LaneWorker, LaneFlush]]) -> None:
        recorded = await self._until_recorded([flush for _, flush in flushes])
        for worker, flush in flushes:
            flushed = recorded.get(flush.subscription_number)
            worker.end_write(flush, flushed)
            self._on_recorded(worker, len(flush.attempts))
            if flushed is None:
                self._on_fenced(worker)
                continue
            self._stats.add(flush, worker.subscription)
            try:
                self._answer(worker, flush, flushed)
            except Exception:
                # A defect of ours in one lane: the store is right, and the other lanes' records must go on.
                log.exception(
                    "a lane could not follow its own record; loading it again", subscription=worker.subscription.id
                )
                self._on_fenced(worker)

    async def _until_recorded(self, flushes: list[LaneFlush]) -> dict[int, LaneFlushed]:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                recorded = await self._store.lanes.record(self._erased.out_of(flushes))
            except Exception as error:
                if self.failing_since is None:
                    self.failing_since = self._clock.steady()
                    log.error("deliveries cannot be recorded; trying again", error=str(error))
                if self._closing:
                    raise
                if not isinstance(error, SignalpostError):
                    log.exception("recording failed with an unexpected error")
                await asyncio.sleep(REPEAT_AFTER)
            else:
                self.failing_since = None
                self._counts.record_seconds.add(loop.time() - began)
                return recorded

    def _answer(self, worker: LaneWorker, flush: LaneFlush, flushed: LaneFlushed) -> None:
        """Give the lane what it asked to read with its write."""
        if flush.refill:
            worker.lane.refill(flushed.awaiting_retry, flushed.horizon)
            if worker.replay_feeder.next is not None:
                self.changed(worker)  # a replay that waited for this may have room now
        if flush.feed is not None and flushed.fed is not None:
            self._on_fed(worker, flush.feed, flushed.fed)
        if flush.look_up:
            now = self._clock.steady()
            for retry in list(islice(worker.retries.waiting.values(), len(flush.look_up))):
                row = flushed.looked_up.get(retry.sequence)
                worker.retries.act(retry, row, worker.subscription, worker.lane, now)
            self.changed(worker)
