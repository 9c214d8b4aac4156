"""A queue in which holders take turns: a holder with many waiting entries has one served, and then waits behind the
others."""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Holder = TypeVar("Holder", bound=Hashable)


class FairQueue(Generic[Holder]):
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[Holder, deque[asyncio.Future[None]]] = {}
        """What waits, by holder; the holder whose turn is next comes first."""

    def __bool__(self) -> bool:
        """Whether anything waits, or did and is gone."""
        return bool(self._waiting)

    def __contains__(self, holder: Holder) -> bool:
        return holder in self._waiting

    @property
    def holders(self) -> list[Holder]:
        """The holders that wait, in the order of their turns."""
        return list(self._waiting)

    def add(self, holder: Holder) -> asyncio.Future[None]:
        """A turn of this holder, which is done once it is given."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(holder, deque()).append(turn)
        return turn

    async def wait(self, holder: Holder, pass_on: Callable[[], None]) -> None:
        """Wait for a turn of this holder. If it is given and the task is cancelled at that moment, it is passed on."""
        turn = self.add(holder)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                pass_on()
            raise

    def give(self) -> bool:
        """Give the next turn. Returns False if no task waits any more."""
        while self._waiting:
            if self.give_to(next(iter(self._waiting))):
                return True
        return False

    def give_to(self, holder: Holder) -> bool:
        """Give this holder, who waits, the next of its turns. Returns False if no task waits for them any more."""
        turns = self._waiting.pop(holder)
        while turns:
            turn = turns.popleft()
            if not turn.done():
                if turns:
                    self._waiting[holder] = turns
                turn.set_result(None)
                return True
        return False
