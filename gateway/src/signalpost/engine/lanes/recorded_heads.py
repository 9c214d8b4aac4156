"""Keeps the recorded heads of lanes close to where the lanes are, so that a start has little to read again.

A lane that sends something records its head with that. One that only passes over events has nothing else to record, so
from time to time it is counted how many it has passed. Of those at rest many may have passed the same events: a few at
a time are woken, recorded, and rest again.
"""

import asyncio
from collections.abc import Iterator

from signalpost.engine.lanes.lane_states import NOT_HELD
from signalpost.engine.lanes.lane_views import OF_THE_GATEWAY
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.lanes_here import LanesHere
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.lanes.recorder import Recorder
from signalpost.engine.lanes.resting_lanes import RestingLane, certificate_ends_soon
from signalpost.runtime.clock import Clock
from signalpost.sharing.loop_turns import LoopTurns

EVERY = 30.0
"""Seconds between two looks."""
MAX_PASSED = 256
"""How many events a lane passes before its head alone is worth a write. A start reads about so many again."""
MAX_PASSED_AT_REST = 10_000
"""The same for a lane at rest. A start does not read these again: it asks for the last event of each type."""
SLICE = 256
"""How many lanes are looked at before others get the event loop; each takes some 2 µs."""
WAKE_COST = 16
"""To wake a lane counts as so many looks."""
MAX_WOKEN = 256
"""How many lanes are woken before they are recorded and rest again; each takes some 6.5 KB meanwhile."""


class RecordedHeads:
    def __init__(
        self,
        here: LanesHere,
        log_cache: LogCache,
        recorder: Recorder,
        clock: Clock,
        turns: LoopTurns,
    ) -> None:
        self._here = here
        self._log = log_cache
        self._recorder = recorder
        self._clock = clock
        self._turns = turns

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await self.record(MAX_PASSED, MAX_PASSED_AT_REST)

    async def record(self, max_passed: int, max_passed_at_rest: int) -> None:
        """Record every lane that passed more than so many events since its last record. Others have their turn in
        between."""
        woken: list[LaneWorker] = []
        for slice_ in self.slices(max_passed, max_passed_at_rest):
            woken += slice_
            if len(woken) >= MAX_WOKEN:
                await self._let_rest_again(woken)
                woken = []
            await self._turns.turn(OF_THE_GATEWAY)
        await self._let_rest_again(woken)

    def slices(self, max_passed: int, max_passed_at_rest: int) -> Iterator[list[LaneWorker]]:
        """Have the recorder record every lane that passed more than so many events. Yields, after each slice of this
        work, the lanes that it woke."""
        now, spent = self._clock.steady(), 0
        woken: list[LaneWorker] = []
        for lane in [*self._here.resting]:
            spent += 1
            if self._is_to_be_woken(lane, max_passed_at_rest, now):
                spent += WAKE_COST
                woken.append(worker := self._here.wake(lane.subscription.number))
                self._recorder.changed(worker)
            if spent >= SLICE:
                yield woken
                woken, spent = [], 0
        for worker in [*self._here.workers]:
            spent += 1
            worker.skip_unwanted(self._log.seen.get(worker.subscription.tenant_id, 0))
            if worker.lane.head - worker.recorded_head > max_passed and worker.hold is NOT_HELD:
                self._recorder.changed(worker)
            if spent >= SLICE:
                yield woken
                woken, spent = [], 0
        yield woken

    def _is_to_be_woken(self, lane: RestingLane, max_passed: int, now: int) -> bool:
        """Whether a lane still rests, and has to be recorded, or be seen by people."""
        if self._here.resting.get(lane.subscription.number) is not lane:
            return False
        passed = self._here.resting.head_of(lane, self._log.seen.get(lane.subscription.tenant_id, 0))
        return passed - lane.head > max_passed or certificate_ends_soon(lane.health, now)

    async def _let_rest_again(self, woken: list[LaneWorker]) -> None:
        await self._recorder.caught_up(woken)
        await self._turns.turn(OF_THE_GATEWAY)  # each has a turn after its record
        for worker in woken:
            self._here.let_rest(worker)
