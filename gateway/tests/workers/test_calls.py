"""Calls that a worker hands over, on the gateway's side: what is said of one before its turn counts, too."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest
import uvloop
from gateway.tests.listener.applications import NOTHING, read, waiting_for
from gateway.tests.patience import PATIENCE
from gateway.tests.workers.mad_worker import framed
from msgspec import msgpack
from msgspec.structs import replace

from signalpost.listener.application import Answer, App, ArrivingBody, Head
from signalpost.listener.serving import ServerSettings
from signalpost.sharing.short_rounds import STEPS_IN_A_ROUND
from signalpost.workers.frames import (
    LENGTH_BYTES,
    AnswerBegun,
    BodyPart,
    CallCancelled,
    CallFrame,
    OriginFrame,
    Ready,
    ToWorker,
    WantPart,
)
from signalpost.workers.worker_server import WorkerServer
from signalpost.workers.workers import Workers

STOPPED = Answer(503, ())
_decode = msgpack.Decoder(list[ToWorker]).decode


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


def until_cancelled(waits: Callable[[], Awaitable[Any]]) -> Callable[[Head, ArrivingBody], Generator[Any, Any, Answer]]:
    """An application that waits in this way, and answers only if it is told to stop."""

    def app(_head: Head, _body: ArrivingBody) -> Generator[Any, Any, Answer]:
        try:
            yield waits()
        except asyncio.CancelledError:
            return STOPPED
        return NOTHING

    return app


def a_call(number: int) -> CallFrame:
    return CallFrame(
        number, "GET", "/", b"/", b"", 0, -1, b"", is_whole=True, new_origin=OriginFrame((), None, "http", True, False)
    )


def told(app: App, says: bytes, count: int) -> list[ToWorker]:
    """What a worker that says this is told, up to the answers to so many calls."""

    async def scenario() -> list[ToWorker]:
        heard = asyncio.Queue[ToWorker]()
        workers = Workers(1, loop=asyncio.get_running_loop(), start=lambda: ScriptedWorker(says, heard.put_nowait))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = WorkerServer(app, [listener], workers, ServerSettings(max_connections=100, stop_seconds=PATIENCE))
            await workers.open()
            items: list[ToWorker] = []
            try:
                async with asyncio.timeout(PATIENCE):
                    while sum(isinstance(item, AnswerBegun) for item in items) < count:
                        items.append(await heard.get())
            finally:
                server.stop()
                await workers.close(0, 0)
            return items

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        return loop.run(scenario())


@pytest.mark.parametrize("waits", [lambda: asyncio.get_running_loop().create_future(), asyncio.Event().wait])
def test_a_call_that_is_cancelled_before_its_turn_is_answered_as_one_that_is_cancelled_later(
    waits: Callable[[], Awaitable[Any]],
) -> None:
    numbers = range(1, STEPS_IN_A_ROUND + 10)
    says = framed(Ready(), *map(a_call, numbers), *map(CallCancelled, numbers))
    answers = [item for item in told(until_cancelled(waits), says, len(numbers)) if isinstance(item, AnswerBegun)]
    assert {answer.number: answer.status for answer in answers} == dict.fromkeys(numbers, STOPPED.status)


def test_the_first_part_of_a_body_comes_without_being_asked_for() -> None:
    async def echo(_head: Head, body: ArrivingBody) -> Answer:
        return Answer(200, (), await read(body))

    unfinished = replace(a_call(1), method="PUT", length=4, is_whole=False)
    says = framed(Ready(), unfinished, BodyPart(1, b"body", follows=False))
    items = told(waiting_for(echo), says, 1)
    assert not any(isinstance(item, WantPart) for item in items)
    assert [item.body for item in items if isinstance(item, AnswerBegun)] == [b"body"]
