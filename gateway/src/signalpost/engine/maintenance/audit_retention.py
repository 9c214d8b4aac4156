"""Removes old entries of the audit. They are kept longer than events."""

import asyncio
from typing import Final

from signalpost.domain.timestamps import DAY
from signalpost.engine.maintenance.jobs import Jobs
from signalpost.engine.maintenance.passes import make_pass
from signalpost.runtime.clock import Clock, passed
from signalpost.runtime.logger import log
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
        self._days = days

    async def run(self) -> None:
        await make_pass(self.keep, "whether the database keeps the audit could not be asked")
        while True:
            await asyncio.sleep(EVERY)
            await make_pass(self.pass_once, "old entries of the audit could not be removed; trying again later")

    async def keep(self) -> None:
        """Have the database keep entries for as long as is set here, or say what it does instead."""
        if (kept := await self._store.audit.keep(self._days)) != self._days:
            log.warning(
                "the database keeps entries of the audit for another number of days, and the longer one counts; the"
                " owner of the audit can change the database's (docs/guides/audit.md)",
                database=kept,
                audit_retention_days=self._days,
            )

    async def pass_once(self) -> None:
        """Remove everything that is too old now."""
        if not await self._jobs.take("audit retention"):
            return
        before = passed(self._clock) - self._days * DAY
        while await self._store.audit.prune(before, BATCH) == BATCH:
            await asyncio.sleep(PAUSE)
