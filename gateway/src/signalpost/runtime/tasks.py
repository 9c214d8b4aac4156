"""Runs work in the background of the event loop."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from signalpost.runtime.logger import log


class Tasks:
    """Runs coroutines until they end or all are cancelled. Holds them, because the event loop does so only weakly."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Start a coroutine. If it ends with an error, the error is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def cancel(self) -> None:
        for task in list(self._running):
            task.cancel()

    async def ended(self, timeout: float) -> None:
        """Wait until all have ended, and cancel those that have not after `timeout` seconds."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout)
        self.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.exception("a background task ended with an error", error)
