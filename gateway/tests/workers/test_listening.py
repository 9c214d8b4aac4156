"""A worker's listener: what cannot be done yet is done later."""

import asyncio
import errno
import socket
from typing import Self

import uvloop
from gateway.tests.captured_log import captured_log
from gateway.tests.patience import PATIENCE

from signalpost.listener.serving import ServerSettings
from signalpost.workers.frames import BeginListening, ListenFor
from signalpost.workers.listening import Listening


class ShortOfFiles(socket.socket):
    """A socket of a process that has too many open files for some time."""

    refusals = 0

    def dup(self) -> Self:
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().dup()


def test_a_worker_with_too_many_open_files_listens_in_place_of_another_as_soon_as_it_can() -> None:
    async def scenario() -> None:
        own = socket.create_server(("127.0.0.1", 0))
        others = ShortOfFiles(fileno=socket.create_server(("127.0.0.1", 0)).detach())
        others.refusals = 1
        begin = BeginListening(0, ServerSettings(max_connections=100, stop_seconds=PATIENCE), None)
        listening = Listening(begin, [own, others], lambda _: None, lambda: 0.0)
        try:
            listening.take(ListenFor(1))
            _, writer = await asyncio.open_connection(*others.getsockname())
            async with asyncio.timeout(PATIENCE):
                while not listening.connections:
                    await asyncio.sleep(0.01)
            writer.close()
        finally:
            listening.close()
            own.close()
            others.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop, captured_log():
        loop.run(scenario())
