"""Turns at the event loop for what takes it long: one slice in each round, in turns between those who want them.

Whoever does something long yields after each slice. With many of them a round would still take as long as all of their
slices, and what is short passes through several rounds. So all that is long shares one slice a round.
"""

import asyncio
from collections import deque


class LoopTurns:
    def __init__(self) -> None:
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}
        """The turns that are waited for, of each holder; the holder whose turn is next comes first."""
        self._will_give = False

    async def turn(self, holder: int) -> None:
        """Wait for the next turn of this holder."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(holder, deque()).append(turn)
        self._give_soon()
        await turn

    def _give_soon(self) -> None:
        if self._waiting and not self._will_give:
            self._will_give = True
            asyncio.get_running_loop().call_soon(self._give)

    def _give(self) -> None:
        self._will_give = False
        given = False
        while self._waiting and not given:
            given = self._give_one()
        self._give_soon()

    def _give_one(self) -> bool:
        """Give the next holder a turn; then it waits for its next behind the others. Returns False if whoever waited
        for this one is gone."""
        holder = next(iter(self._waiting))
        turns = self._waiting.pop(holder)
        turn = turns.popleft()
        if turns:
            self._waiting[holder] = turns
        if turn.done():
            return False
        turn.set_result(None)
        return True
