"""Turns for long work on the event loop: one slice in each round, shared fairly between tenants.

Long work yields after each slice. With many pieces of long work, a round would still take as long as all their slices,
and a short request passes through several rounds. So all long work shares one slice per round, and rests after it: it
gets a third of the loop's time at most, however many ask for it.
"""

import asyncio
from collections.abc import Callable
from time import thread_time
from typing import Final

from signalpost.sharing.fair_queue import FairQueue

RESTS: Final = 2
"""How many times as long as a slice took no one gets the next one."""
MIN_REST: Final = 0.001
"""Seconds: the timers of the loop know no shorter ones, so shorter rests add up until they are as long."""


class LoopTurns:
    def __init__(self, cpu: Callable[[], float] = thread_time) -> None:
        """`cpu` tells the seconds of CPU that the thread of the loop has spent."""
        self._cpu = cpu
        self._waiting: FairQueue[int] = FairQueue()
        self._will_give = False
        self._begun_at = 0.0
        self._owed = 0.0
        """How many seconds of rest are due."""

    async def turn(self, holder: int) -> None:
        """Wait for the next turn of this holder."""
        turn = self._waiting.add(holder)
        if not self._will_give:
            self._give_soon()
        await turn

    def _give_soon(self) -> None:
        self._will_give = True
        loop = asyncio.get_running_loop()
        if self._owed < MIN_REST:
            loop.call_soon(self._give)
        else:
            loop.call_later(self._owed, self._give)
            self._owed = 0.0

    def _give(self) -> None:
        """Give one turn. The loop runs what it is told in order, so the slice runs between its begin and its end."""
        loop = asyncio.get_running_loop()
        loop.call_soon(self._begin)
        self._waiting.give()
        loop.call_soon(self._end)

    def _begin(self) -> None:
        self._begun_at = self._cpu()

    def _end(self) -> None:
        self._owed += RESTS * (self._cpu() - self._begun_at)
        self._will_give = False
        if self._waiting:
            self._give_soon()
