"""Turns for long work on threads, such as reading megabytes: one at a time, tenants in turns, with rests.

A thread that works keeps the event loop from the interpreter, or from the core if there is but one. Two of them, one
piece of work after the other, would stop every step of everything else, and one of them makes each wait as long as it
takes. So the thread that does the work rests whenever a little of it is done, and after all of it no one begins for as
long in proportion; the caller who asked for it does not wait for that.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Executor
from functools import partial
from time import thread_time
from typing import Any, Final, TypeVar

from signalpost.runtime.own_time import OwnTime
from signalpost.sharing.fair_queue import FairQueue

T = TypeVar("T")

RESTS: Final = 3
"""How many times as long as a piece of work took the thread rests, and no one gets the next turn."""
WALKS_REST: Final = 2
"""The same for walks over a large part of a log, for which a person waits."""
PIECE: Final = 0.0003
"""Seconds of work after which a thread rests: less than that for which it may keep the interpreter."""
TAKEN_IN_A_ROW: Final = 32
"""After so many things, each of which takes some µs, a thread may rest."""
MIN_REST: Final = 0.002
"""Seconds: a shorter rest of the event loop is not worth a timer."""
Rest = Callable[[], None]
"""Called by long work whenever it could rest; most calls return at once."""


def no_rest() -> None:
    """The rest of work that is short."""


def with_rests(things: Iterable[T], rest: Rest) -> Iterator[T]:
    """The same things, with a rest whenever one is due."""
    for number, thing in enumerate(things, 1):
        yield thing
        if number % TAKEN_IN_A_ROW == 0:
            rest()


class Abandoned(Exception):
    """Ends work on a thread, at its next rest: its caller waits no longer."""


class RestingTurns:
    def __init__(self, cpu: Callable[[], float] = thread_time, sleep: Callable[[float], object] = time.sleep) -> None:
        """`cpu` tells the seconds of CPU that the thread that calls it has spent; `sleep` has it wait."""
        self._cpu = cpu
        self._sleep = sleep
        self._queue: FairQueue[int] = FairQueue()
        self._is_taken = False
        self._owed = 0.0
        """The rest that is due after the last work, in seconds."""

    async def run(
        self, holder: int, executor: Executor, work: Callable[[Rest], T], follows: float = 0.0, rests: int = RESTS
    ) -> T:
        """What the work returns, done on a thread of the executor when it is this holder's turn, with rests that are so
        many times as long. If it succeeds, so many seconds of work follow elsewhere, for which others wait too. If the
        caller is cancelled, it ends when it would rest."""
        await self._begin(holder)
        is_over = False
        try:
            timed = partial(self._with_rests, work, rests, lambda: is_over)
            done = await asyncio.get_running_loop().run_in_executor(executor, timed)
            self._owed += rests * follows
            return done
        finally:
            is_over = True
            self._end()

    async def run_here(self, holder: int, work: Callable[[], Coroutine[Any, Any, T]], rests: int = RESTS) -> T:
        """The same for a coroutine: what it does itself keeps the event loop busy."""
        await self._begin(holder)
        timed = OwnTime(work(), self._cpu)
        try:
            return await timed
        finally:
            self._owed = rests * timed.seconds
            self._end()

    async def _begin(self, holder: int) -> None:
        if self._is_taken:
            await self._queue.wait(holder, self._give)
        self._is_taken = True

    def _end(self) -> None:
        """Give the next turn, once what was done has had its rest."""
        if self._owed < MIN_REST:
            self._give()
        else:
            asyncio.get_running_loop().call_later(self._owed, self._give)

    def _give(self) -> None:
        self._is_taken = self._queue.give()

    def _with_rests(self, work: Callable[[Rest], T], rests: int, is_over: Callable[[], bool]) -> T:
        since = self._cpu()

        def rest() -> None:
            nonlocal since
            took = self._cpu() - since
            if took >= PIECE:
                if is_over():
                    raise Abandoned
                self._sleep(rests * took)
                since = self._cpu()

        try:
            return work(rest)
        finally:
            self._owed = rests * (self._cpu() - since)
