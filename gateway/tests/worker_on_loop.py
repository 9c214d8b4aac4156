"""A sender worker on the loop of the test, which can give it names and a clock."""

import asyncio
import socket
from collections.abc import Callable

from signalpost.sender.sender import Sender, SenderSettings
from signalpost.workers.worker import Worker


class WorkerOnLoop:
    """What `Workers` starts in place of a process."""

    pid = 0

    def __init__(self, make_sender: Callable[[SenderSettings], Sender]) -> None:
        loop = asyncio.get_running_loop()
        self.socket, theirs = socket.socketpair()
        self._make_sender = make_sender
        self._sender: Sender | None = None
        self._closing: asyncio.Task[None] | None = None
        self._worker = Worker(loop, self._made)
        self._connecting = loop.create_task(loop.create_connection(lambda: self._worker.channel, sock=theirs))

    def _made(self, settings: SenderSettings) -> Sender:
        self._sender = self._make_sender(settings)
        return self._sender

    def kill(self) -> None:
        """End it at once, with all its connections, and tell no one how its attempts ended."""
        self._worker.channel.abort()
        if self._sender is not None and self._closing is None:
            self._closing = asyncio.ensure_future(self._sender.close(0))

    async def wait(self) -> int:
        await self._connecting
        await self._worker.ended.wait()
        if self._closing is not None:
            await self._closing
        return 0
