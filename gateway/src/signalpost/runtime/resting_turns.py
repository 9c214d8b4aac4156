"""Turns at what keeps a thread busy for long, such as reading megabytes: one at a time, tenants in turns, and a rest
after each.

A thread that works keeps the event loop from the interpreter, or from the core where there is but one. Two of them, one
piece of work after the other, would stop every step of everything else. So there is a rest in proportion to what each
piece took; whoever asked for it does not wait for that.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from time import thread_time
from typing import Final, TypeVar

from signalpost.runtime.fair_queue import FairQueue

T = TypeVar("T")

RESTS: Final = 3
"""How many times as long as a piece of work took nobody gets the next turn."""
MIN_REST: Final = 0.002
"""Seconds: a shorter rest is not worth a timer."""


class RestingTurns:
    def __init__(self, cpu: Callable[[], float] = thread_time) -> None:
        """`cpu` tells the seconds of CPU that the thread that calls it has spent."""
        self._cpu = cpu
        self._queue = FairQueue()
        self._is_taken = False
        self._took = 0.0
        """What the last piece of work took, in seconds."""

    async def run(self, holder: int, executor: Executor, work: Callable[[], T]) -> T:
        """What the work returns, done on a thread of the executor when it is this holder's turn."""
        await self._begin(holder)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(executor, self._timed, work)
        finally:
            rest = RESTS * self._took
            if rest < MIN_REST:
                self._end()
            else:
                loop.call_later(rest, self._end)

    async def _begin(self, holder: int) -> None:
        if not self._is_taken:
            self._is_taken = True
            return
        turn = self._queue.add(holder)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._end()
            raise

    def _end(self) -> None:
        self._is_taken = self._queue.give()

    def _timed(self, work: Callable[[], T]) -> T:
        begun = self._cpu()
        try:
            return work()
        finally:
            self._took = self._cpu() - begun
