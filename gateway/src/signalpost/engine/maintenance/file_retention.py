"""Removes the files of deleted documents after a day. Until then the links in their last events work, and a database
that is restored from a backup of that day finds the files."""

import asyncio
from typing import Final

from signalpost.domain.timestamps import SECOND
from signalpost.engine.maintenance.jobs import Jobs
from signalpost.engine.maintenance.passes import make_pass
from signalpost.files.files import Files
from signalpost.runtime.clock import Clock, passed
from signalpost.store.store import Store

KEPT_AFTER_DELETION: Final = 24 * 3600 * SECOND
EVERY: Final = 600.0
BATCH: Final = 100


class FileRetention:
    def __init__(self, store: Store, files: Files, clock: Clock) -> None:
        self._store = store
        self._jobs = Jobs(store.fleet)
        self._files = files
        self._clock = clock

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await make_pass(self.pass_once, "files of deleted documents could not be removed; trying again later")

    async def pass_once(self) -> None:
        """Remove the file before its row, so that a pass that stops half-way leaves no file without a row."""
        if not await self._jobs.take("files"):
            return
        before = passed(self._clock) - KEPT_AFTER_DELETION
        while gone := await self._store.versions.deleted(before, BATCH):
            for _, version in gone:
                await self._files.remove(version.file.name)
            await self._store.versions.forget(
                [(tenant, version.document_id, version.number) for tenant, version in gone]
            )
