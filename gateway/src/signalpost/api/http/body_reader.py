"""Reads bodies that take long on a thread of their own, one at a time, in turns between tenants."""

import asyncio
from concurrent.futures import Executor
from typing import Any

from signalpost.api.http.body import read_json
from signalpost.sender.shared_turns import SharedTurns


class BodyReader:
    def __init__(self, thread: Executor) -> None:
        """`thread` has one thread: the decoder holds the interpreter's lock, so a second one would gain nothing."""
        self._thread = thread
        self._turns = SharedTurns(1)

    async def read(self, tenant_id: int, body: bytes) -> Any:
        """See `read_json`."""
        await self._turns.begin(tenant_id)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, read_json, body)
        finally:
            self._turns.end(tenant_id)
