"""Carries out erasures: files first, then rows, in parts with a pause after each, so that others hardly notice.

The store knows what remains to be done: the erasures that are not finished. Every part may be repeated, so after a
crash, or if files or the store cannot be reached, it begins again with what is left.
"""

import asyncio
from contextlib import suppress
from math import inf
from typing import Final

from signalpost.domain.erasure import Erasure
from signalpost.domain.errors import SignalpostError
from signalpost.engine.lanes.lanes import Lanes
from signalpost.engine.maintenance.jobs import Jobs
from signalpost.files.files import Files
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.store.store import Store

BATCH: Final = 100
PAUSE: Final = 0.02
"""Seconds between parts, so that writers always get their turn."""
LOOK_EVERY: Final = 30.0
"""Seconds after which a node of a fleet looks for erasures of which it did not hear, or that another left."""
AGAIN_AFTER: Final = 5.0
"""Seconds to wait if something could not be reached."""


class Eraser:
    def __init__(self, store: Store, files: Files, lanes: Lanes, clock: Clock, asked: asyncio.Event) -> None:
        """`asked` is set when an erasure was asked for."""
        self._store = store
        self._jobs = Jobs(store.fleet)
        self._files = files
        self._lanes = lanes
        self._clock = clock
        self._asked = asked
        self._look_every = inf if self._jobs.is_alone else LOOK_EVERY

    async def run(self) -> None:
        while True:
            self._asked.clear()
            try:
                await self.erase_all()
            except SignalpostError as error:
                log.warning("an erasure cannot continue now; trying again", error=str(error))
                await self._asked_or(AGAIN_AFTER)
            except Exception:
                log.exception("an erasure failed; trying again")
                await self._asked_or(AGAIN_AFTER)
            else:
                await self._asked_or(self._look_every)

    async def _asked_or(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(None if seconds == inf else seconds):
                await self._asked.wait()

    async def erase_all(self) -> None:
        """Finish every erasure that was asked for, unless another node is at it."""
        if not await self._jobs.take("erasures"):
            return
        pending = await self._store.erasures.pending()
        for erasure in pending:
            await self._remove(erasure)
        if any(erasure.document_id is not None for erasure in pending):
            await asyncio.sleep(self._store.fleet.terms.dead_after)
        for erasure in pending:
            await self._finish(erasure)

    async def _remove(self, erasure: Erasure) -> None:
        erasures = self._store.erasures
        self._lanes.erase_from_memory(erasure)
        while found := await erasures.files(erasure, BATCH):
            for name, _ in found:
                await self._files.remove(name)
            await erasures.forget_files(erasure, [key for _, key in found])
            await asyncio.sleep(PAUSE)
        await self._remove_rows(erasure)

    async def _remove_rows(self, erasure: Erasure) -> None:
        while await self._store.erasures.erase_part(erasure, BATCH):
            await asyncio.sleep(PAUSE)

    async def _finish(self, erasure: Erasure) -> None:
        """Remove what other nodes recorded before they heard of the erasure. By now they have, or others have taken
        their lanes: they record nothing more of it."""
        await self._remove_rows(erasure)
        await self._store.erasures.finish(erasure, self._clock.wall())
        log.info("erased", erasure=erasure.id, tenant=erasure.tenant, document=erasure.document_id)
