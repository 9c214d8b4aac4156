"""The states of connections and requests: whatever happens, in whatever order, is in their tables."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from gateway.tests.api.test_front_streams import Wire
from gateway.tests.listener.applications import is_there, read
from hypothesis import given
from hypothesis import strategies as st

from signalpost.listener.application import Answer, App, ArrivingBody, BrokenBody, Head, Steps
from signalpost.listener.connection_limits import ConnectionLimits
from signalpost.listener.http_connection import ClientConnection
from signalpost.listener.serving import Serving
from signalpost.sharing.short_rounds import STEPS_IN_A_ROUND

PIECES = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 3,
        b"HEAD / HTTP/1.0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        b"ab",
        b"2\r\nab\r\n",
        b"0\r\n\r\n",
        b"G",
        b"\x00",
    ]
)
WHAT_ELSE = st.sampled_from(["end", "stop", "pause", "resume", "overdue", "crowd", "round"])
EVENTS = st.lists(PIECES | WHAT_ELSE, max_size=30)
ANSWERERS = st.sampled_from(["at once", "after the body", "while the client is there", "never"])


def answering(how: str) -> App:
    async def parts(body: ArrivingBody) -> AsyncGenerator[bytes, None]:
        while await is_there(body):
            yield b"x"
        yield b"x"

    def app(_head: Head, body: ArrivingBody) -> Steps:
        if how == "never":
            raise RuntimeError(how)
        if how != "at once":
            with contextlib.suppress(BrokenBody):
                yield read(body)
        return Answer(200, (), parts(body) if how == "while the client is there" else b"x")

    return app


class Walk:
    """A connection to which anything happens that a network allows."""

    def __init__(self, app: App) -> None:
        self.serving, self.wire = Serving(app, ConnectionLimits(1), frozenset()), Wire()
        self.connection = ClientConnection(self.serving)
        self.connection.connection_made(self.wire)
        self.has_ended = self.is_stopping = self.is_slow = False

    def happen(self, event: str | bytes) -> None:
        is_heard = self.wire.reading and not (self.has_ended or self.wire.closing)
        match event:
            case bytes() if is_heard:
                self.connection.data_received(event)
            case "end" if is_heard:
                self.has_ended = True
                if not self.connection.eof_received():
                    self.wire.close()
            case "stop" if not self.is_stopping:
                self.is_stopping = True
                self.connection.shutdown()
            case "pause" if not self.is_slow:
                self.is_slow = True
                self.connection.pause_writing()
            case "resume" if self.is_slow:
                self.is_slow = False
                self.connection.resume_writing()
            case "overdue":
                self.connection.overdue()
            case "crowd":
                for _ in range(STEPS_IN_A_ROUND):
                    self.serving.rounds.run(lambda: None)
            case _:
                pass


@given(EVENTS, ANSWERERS)
def test_whatever_happens_in_whatever_order_no_request_is_left_once_the_client_is_gone(
    events: list[str | bytes], how: str
) -> None:
    async def scenario() -> None:
        faults = []
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        walk = Walk(answering(how))
        for event in events:
            walk.happen(event)
            if event == "round":
                await asyncio.sleep(0)
        walk.connection.connection_lost(None)
        while walk.serving.in_progress:
            await asyncio.sleep(0)
        assert not faults

    asyncio.run(scenario())
