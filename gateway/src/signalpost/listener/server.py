"""The server of `signalpost serve`: takes connections on a socket, and ends them when it is told to stop.

serving    connections are taken, and their requests answered
stopping   no connection is taken any more, but for those that the system had accepted before. Idle ones are closed:
           new ones after the moment in which their first request may still arrive, as a balancer may have sent it.
           The others are closed after the request in progress, for which they have `stop_seconds`; then they are
           cancelled, which the application may still answer, and what is left `last_words_seconds` after that,
           because it does not end or because its client does not read, is cut off
"""

import asyncio
import socket
from collections.abc import Callable, Set
from contextlib import suppress

from signalpost.listener.application import App
from signalpost.listener.certificate import Certificate
from signalpost.listener.connection_limits import WAIT_SECONDS, ConnectionLimits
from signalpost.listener.http_connection import ClientConnection
from signalpost.listener.serving import Serving
from signalpost.listener.tls_connection import TlsConnection
from signalpost.runtime.logger import log

BACKLOG = 2048
"""How many connections the system may hold that were not accepted yet."""
ACCEPTED_AT_ONCE = 16
"""How often the listening socket is handed to uvloop. It accepts one connection per socket in each round of the event
loop, and rounds are long under load."""

LAST_WORDS_SECONDS = 1.0
"""How long a request that was cancelled may take to say so to its client, and the client to read it."""


class Server:
    def __init__(
        self,
        app: App,
        listener: socket.socket,
        *,
        max_connections: int,
        always_answered: Set[str] = frozenset(),
        stop_seconds: float,
        last_words_seconds: float = LAST_WORDS_SECONDS,
        wait_seconds: float = WAIT_SECONDS,
        certificate: Certificate | None = None,
    ) -> None:
        """`listener` is closed when the server stops. The paths in `always_answered` are answered even while
        `max_connections` requests are in progress. With a certificate it speaks TLS, and tells browsers to insist on
        that."""
        self.listener = listener
        limits = ConnectionLimits(max_connections, wait_seconds)
        self.serving = Serving(app, limits, always_answered, tls=certificate is not None)
        self._stop_seconds = stop_seconds
        self._last_words_seconds = last_words_seconds
        self._stopping = asyncio.Event()
        self._make_connection: Callable[[], asyncio.Protocol] = (
            (lambda: ClientConnection(self.serving))
            if certificate is None
            else (lambda: TlsConnection(certificate, self.serving))
        )

    def answer_with(self, app: App) -> None:
        """Have another application answer the requests that come from now on."""
        self.serving.app = app

    def stop(self) -> None:
        """Let `serve` end. Call it on the event loop."""
        self._stopping.set()

    async def serve(self) -> None:
        """Answer requests until `stop` is called and those in progress have ended."""
        loop = asyncio.get_running_loop()
        accepting = [
            await loop.create_server(self._make_connection, sock=self.listener.dup(), backlog=BACKLOG)
            for _ in range(ACCEPTED_AT_ONCE)
        ]
        await self._stopping.wait()
        waiting = self._accept_waiting()
        self.listener.close()
        for each in accepting:
            each.close()
        for client in waiting:
            await loop.connect_accepted_socket(self._make_connection, client)
        serving = self.serving
        for connection in tuple(serving.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self._stop_seconds):
                await serving.ended()
        except TimeoutError:
            log.warning("stopping: requests in progress are cut off", requests=len(serving.in_progress))
            await self._cut_off()

    def _accept_waiting(self) -> list[socket.socket]:
        """The connections that the system has accepted and the event loop has not: closing the listener would reset
        them, with what their clients have sent."""
        self.listener.settimeout(0)
        found: list[socket.socket] = []
        with suppress(OSError):  # no client waits any more, or there are too many open files
            while len(found) < BACKLOG:
                client, _ = self.listener.accept()
                client.settimeout(0)
                found.append(client)
        return found

    async def _cut_off(self) -> None:
        for request in tuple(self.serving.in_progress):
            request.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._last_words_seconds):
                await self.serving.ended()
        for connection in tuple(self.serving.connections):
            connection.abort()
