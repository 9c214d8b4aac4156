"""An event loop on a thread of its own, for what would keep the main one busy."""

import asyncio
from collections.abc import Coroutine
from threading import Thread
from typing import Any, TypeVar

from signalpost.runtime.own_time import OwnTime, add_to_own_time

T = TypeVar("T")


class LoopThread:
    def __init__(self, name: str) -> None:
        """`name` is the thread's."""
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the work on the thread, and return its result. If the caller is cancelled, so is the work. What it takes
        of the thread counts as the caller's own time: two threads of Python take turns at the interpreter.
        What the thread itself asks for stays there."""
        if asyncio.get_running_loop() is self._loop:
            return await work
        timed = OwnTime(work)
        try:
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_result_of(timed), self._loop))
        finally:
            add_to_own_time(timed.seconds)

    async def close(self) -> None:
        """Wait until all work has ended. None may be given from now on."""
        await self.run(_all_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()


async def _result_of(timed: OwnTime[T]) -> T:
    return await timed


async def _all_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others)
