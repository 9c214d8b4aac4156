"""The clients of the bench behave as those of customers do."""

import asyncio
import os
from typing import ClassVar

from signalpost_bench.load import CLIENTS, Load


class _Gateway(asyncio.Protocol):
    """Closes each of the first connections as it gets a request, and answers on all others."""

    left = 0
    made: ClassVar[list["_Gateway"]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._closes = _Gateway.left > 0
        _Gateway.left -= 1
        self.made.append(self)
        self.lost = asyncio.get_running_loop().create_future()

    def connection_lost(self, _error: Exception | None) -> None:
        self.lost.set_result(None)

    def data_received(self, _data: bytes) -> None:
        if self._closes:
            self._transport.abort()
        else:
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")


def test_a_change_that_meets_the_end_of_an_idle_connection_is_sent_on_another() -> None:
    """A gateway whose connections are all taken closes the one that has had nothing to do for longest, and a machine
    that is short of cores may tell its client late. It counted as a change that was refused."""

    async def scenario() -> None:
        _Gateway.left = CLIENTS
        server = await asyncio.get_running_loop().create_server(_Gateway, "127.0.0.1", 0)
        load = Load()
        await load.open(server.sockets[0].getsockname()[1], "sp_key", {"tenants": 1}, os.getpid())
        load._documents = [(1, "a document")]
        told = await load.trickle_on(rate=200, seconds=0.05)
        server.close()
        await load.close()
        for each in _Gateway.made:
            each._transport.close()
        await asyncio.gather(*(each.lost for each in _Gateway.made))
        assert (told["refused"], len(told["sent"])) == ({}, 10)

    asyncio.run(scenario())
