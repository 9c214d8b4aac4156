"""Removes old entries of the audit. They are kept longer than events."""

import asyncio
from typing import Final

from signalpost.domain.timestamps import DAY
from signalpost.engine.maintenance.jobs import Jobs
from signalpost.engine.maintenance.passes import make_pass
from signalpost.runtime.clock import Clock, passed
from signalpost.store.store import Store

EVERY: Final = 3600.0
BATCH: Final = 500
PAUSE: Final = 0.05
"""Seconds between batches, so that writers always get their turn."""


class AuditRetention:
    def __init__(self, store: Store, clock: Clock, days: int) -> None:
        self._store = store
        self._jobs = Jobs(store.fleet)
        self._clock = clock
        self._kept = days * DAY

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await make_pass(self.pass_once, "old entries of the audit could not be removed; trying again later")

    async def pass_once(self) -> None:
        """Remove everything that is too old now."""
        if not await self._jobs.take("audit retention"):
            return
        before = passed(self._clock) - self._kept
        while await self._store.audit.prune(before, BATCH) == BATCH:
            await asyncio.sleep(PAUSE)
