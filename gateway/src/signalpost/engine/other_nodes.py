"""What lanes of other nodes did, for viewers: no commit that this node follows contains it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from signalpost.domain.errors import SignalpostError
from signalpost.domain.stats import WHOLE_TENANT
from signalpost.domain.timestamps import SECOND
from signalpost.engine.revisions import Revisions, Topic
from signalpost.runtime.clock import Clock
from signalpost.store.nouns.stats import StatsStore

LOOK_EVERY: Final = 5 * SECOND


class OtherNodes:
    """Sees in the statistics, to which every node adds, that lanes did something. Everybody who watches a tenant looks
    together."""

    def __init__(self, stats: StatsStore, clock: Clock, revisions: Revisions) -> None:
        self._stats = stats
        self._clock = clock
        self._revisions = revisions
        self._looked_at: dict[int, int] = {}
        """When each tenant's statistics were last looked at."""
        self._seen: dict[int, Mapping[int, Sequence[int]]] = {}

    async def look(self, tenant_id: int) -> None:
        """Note a change of a tenant's deliveries and replays if attempts were counted since the last look, of this node
        or another. Does nothing if that was just now, or if the database does not answer."""
        now = self._clock.steady()
        if now - self._looked_at.get(tenant_id, 0) < LOOK_EVERY:
            return
        self._looked_at[tenant_id] = now
        minute = self._clock.wall() // SECOND // 60 * 60
        with suppress(SignalpostError):
            found = await self._stats.read(tenant_id, WHOLE_TENANT, "minute", (minute - 60, minute))
            if found != self._seen.setdefault(tenant_id, found):
                self._seen[tenant_id] = found
                self._revisions.note(tenant_id, Topic.DELIVERIES)
                self._revisions.note(tenant_id, Topic.REPLAYS)
