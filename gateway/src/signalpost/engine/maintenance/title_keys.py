"""Makes titles searchable that nodes of an earlier version wrote while the nodes were replaced one by one."""

import asyncio
from typing import Final

from signalpost.engine.maintenance.jobs import Jobs
from signalpost.engine.maintenance.passes import make_pass
from signalpost.store.store import Store

EVERY: Final = 60.0
"""Seconds between two passes, as long as there are other nodes."""


class TitleKeys:
    def __init__(self, store: Store) -> None:
        self._documents = store.documents
        self._jobs = Jobs(store.fleet)

    async def run(self) -> None:
        while not self._jobs.is_alone:
            await make_pass(
                self.pass_once, "titles that an earlier version wrote cannot be found yet; trying again later"
            )
            await asyncio.sleep(EVERY)

    async def pass_once(self) -> None:
        """Make them searchable, unless another node does. Raises Unavailable."""
        if await self._jobs.take("title keys"):
            await self._documents.key_titles()
