"""How much of its retention the oldest event has used that still waits at a lane of this node, for the metrics: at 1,
the retention removes it.

The store is asked, because lanes keep only some of what awaits a retry in memory. What is measured in days need not be
known to the second, so it is asked at most once a minute, and only of lanes that have something. If it does not answer,
nothing is known until the next minute.
"""

import asyncio
from collections import defaultdict
from typing import Final

from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import DAY, SECOND
from signalpost.engine.directory import Directory
from signalpost.engine.lanes.lane_views import COUNTED_IN_A_ROW, OF_THE_GATEWAY
from signalpost.engine.lanes.lanes_here import LanesHere
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.runtime.clock import Clock
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.store.nouns.lane_store import LaneStore

LOOK_EVERY: Final = 60 * SECOND
LANES_AT_ONCE: Final = 200
"""How many lanes one question to the store is about."""


class RetentionUse:
    def __init__(
        self,
        lanes: LaneStore,
        clock: Clock,
        directory: Directory,
        here: LanesHere,
        log_cache: LogCache,
        turns: LoopTurns,
    ) -> None:
        self._lanes = lanes
        self._clock = clock
        self._directory = directory
        self._here = here
        self._log = log_cache
        self._turns = turns
        self._found: float | None = None
        self._look_again_at = 0
        self._looking = asyncio.Lock()

    async def ratio(self) -> float | None:
        """The age of the oldest waiting event, divided by how long its tenant's events are kept; of all tenants, the
        highest. None if that is not known now. Raises Unavailable."""
        async with self._looking:
            if self._clock.steady() >= self._look_again_at:
                self._look_again_at = self._clock.steady() + LOOK_EVERY
                self._found = None
                self._found = await self._look()
        return self._found

    async def _look(self) -> float:
        highest = 0.0
        for tenant_id, waiting in (await self._waiting()).items():
            await self._turns.turn(tenant_id)
            kept, now = self._directory.retention_days_of(tenant_id) * DAY, self._clock.wall()
            for first in range(0, len(waiting), LANES_AT_ONCE):
                since = await self._lanes.waits_since(tenant_id, waiting[first : first + LANES_AT_ONCE])
                highest = max([highest, *((now - at) / kept for at in since.values())])
        return highest

    async def _waiting(self) -> dict[int, list[Subscription]]:
        """The subscriptions of each tenant whose lanes have something to deliver."""
        found: defaultdict[int, list[Subscription]] = defaultdict(list)
        for looked_at, worker in enumerate([*self._here.workers], 1):
            tenant_id = worker.subscription.tenant_id
            if worker.waiting or worker.unread(self._log.end.get(tenant_id, 0)):
                found[tenant_id].append(worker.subscription)
            if looked_at % COUNTED_IN_A_ROW == 0:
                await self._turns.turn(OF_THE_GATEWAY)
        return found
