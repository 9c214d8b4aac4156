"""Reads bodies that take long on a thread of their own, one at a time, in turns between tenants.

The decoder keeps the interpreter's lock to its end, so that the event loop stands still for up to 20 ms a megabyte. One
body after the other would stop it at every step of everything else. So the thread rests after each body, in proportion
to what that took; whoever sent it does not wait for that.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from time import thread_time
from typing import Any

from signalpost.api.http.body import read_json
from signalpost.sender.shared_turns import SharedTurns

RESTS = 3
"""How many times as long as a body took the thread rests after it."""
MIN_REST = 0.002
"""Seconds: a shorter rest is not worth a timer."""


class BodyReader:
    def __init__(self, thread: Executor, cpu: Callable[[], float] = thread_time) -> None:
        """`thread` has one thread: a second one would wait for the same lock. `cpu` tells the seconds of CPU that the
        thread that calls it has spent."""
        self._thread = thread
        self._cpu = cpu
        self._turns = SharedTurns(1)
        self._took = 0.0
        """What the last body took, in seconds."""

    async def read(self, tenant_id: int, body: bytes) -> Any:
        """See `read_json`."""
        await self._turns.begin(tenant_id)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._read, body)
        finally:
            rest = RESTS * self._took
            if rest < MIN_REST:
                self._turns.end(tenant_id)
            else:
                loop.call_later(rest, self._turns.end, tenant_id)

    def _read(self, body: bytes) -> Any:
        begun = self._cpu()
        try:
            return read_json(body)
        finally:
            self._took = self._cpu() - begun
