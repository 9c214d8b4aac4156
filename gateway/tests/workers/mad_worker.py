"""A worker of which a fault in it has made something else."""

import asyncio
import socket

from msgspec import msgpack

from signalpost.workers.frames import LENGTH_BYTES, Ready, ToGateway, ToWorker


def framed(*items: ToGateway | ToWorker) -> bytes:
    encoded = msgpack.encode(items)
    return len(encoded).to_bytes(LENGTH_BYTES, "big") + encoded


class MadWorker:
    """A worker that is ready, and says what the test says."""

    pid = 0

    def __init__(self, says: bytes = b"") -> None:
        self.socket, self._theirs = socket.socketpair()
        self._says = says
        asyncio.get_running_loop().add_reader(self._theirs.fileno(), self._begin)

    def _begin(self) -> None:
        asyncio.get_running_loop().remove_reader(self._theirs.fileno())
        self.say(framed(Ready()) + self._says)

    def say(self, what: bytes) -> None:
        self._theirs.sendall(what)

    def kill(self) -> None:
        self._theirs.close()

    async def wait(self) -> int:
        return 0
