"""Which look-ups of names may run: so many at a time, shared by those who want them as attempts share slots.

The system's resolver may take ten seconds for a name whose server is silent, and nothing can make it stop. First come,
first served, one tenant with a hundred such names would leave everybody else without look-ups.
"""

import asyncio
from collections import deque

from signalpost.domain.delivery.slots import Slots


class LookupTurns:
    def __init__(self, at_once: int) -> None:
        self._running = Slots(at_once)
        self._of: dict[int, Slots] = {}
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}
        """The turns that are waited for, of each holder; the holder whose turn is next comes first."""

    async def begin(self, holder: int) -> None:
        """Wait until this holder may run one more."""
        mine = self._of.get(holder)
        if mine is None:
            mine = self._of[holder] = Slots(self._running.most, self._running)
        if holder not in self._waiting and mine.room > 0:
            mine.take()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(holder, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.end(holder)
            raise

    def end(self, holder: int) -> None:
        """One of this holder's has ended."""
        self._of[holder].take(-1)
        for each in list(self._waiting):
            self._give(each)
        if self._of[holder].held == 0 and holder not in self._waiting:
            del self._of[holder]

    def _give(self, holder: int) -> None:
        waiting, mine = self._waiting.pop(holder), self._of[holder]
        while waiting and mine.room > 0:
            turn = waiting.popleft()
            if not turn.done():
                mine.take()
                turn.set_result(None)
                break
        if waiting:
            self._waiting[holder] = waiting  # behind the others
