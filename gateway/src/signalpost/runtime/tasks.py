"""Work that goes on beside everything else."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from signalpost.runtime.logger import log


class Tasks:
    """Runs coroutines until they end or are all cancelled. (The loop itself holds its tasks only weakly.)"""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """An error that it ends with is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def cancel(self) -> None:
        for task in list(self._running):
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the engine ended with an error", exc_info=error)
