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
from collections.abc import Callable
from contextlib import suppress

from signalpost.listener.application import App
from signalpost.listener.certificate import Certificate
from signalpost.listener.connection_limits import ConnectionLimits
from signalpost.listener.http_connection import ClientConnection
from signalpost.listener.serving import ServerSettings, Serving
from signalpost.listener.tls_connection import TlsConnection
from signalpost.runtime.logger import log

BACKLOG = 2048
"""How many connections the system may hold that were not accepted yet."""
ACCEPTED_AT_ONCE = 16
"""How often the listening socket is handed to uvloop. It accepts one connection per socket in each round of the event
loop, and rounds are long under load."""


class Server:
    def __init__(
        self, app: App, listener: socket.socket, settings: ServerSettings, certificate: Certificate | None = None
    ) -> None:
        """`listener` is closed when the server stops. With a certificate it speaks TLS, and tells browsers to insist on
        that."""
        self.listener = listener
        limits = ConnectionLimits(settings.max_connections, settings.wait_seconds)
        self.serving = Serving(app, limits, settings.always_answered, tls=certificate is not None)
        self._settings = settings
        self._stopping = asyncio.Event()
        self._accepting: dict[socket.socket, list[asyncio.Server]] = {}
        """The sockets on which connections are taken."""
        self._make_connection: Callable[[], asyncio.Protocol] = (
            (lambda: ClientConnection(self.serving))
            if certificate is None
            else (lambda: TlsConnection(certificate, self.serving))
        )

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self.serving.connections)

    def answer_with(self, app: App) -> None:
        """Have another application answer the requests that come from now on."""
        self.serving.app = app

    def stop(self) -> None:
        """Let `serve` end. Call it on the event loop."""
        self._stopping.set()

    async def serve(self) -> None:
        """Answer requests until `stop` is called and those in progress have ended."""
        await self.listen_also(self.listener)
        await self._stopping.wait()
        await self._stop_accepting()
        serving = self.serving
        for connection in tuple(serving.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self._settings.stop_seconds):
                await serving.ended()
        except TimeoutError:
            log.warning("stopping: requests in progress are cut off", requests=len(serving.in_progress))
            await self._cut_off()

    async def listen_also(self, listener: socket.socket) -> None:
        """Take connections on a socket. Raises OSError if there are too many open files for that."""
        loop = asyncio.get_running_loop()
        accepting = self._accepting.setdefault(listener, [])
        try:
            for _ in range(ACCEPTED_AT_ONCE):
                each = await loop.create_server(self._make_connection, sock=listener.dup(), backlog=BACKLOG)
                accepting.append(each)
                if self._accepting.get(listener) is not accepting:  # meanwhile no more is to be taken
                    each.close()
        except OSError as error:
            if not accepting:
                self.listen_no_more(listener)
                raise
            log.warning("fewer connections are accepted at once", sockets=len(accepting), error=str(error))

    def listen_no_more(self, listener: socket.socket) -> None:
        """Take no more connections on a socket. Those that were taken stay, and the socket itself stays open."""
        for each in self._accepting.pop(listener, ()):
            each.close()

    async def _stop_accepting(self) -> None:
        loop = asyncio.get_running_loop()
        for listener in tuple(self._accepting):
            waiting = self._accept_waiting(listener)
            with suppress(OSError):  # only some systems do this for what listens
                listener.shutdown(socket.SHUT_RDWR)  # also in other processes that have it
            listener.close()
            self.listen_no_more(listener)
            for client in waiting:
                await loop.connect_accepted_socket(self._make_connection, client)

    def _accept_waiting(self, listener: socket.socket) -> list[socket.socket]:
        """The connections that the system has accepted and the event loop has not: closing the listener would reset
        them, with what their clients have sent."""
        listener.settimeout(0)
        found: list[socket.socket] = []
        with suppress(OSError):  # no client waits any more, or there are too many open files
            while len(found) < BACKLOG:
                client, _ = listener.accept()
                client.settimeout(0)
                found.append(client)
        return found

    async def _cut_off(self) -> None:
        for request in tuple(self.serving.in_progress):
            request.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.last_words_seconds):
                await self.serving.ended()
        self._abort_connections()

    def abort(self) -> None:
        """Take no more connections, and end all that there are, at once."""
        for listener in tuple(self._accepting):
            self.listen_no_more(listener)
        self._abort_connections()

    def _abort_connections(self) -> None:
        for connection in tuple(self.serving.connections):
            connection.abort()
