"""How lanes leave this node: their subscription is deleted, they are handed over, or another node has taken them.

What a lane began before it left may go on for a moment: attempts end, and a write that is under way comes back. Until
that is over the lane must not be taken up here again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from signalpost.engine.lanes.carriers import Carriers
from signalpost.engine.lanes.lane_loader import LOOK_AGAIN_AFTER, TRY_AGAIN_AFTER
from signalpost.engine.lanes.lane_state import Hold
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.lanes_here import LanesHere
from signalpost.runtime.logger import log
from signalpost.store.store import Store


class Departures:
    def __init__(
        self,
        store: Store,
        carriers: Carriers,
        here: LanesHere,
        record: Callable[[Sequence[LaneWorker]], Awaitable[None]],
    ) -> None:
        """`record` records lanes, and waits until the store has them."""
        self._store = store
        self._carriers = carriers
        self._here = here
        self._record = record
        self._leaving: dict[int, LaneWorker] = {}
        """Lanes that left, by number, while something of them may be in flight or unrecorded."""

    def leave(self, worker: LaneWorker) -> None:
        """Let go of a lane at once."""
        worker.leave()
        self._carriers.leave(worker)
        self._here.workers.remove(worker)
        if worker.lane.in_flight or not worker.is_recorded:
            self._leaving[worker.subscription.number] = worker

    def leave_all(self) -> None:
        """Let go of every lane at once: others may own them already."""
        self._here.resting.clear()
        for worker in list(self._here.workers):
            self.leave(worker)

    def is_here(self, number: int) -> bool:
        """Whether a lane is at work or at rest here, or has left and may still have something in flight or
        unrecorded."""
        left = self._leaving.get(number)
        if left is not None and not left.lane.in_flight and left.is_recorded:
            del self._leaving[number]
        return number in self._leaving or number in self._here

    async def hand_over(self, numbers: Iterable[int]) -> None:
        """Let attempts of lanes end, record everything and let go of the lanes, so that another node may own them."""
        found = map(self._here.awake, numbers)
        held = [worker for worker in found if worker is not None and worker.hand_over()]
        while held:
            ended = [worker for worker in held if not worker.lane.in_flight]
            await self._record(ended)
            await self._release(ended)
            held = [worker for worker in held if worker not in ended and worker.hold is Hold.HANDING_OVER]
            if held:
                await asyncio.sleep(LOOK_AGAIN_AFTER)

    async def _release(self, ended: Sequence[LaneWorker]) -> None:
        """Let go of lanes whose hand-over is complete, except those that have left in another way meanwhile."""
        while ours := [worker for worker in ended if worker.hold is Hold.HANDING_OVER]:
            try:
                await self._store.fleet.release([worker.subscription.number for worker in ours])
            except Exception as error:
                log.warning("lanes could not be handed over; trying again", error=str(error))
                await asyncio.sleep(TRY_AGAIN_AFTER)
            else:
                for worker in ours:
                    if worker.hold is Hold.HANDING_OVER:
                        self.leave(worker)
