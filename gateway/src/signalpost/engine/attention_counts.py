"""How many subscriptions of each tenant need attention: the number that every page of the console shows.

To look at a thousand lanes takes milliseconds, so it is done at most every few seconds for each tenant, however many
look; off the event loop, which delivers meanwhile.
"""

import asyncio
from collections.abc import Iterable
from concurrent.futures import Executor
from typing import Final, NamedTuple

from signalpost.domain.delivery.attention import need_of
from signalpost.domain.timestamps import SECOND
from signalpost.engine.directory import Directory
from signalpost.engine.lanes.lane_health import LaneView
from signalpost.engine.lanes.lane_views import LaneViews
from signalpost.runtime.clock import Clock

KEPT_SECONDS: Final = 5


class _Count(NamedTuple):
    began_at: int
    """On the steady clock, in µs."""
    needing: asyncio.Future[int]


class AttentionCounts:
    def __init__(self, directory: Directory, views: LaneViews, clock: Clock, off_loop: Executor) -> None:
        self._directory = directory
        self._views = views
        self._clock = clock
        self._off_loop = off_loop
        self._counted: dict[int, _Count] = {}

    async def of(self, tenant_id: int) -> int:
        """How many need attention, as of `KEPT_SECONDS` ago or later. Raises Unavailable."""
        found = self._counted.get(tenant_id)
        if found is None or self._clock.steady() - found.began_at >= KEPT_SECONDS * SECOND:
            found = self._keep(tenant_id, asyncio.ensure_future(self._count(tenant_id)))
        try:
            return await asyncio.shield(found.needing)
        except Exception:
            if self._counted.get(tenant_id) is found:
                del self._counted[tenant_id]
            raise

    def note(self, tenant_id: int, count: int) -> None:
        """Take a number from a caller that has just looked at all lanes."""
        known = asyncio.get_running_loop().create_future()
        known.set_result(count)
        self._keep(tenant_id, known)

    def _keep(self, tenant_id: int, needing: asyncio.Future[int]) -> _Count:
        counted = self._counted[tenant_id] = _Count(self._clock.steady(), needing)
        return counted

    async def _count(self, tenant_id: int) -> int:
        now = self._clock.wall()

        def needing(lanes: Iterable[LaneView]) -> int:
            return sum(need_of(lane.needs, now) is not None for lane in lanes)

        found, _ = await self._views.noteworthy(self._directory, tenant_id, self._off_loop, needing)
        return found
