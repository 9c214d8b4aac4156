"""Writes what documents are found by, for those that were created and changed since it looked last, a little at a time.

One node of a fleet does this. Between two rows others have their turn, at least as long as the row took.
"""

import asyncio
from typing import Final

from signalpost.engine.maintenance.jobs import Jobs
from signalpost.engine.maintenance.pace import MAX_REST
from signalpost.engine.maintenance.passes import make_pass
from signalpost.store.store import Store

EVERY: Final = 10.0
JOB: Final = "searched texts"


class SearchedTexts:
    def __init__(self, store: Store) -> None:
        self._store = store.searched_text
        self._jobs = Jobs(store.fleet)
        self._written_up_to: dict[int, int] = {}
        """Up to which sequence of its log each tenant's documents were looked at."""

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await make_pass(self.pass_once, "what documents are found by was not written; trying again")

    async def pass_once(self) -> None:
        """Write what is missing now."""
        if not await self._jobs.take(JOB):
            return
        ends = await self._store.tenants()
        for tenant_id, last in ends.items():
            if self._written_up_to.get(tenant_id) != last:
                await self._write(tenant_id)
        self._written_up_to = ends

    async def _write(self, tenant_id: int) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while await self._store.write_some(tenant_id):
            await asyncio.sleep(min(loop.time() - began, MAX_REST))
            began = loop.time()
