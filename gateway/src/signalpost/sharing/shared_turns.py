"""Fair turns at work that only a few may do at a time, such as looking up names. Tenants share these turns as attempts
share slots.

The system's resolver may take ten seconds for a name whose server does not answer, and nothing can stop it. If the
first to come were served first, a tenant with a hundred of these would make everybody else wait.
"""

import asyncio
from collections import deque

from signalpost.sharing.slots import Slots


class SharedTurns:
    def __init__(self, at_once: int) -> None:
        self._running = Slots(at_once)
        self._of: dict[int, Slots] = {}
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}
        """The turns that each holder waits for; the holder whose turn is next comes first."""

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
        """One of this holder's turns has ended."""
        self._of[holder].take(-1)
        for each in list(self._waiting):
            self._give(each)
        if self._of[holder].held == 0 and holder not in self._waiting:
            del self._of[holder]

    def _give(self, holder: int) -> None:
        """Give this holder a turn if it may have one; then it waits for its next behind the others."""
        waiting, mine = self._waiting[holder], self._of[holder]
        while waiting and mine.room > 0:
            turn = waiting.popleft()
            if turn.done():
                continue  # the one that waited for it is gone
            mine.take()
            turn.set_result(None)
            del self._waiting[holder]
            if waiting:
                self._waiting[holder] = waiting
            return
        if not waiting:
            del self._waiting[holder]
