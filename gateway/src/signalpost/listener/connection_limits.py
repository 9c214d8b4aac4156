"""Limits the number of client connections, and how long one may stay without a request.

A connection *works* from the end of a request's head to the end of its answer, and *waits* for the rest of its life. A
connection that waits too long is closed; sending a request's head slowly does not extend the limit. When the number of
connections is reached, a new one replaces the one that has waited longest. More connections may be open than may work,
so that health checks are answered while all other requests are refused.

The time limit is the same for all, so `_waiting` is in the order of deadlines, and one timer watches its first entry.
"""

import asyncio
from typing import Protocol

from signalpost.runtime.logger import log

WAIT_SECONDS = 10.0
SPARE = 64
"""How many connections may be open beyond those that may work."""
SWEEP_SECONDS = 0.1
"""Minimum seconds between two checks for overdue connections."""
WARNING_SECONDS = 60.0
"""Minimum seconds between two warnings."""


class LimitedConnection(Protocol):
    """What `ConnectionLimits` needs of a connection."""

    def overdue(self) -> None:
        """The connection has waited too long. It closes, or begins to wait again."""

    def abort(self) -> None:
        """Close the connection, because a new one needs its place."""


class ConnectionLimits:
    """The connections of one listener. Use it on the event loop that created it."""

    def __init__(self, max_working: int, wait_seconds: float = WAIT_SECONDS) -> None:
        """`max_working` is the maximum number of connections that work at the same time."""
        self._max_working = max_working
        self._wait_seconds = wait_seconds
        self._loop = asyncio.get_running_loop()
        self._connections: set[LimitedConnection] = set()
        self._waiting: dict[LimitedConnection, float] = {}
        """Waiting connections and their deadlines, earliest first."""
        self._timer: asyncio.TimerHandle | None = None
        self._warned = float("-inf")

    def enter(self, newcomer: LimitedConnection) -> bool:
        """Add a new connection, which waits from now on. Returns False if there is no place for it."""
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
        """The connection has no request any more, and waits."""
        self._waiting.pop(connection, None)
        self._waiting[connection] = self._loop.time() + self._wait_seconds
        if self._timer is None:
            self._timer = self._loop.call_later(self._wait_seconds, self._sweep)

    def work(self, connection: LimitedConnection) -> bool:
        """The connection has a request. Returns False if more connections work than may."""
        self._waiting.pop(connection, None)
        if len(self._connections) - len(self._waiting) <= self._max_working:
            return True
        self._warn()
        return False

    def leave(self, connection: LimitedConnection) -> None:
        self._waiting.pop(connection, None)
        self._connections.discard(connection)

    def _sweep(self) -> None:
        """Notify overdue connections, and schedule the next check."""
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
