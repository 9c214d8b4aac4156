"""How many clients may be connected, and for how long one may stay without asking for anything.

A connection *works* from the end of a request's head to the end of its answer, and *waits* for the rest of its life.
Who waits for too long goes: a client that sends its head slowly, or never, has no more of it than one that is idle.
When there are as many as there may be, a newcomer takes the place of whoever has waited longest. Some more may be
connected than may work, so that whoever asks for health gets through to be answered while all others are refused.

All wait equally long, so `_waiting` is in the order of the deadlines, and one timer watches its first.
"""

import asyncio
from typing import Protocol

from signalpost.runtime.logger import log

WAIT_SECONDS = 10.0
SPARE = 64
"""So many more may be connected than may work."""
SWEEP_SECONDS = 0.1
"""The least time between two looks at who is overdue."""
WARNING_SECONDS = 60.0
"""The least time between two warnings."""


class LimitedConnection(Protocol):
    """A connection, as the crowd knows it."""

    def overdue(self) -> None:
        """It has waited for too long. It ends, or begins to wait again."""

    def abort(self) -> None:
        """Another one needs its place."""


class ConnectionLimits:
    """The connections of one listener. Belongs to the running loop."""

    def __init__(self, max_working: int, wait_seconds: float = WAIT_SECONDS) -> None:
        """`max_working` may work at once."""
        self._max_working = max_working
        self._wait_seconds = wait_seconds
        self._loop = asyncio.get_running_loop()
        self._connections: set[LimitedConnection] = set()
        self._waiting: dict[LimitedConnection, float] = {}
        """With their deadlines."""
        self._timer: asyncio.TimerHandle | None = None
        self._warned = float("-inf")

    def enter(self, newcomer: LimitedConnection) -> bool:
        """Whether there is a place for it. If so, it waits from now on."""
        if len(self._connections) >= self._max_working + SPARE:
            self._warn()
            longest = next(iter(self._waiting), None)
            if longest is None:
                return False
            self.leave(longest)
            longest.abort()
        self._connections.add(newcomer)
        self.wait(newcomer)
        return True

    def wait(self, connection: LimitedConnection) -> None:
        """No request is on it."""
        self._waiting.pop(connection, None)
        self._waiting[connection] = self._loop.time() + self._wait_seconds
        if self._timer is None:
            self._timer = self._loop.call_later(self._wait_seconds, self._sweep)

    def work(self, connection: LimitedConnection) -> bool:
        """A request is on it. Whether there are no more of them than there may be."""
        self._waiting.pop(connection, None)
        if len(self._connections) - len(self._waiting) <= self._max_working:
            return True
        self._warn()
        return False

    def leave(self, connection: LimitedConnection) -> None:
        self._waiting.pop(connection, None)
        self._connections.discard(connection)

    def _sweep(self) -> None:
        """Tell who is overdue, and look again when the next will be."""
        self._timer = None
        now = self._loop.time()
        overdue = []
        for connection, deadline in self._waiting.items():
            if deadline > now:
                self._timer = self._loop.call_later(max(deadline - now, SWEEP_SECONDS), self._sweep)
                break
            overdue.append(connection)
        for connection in overdue:
            del self._waiting[connection]
            connection.overdue()

    def _warn(self) -> None:
        now = self._loop.time()
        if now - self._warned >= WARNING_SECONDS:
            self._warned = now
            log.warning("clients are refused: there are too many connections", max_connections=self._max_working)
