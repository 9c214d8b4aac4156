"""Keeps the disk's last free space for what was already promised: below the reserve, documents are refused.

Deliveries that are under way must still be recorded, and an operator must still be able to pause a subscription; both
need room. So documents, which alone make the log grow, are refused first, until there is space again.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from signalpost.domain.errors import DiskNearlyFull
from signalpost.runtime.logger import log

LOOK_EVERY = 1.0
MB = 1024 * 1024


class DiskReserve:
    def __init__(
        self, reserve_mb: int, free_bytes: Callable[[], int], executor: Executor, look_every: float = LOOK_EVERY
    ) -> None:
        """`free_bytes` may block: it runs on the executor, every `look_every` seconds. Without a reserve (0) nothing is
        ever refused."""
        self.reserve = reserve_mb * MB
        """Bytes that are kept free."""
        self._free_bytes = free_bytes
        self._executor = executor
        self._look_every = look_every
        self.free = 0
        """Bytes that were free at the last look."""
        self.is_kept = True
        """Whether at least the reserve was free then."""

    @property
    def trouble(self) -> str | None:
        """Why no documents are taken, for an operator; None if they are."""
        if self.is_kept:
            return None
        return (
            f"The disk is nearly full: {self.free // MB} MB are free, DISK_RESERVE_MB keeps {self.reserve // MB}. "
            "Documents are refused until space is freed."
        )

    def check(self) -> None:
        """Raises DiskNearlyFull while documents are refused."""
        if not self.is_kept:
            raise DiskNearlyFull

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._look_every)
            await self.look()

    async def look(self) -> None:
        try:
            self.free = await asyncio.get_running_loop().run_in_executor(self._executor, self._free_bytes)
        except OSError as error:
            log.warning("the disk's free space cannot be read; trying again", error=str(error))
            return
        was_kept, self.is_kept = self.is_kept, self.free >= self.reserve
        if was_kept and not self.is_kept:
            log.error("the disk is nearly full: documents are refused", free=self.free, reserve=self.reserve)
        elif self.is_kept and not was_kept:
            log.info("the disk has space again: documents are accepted", free=self.free, reserve=self.reserve)
