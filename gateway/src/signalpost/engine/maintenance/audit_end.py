"""Keeps the end of the audit outside of the database, in the data directory: so that it is missed if all of it is
removed, or replaced by an earlier copy.

The file goes on only if the audit still has everything that it had before. Otherwise it stays as it is, and every
verification names it, until an operator has looked and removes it.
"""

import asyncio
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

from signalpost.domain.audit import END_FILE
from signalpost.domain.errors import SignalpostError
from signalpost.runtime import durable
from signalpost.runtime.logger import log
from signalpost.store.nouns.audit import AuditStore

EVERY: Final = 1.0
"""Seconds between two writes."""


class AuditEnd:
    def __init__(self, audit: AuditStore, folder: Path, executor: Executor, audited: asyncio.Event) -> None:
        """`executor` reads and writes the file; `audited` is set by each commit with an entry."""
        self._audit = audit
        self._file = folder / END_FILE
        self._executor = executor
        self._audited = audited
        self.is_missed = False
        """Whether the audit lacked something when it was last looked at."""

    async def run(self) -> None:
        while True:
            await self.keep()
            await asyncio.sleep(EVERY)
            await self._audited.wait()

    async def keep(self) -> None:
        """Write down where the audit ends now, as far as that can be done; also as the last thing before the store is
        closed."""
        try:
            await self._keep()
        except (SignalpostError, OSError) as error:
            log.warning("the end of the audit could not be kept in the data directory", error=str(error))

    async def _keep(self) -> None:
        """Write down where the audit ends now, unless it lacks what it had."""
        self._audited.clear()
        self.is_missed = not await self.holds()
        if self.is_missed:
            log.error("the audit lacks entries that it had: run `signalpost audit verify`", file=str(self._file))
            return
        sealed = await self._audit.sealed_end()
        await asyncio.get_running_loop().run_in_executor(self._executor, self._write, sealed)

    async def holds(self) -> bool:
        """Whether the audit has everything that it had when the file was written. Raises Unavailable."""
        kept = await asyncio.get_running_loop().run_in_executor(self._executor, self._read)
        return kept is None or await self._audit.has(kept)

    def _read(self) -> str | None:
        try:
            return self._file.read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            return None

    def _write(self, sealed: str) -> None:
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{sealed}\n", encoding="ascii")
        durable.sync(draft)
        durable.rename(draft, self._file)
