"""A queue in which holders take turns: a holder with many waiting entries has one served, and then waits behind the
others."""

import asyncio
from collections import deque


class FairQueue:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}
        """What waits, by holder; the holder whose turn is next comes first."""

    def __bool__(self) -> bool:
        """Whether anything waits, or did and is gone."""
        return bool(self._waiting)

    def add(self, holder: int) -> asyncio.Future[None]:
        """A turn of this holder, which is done once it is given."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(holder, deque()).append(turn)
        return turn

    def give(self) -> bool:
        """Give the next turn. Returns False where nobody waits any more."""
        while self._waiting:
            holder = next(iter(self._waiting))
            turns = self._waiting.pop(holder)
            turn = turns.popleft()
            if turns:
                self._waiting[holder] = turns
            if not turn.done():
                turn.set_result(None)
                return True
        return False
