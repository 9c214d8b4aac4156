"""Calls that a worker hands over, on the gateway's side: what is said of one before its turn counts, too."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest
import uvloop
from gateway.tests.listener.applications import NOTHING
from gateway.tests.patience import PATIENCE
from msgspec import msgpack

from signalpost.listener.application import Answer, Body, Head
from signalpost.sharing.short_rounds import STEPS_IN_A_ROUND
from signalpost.workers.frames import (
    LENGTH_BYTES,
    AnswerBegun,
    Call,
    CallCancelled,
    Origin,
    Ready,
    ToGateway,
    ToWorker,
)
from signalpost.workers.worker_server import WorkerServer
from signalpost.workers.workers import Workers

STOPPED = Answer(503, ())
_decode = msgpack.Decoder(list[ToWorker]).decode


def framed(*items: ToGateway) -> bytes:
    encoded = msgpack.encode(items)
    return len(encoded).to_bytes(LENGTH_BYTES, "big") + encoded


class ScriptedWorker:
    """A worker that says what the test says once it is told something, and tells the test all that it is told."""

    pid = 0

    def __init__(self, says: bytes, told: Callable[[ToWorker], None]) -> None:
        self.socket, self._theirs = socket.socketpair()
        self._says = says
        self._told = told
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        reader, writer = await asyncio.open_connection(sock=self._theirs)
        try:
            while length := await reader.read(LENGTH_BYTES):
                for item in _decode(await reader.readexactly(int.from_bytes(length, "big"))):
                    self._told(item)
                writer.write(self._says)
                self._says = b""
        finally:
            writer.close()

    def kill(self) -> None:
        self._reading.cancel()

    async def wait(self) -> int:
        return 0


def until_cancelled(waits: Callable[[], Awaitable[Any]]) -> Callable[[Head, Body], Generator[Any, Any, Answer]]:
    """An application that waits in this way, and answers only if it is told to stop."""

    def app(_head: Head, _body: Body) -> Generator[Any, Any, Answer]:
        try:
            yield waits()
        except asyncio.CancelledError:
            return STOPPED
        return NOTHING

    return app


def a_call(number: int) -> Call:
    return Call(
        number, "GET", "/", b"/", b"", 0, -1, b"", is_whole=True, new_origin=Origin((), None, "http", True, False)
    )


@pytest.mark.parametrize("waits_in", ["a future", "a task"])
def test_a_call_that_is_cancelled_before_its_turn_is_answered_as_one_that_is_cancelled_later(waits_in: str) -> None:
    numbers = range(1, STEPS_IN_A_ROUND + 10)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        told = asyncio.Queue[ToWorker]()
        says = framed(Ready(), *map(a_call, numbers), *map(CallCancelled, numbers))
        workers = Workers(1, loop=loop, start=lambda: ScriptedWorker(says, told.put_nowait))
        app = until_cancelled(loop.create_future if waits_in == "a future" else asyncio.Event().wait)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = WorkerServer(app, [listener], workers, max_connections=100, stop_seconds=PATIENCE)
            await workers.open()
            left = set(numbers)
            try:
                async with asyncio.timeout(PATIENCE):
                    while left:
                        item = await told.get()
                        if isinstance(item, AnswerBegun):
                            assert item.status == STOPPED.status
                            left.discard(item.number)
            finally:
                server.stop()
                await workers.close(0, 0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(scenario())
