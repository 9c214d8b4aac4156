"""A worker on the loop of the test, which can give it names and a clock."""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence

import pytest
from gateway.tests.patience import PATIENCE

from signalpost.listener.application import App
from signalpost.listener.certificate import Certificate
from signalpost.listener.serving import ServerSettings
from signalpost.sender.sender import Sender, SenderSettings
from signalpost.workers.worker import Worker
from signalpost.workers.worker_server import WorkerServer
from signalpost.workers.workers import Workers

ALONE = "alone"
LISTENING = (ALONE, "with a worker")
"""Who speaks HTTP with the clients of a gateway."""


@pytest.fixture(scope="module", params=LISTENING)
def either_way(request: pytest.FixtureRequest) -> str:
    """Has the tests of a module be made with both, if that says `listening = either_way`."""
    return str(request.param)


def sends_nothing(_settings: SenderSettings) -> Sender:
    raise AssertionError("this worker has nothing to send")


class WorkerOnLoop:
    """What `Workers` starts in place of a process."""

    pid = 0

    def __init__(
        self,
        make_sender: Callable[[SenderSettings], Sender] = sends_nothing,
        listeners: Sequence[socket.socket] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """The worker closes the listeners in the end."""
        loop = asyncio.get_running_loop()
        self.socket, theirs = socket.socketpair()
        self._make_sender = make_sender
        self._sender: Sender | None = None
        self._closing: asyncio.Task[None] | None = None
        self._listeners = listeners
        self._worker = Worker(loop, self._made, self._listeners, now)
        self._connecting = loop.create_task(loop.create_connection(lambda: self._worker.channel, sock=theirs))

    def _made(self, settings: SenderSettings) -> Sender:
        self._sender = self._make_sender(settings)
        return self._sender

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return 0 if self._worker.listening is None else self._worker.listening.connections

    def kill(self) -> None:
        """End it at once, with all its connections, and tell no one how its attempts and calls ended."""
        self._worker.channel.abort()
        self._worker.stop_listening()
        if self._sender is not None and self._closing is None:
            self._closing = asyncio.ensure_future(self._sender.close(0))

    async def wait(self) -> int:
        await self._connecting
        await self._worker.ended.wait()
        self._worker.stop_listening()
        if self._closing is not None:
            await self._closing
        for each in self._listeners:
            each.close()
        return 0


class ServerWithWorker:
    """Serves as `listener.server.Server` does, but has a worker listen."""

    def __init__(
        self,
        app: App,
        listener: socket.socket,
        settings: ServerSettings,
        certificate: Certificate | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now` is the certificate's."""
        self.listener = listener
        self.started: list[WorkerOnLoop] = []
        self._now = now
        self._workers = Workers(1, loop=asyncio.get_running_loop(), start=self._start)
        self._server = WorkerServer(app, [listener.dup()], self._workers, settings, certificate)

    def _start(self) -> WorkerOnLoop:
        self.started.append(WorkerOnLoop(listeners=[self.listener], now=self._now))
        return self.started[-1]

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return self.started[-1].connections if self.started else 0

    def stop(self) -> None:
        self._server.stop()

    async def serve(self) -> None:
        try:
            await self._workers.open()
            await self._server.serve()
        finally:
            await self._workers.close(0, PATIENCE)
