"""Stores what only this node knows about its lanes, so that people get the same answer from every node.

What a lane's row says is recorded as it happens. How far a lane is behind, what is in flight, and what holds it up is
in its owner's memory. Every few seconds the owner stores that for the lanes where it changed. A node that has its
database for itself stores nothing, because no other node asks.
"""

import asyncio
from itertools import islice
from math import inf
from typing import Final

from signalpost.domain.errors import SignalpostError
from signalpost.engine.lanes.lane_views import LaneViews
from signalpost.runtime.logger import log
from signalpost.store.store import Store

EVERY: Final = 2.0
AT_ONCE: Final = 500
"""Maximum number of lanes in one write."""


class StandingWriter:
    def __init__(self, store: Store, views: LaneViews) -> None:
        self._store = store
        self._views = views

    async def run(self) -> None:
        while self._store.fleet.terms.beat_every < inf:
            await asyncio.sleep(EVERY)
            try:
                await self.write_changed()
            except SignalpostError:
                pass  # the beats say it
            except Exception:
                log.exception("the state of lanes could not be written; trying again")

    async def write_changed(self) -> None:
        """Write down what changed since the last time, of the lanes that are here. Raises Unavailable."""
        changed = iter(list(self._views.unwritten()))
        while part := list(islice(changed, AT_ONCE)):
            await self._store.lanes.write_down({worker.subscription.number: now for worker, now in part})
            for worker, now in part:
                worker.written_down = now
