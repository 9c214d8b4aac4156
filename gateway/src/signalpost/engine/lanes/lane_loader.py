"""Reads lanes from the store: all of them at the start, and single ones again if another owner wrote them or their
order was changed."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from signalpost.domain.delivery.lane_bounds import Bounds
from signalpost.domain.errors import SignalpostError
from signalpost.domain.subscription import Subscription
from signalpost.engine.lanes.lane_state import Hold
from signalpost.engine.lanes.lane_worker import LaneWorker, wanted_lane
from signalpost.engine.lanes.recorder import Recorder
from signalpost.runtime.logger import log
from signalpost.store.nouns.lanes import LaneRow
from signalpost.store.store import Store

LANES_AT_ONCE = 100
"""How many lanes one read loads. It is few, because their rows are in memory together with the lanes that are made of
them."""
TRY_AGAIN_AFTER = 0.5
"""Seconds to wait before a lane that could not be read is read again."""
LOOK_AGAIN_AFTER = 0.02
"""Seconds between two looks at whether the last attempt of a lane has ended."""


class LaneLoader:
    def __init__(self, store: Store, recorder: Recorder, bounds: Bounds) -> None:
        self._store = store
        self._recorder = recorder
        self._bounds = bounds

    async def load(self, subscriptions: Sequence[Subscription]) -> AsyncIterator[tuple[Subscription, LaneRow]]:
        """Every lane that the store has. Raises Unavailable."""
        for begin in range(0, len(subscriptions), LANES_AT_ONCE):
            part = subscriptions[begin : begin + LANES_AT_ONCE]
            rows = await self._store.lanes.load([wanted_lane(each, self._bounds) for each in part])
            for subscription in part:
                if (row := rows.get(subscription.number)) is not None:
                    yield subscription, row

    async def load_again(self, worker: LaneWorker) -> LaneRow | None:
        """The row of a lane that is held for a reload, read once nothing of the lane is in flight or unrecorded. None
        if its subscription was deleted. Retries until the store can be read."""
        while True:
            while worker.lane.in_flight:
                await asyncio.sleep(LOOK_AGAIN_AFTER)
            await self._recorder.written(worker)
            version = worker.version
            try:
                rows = await self._store.lanes.load([wanted_lane(worker.subscription, self._bounds)])
            except Exception as error:
                _note_unread(worker, error)
                await asyncio.sleep(TRY_AGAIN_AFTER)
                continue
            row = rows.get(worker.subscription.number)
            if row is None or worker.hold is Hold.GONE:
                return None
            if worker.is_recorded and worker.version == version:
                return row  # nothing was written or requested since the read


def _note_unread(worker: LaneWorker, error: Exception) -> None:
    say = log.warning if isinstance(error, SignalpostError) else log.exception
    say("a lane could not be loaded; trying again", subscription=worker.subscription.id, error=str(error))
