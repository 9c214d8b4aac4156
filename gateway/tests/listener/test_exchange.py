"""What one request leaves behind."""

import asyncio
import gc
import weakref

from signalpost.listener.exchange import Exchange
from signalpost.runtime.asgi import ARRIVED, Receive, Scope, Send


class Writer:
    """A connection that takes everything."""

    def __init__(self) -> None:
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def read_on(self) -> None:
        pass

    def is_persistent(self) -> bool:
        return True

    def answered(self) -> None:
        pass

    def abort(self) -> None:
        pass


async def app(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def test_a_request_that_was_answered_leaves_nothing_to_the_garbage_collector() -> None:
    """The scope says whether the body has arrived, so it leads to the exchange: that must not lead back. The collector
    took 5 % of the time of a request for such circles."""

    async def scenario() -> "weakref.ref[Exchange]":
        scope: Scope = {"method": "PATCH", "http_version": "1.1"}
        writer = Writer()
        exchange = Exchange(writer, scope, ())
        scope[ARRIVED] = lambda: exchange.whole
        exchange.end_body()
        await exchange.run(app, scope)
        assert writer.written.endswith(b"\r\n\r\nok")
        return weakref.ref(exchange)

    gc.disable()
    try:
        assert asyncio.run(scenario())() is None
    finally:
        gc.enable()
