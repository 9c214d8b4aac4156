"""What a server and its connections share."""

import asyncio
import time
from collections.abc import Set
from email.utils import formatdate
from typing import Protocol

from msgspec import Struct

from signalpost.listener.application import App
from signalpost.listener.connection_limits import WAIT_SECONDS, ConnectionLimits
from signalpost.sharing.short_rounds import ShortRounds

_STRICT_TRANSPORT = "strict-transport-security: max-age=31536000; includeSubDomains"
"""With TLS, this tells browsers to use nothing else with this host for a year."""


class ServerSettings(Struct, frozen=True, kw_only=True):
    max_connections: int
    always_answered: frozenset[str] = frozenset()
    """The paths that are answered even while `max_connections` requests are in progress."""
    stop_seconds: float
    """How long requests in progress may still take when the server is told to stop."""
    last_words_seconds: float = 1.0
    """How long a request that was cancelled may take to say so to its client, and the client to read it."""
    wait_seconds: float = WAIT_SECONDS


class ServedConnection(Protocol):
    """What a server needs of a connection."""

    def shutdown(self) -> None:
        """The server stops: close, after the request in progress."""

    def abort(self) -> None:
        """Close the connection at once."""


class RequestInProgress(Protocol):
    """What a server needs of a request that is not answered yet."""

    def cancel(self) -> None:
        """The server waits no longer for it."""


class Serving:
    """The application, the limits, and what is in progress."""

    def __init__(self, app: App, limits: ConnectionLimits, always_answered: Set[str], *, tls: bool = False) -> None:
        """The paths in `always_answered` are answered even while the limit of requests in progress is reached."""
        self.app = app
        self.limits = limits
        self.always_answered = always_answered
        self.rounds = ShortRounds()
        self.in_progress: set[RequestInProgress] = set()
        self.connections: set[ServedConnection] = set()
        self._one_left = asyncio.Event()
        self._always = (_STRICT_TRANSPORT,) if tls else ()
        self._second = 0
        self._headers: tuple[str, ...] = ()

    def headers(self) -> tuple[str, ...]:
        """The lines of the headers that every answer has."""
        now = int(time.time())
        if now != self._second:
            self._second, self._headers = now, (f"date: {formatdate(now, usegmt=True)}", *self._always)
        return self._headers

    def enter(self, connection: ServedConnection) -> None:
        self.connections.add(connection)

    def leave(self, connection: ServedConnection) -> None:
        self.connections.discard(connection)
        self._one_left.set()

    def end(self, request: "RequestInProgress") -> None:
        """The application is done with a request."""
        self.in_progress.discard(request)
        if not self.in_progress:
            self._one_left.set()

    async def ended(self) -> None:
        """Wait until every connection is closed and every request has ended."""
        while self.connections or self.in_progress:
            self._one_left.clear()
            await self._one_left.wait()
