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
        self._begun_at = self._cpu_begun_at = 0.0
        """When the last slice began, by the loop's clock and by that of its thread."""
        self._rests_until = 0.0
        """When the rests of all slices so far are over, by the loop's clock: a loop with nothing to do rests, too."""

    async def turn(self, holder: int) -> None:
        """Wait for the next turn of this holder."""
        turn = self._waiting.add(holder)
        if not self._will_give:
            self._give_soon()
        await turn

    def _give_soon(self) -> None:
        self._will_give = True
        loop = asyncio.get_running_loop()
        rest = self._rests_until - loop.time()
        if rest < MIN_REST:
            loop.call_soon(self._give)
        else:
            loop.call_later(rest, self._give)

    def _give(self) -> None:
        """Give one turn. The loop runs what it is told in order, so the slice runs between its begin and its end."""
        loop = asyncio.get_running_loop()
        loop.call_soon(self._begin)
        self._waiting.give()
        loop.call_soon(self._end)

    def _begin(self) -> None:
        self._begun_at, self._cpu_begun_at = asyncio.get_running_loop().time(), self._cpu()

    def _end(self) -> None:
        # From its begin on: within a round, uvloop's clock stands still.
        took = self._cpu() - self._cpu_begun_at
        self._rests_until = max(self._rests_until, self._begun_at) + (1 + RESTS) * took
        self._will_give = False
        if self._waiting:
            self._give_soon()
