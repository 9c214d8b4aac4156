"""What waits between a gateway and a worker goes in frames of bounded size, whatever a client sends."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import uvloop
from gateway.tests.captured_log import captured_log
from gateway.tests.patience import PATIENCE
from msgspec import msgpack

from signalpost.listener.request_head import MAX_HEAD_BYTES
from signalpost.runtime.logger import LogLine
from signalpost.workers.channel import MAX_FRAME_BYTES, Channel
from signalpost.workers.frames import CallFrame, ClientGone, LineFrame, OriginFrame, ToGateway, ToWorker
from signalpost.workers.worker import ToGatewaysLog

_decode = msgpack.Decoder(list[ToGateway]).decode
HEAD_BYTES = MAX_HEAD_BYTES - 100


def call(number: int, raw_path: bytes, name: bytes) -> CallFrame:
    origin = OriginFrame(((b"host", b"localhost"), (name, b"x")), "127.0.0.1", "http", True, False)
    path = raw_path.decode("latin-1")
    return CallFrame(number, "GET", path, raw_path, b"", 0, -1, b"", is_whole=True, new_origin=origin)


async def handed_over(calls: list[CallFrame]) -> int:
    """How many of these calls, put in one turn of a worker's loop, a gateway takes before its socket is closed."""
    loop = asyncio.get_running_loop()
    taken: list[ToGateway] = []
    over = asyncio.Event()

    def take(item: ToGateway) -> None:
        taken.append(item)
        if len(taken) == len(calls):
            over.set()

    ours, theirs = socket.socketpair()
    gateway = Channel[ToWorker](loop, decode=_decode, take=take, lost=over.set)
    worker = Channel[ToGateway](loop, decode=_decode, take=taken.append, lost=over.set)
    await loop.create_connection(lambda: gateway, sock=ours)
    await loop.create_connection(lambda: worker, sock=theirs)
    for each in calls:
        worker.put(each)
    await asyncio.wait_for(over.wait(), PATIENCE)
    worker.abort()
    gateway.abort()
    return len(taken)


def test_however_many_clients_send_long_heads_at_once_no_frame_is_too_long() -> None:
    long_path = b"/" + b"\xff" * HEAD_BYTES  # of which the gateway is also told what it means
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        for make in (
            partial(call, raw_path=long_path, name=b"a"),
            partial(call, raw_path=b"/", name=b"a" * HEAD_BYTES),
        ):
            calls = [make(number) for number in range(MAX_FRAME_BYTES // HEAD_BYTES + 2)]
            taken = loop.run(handed_over(calls))
            assert taken == len(calls)


@asynccontextmanager
async def joined(take: Callable[[ToGateway], None], lost: Callable[[], None]) -> AsyncIterator[Channel[ToGateway]]:
    """A worker's channel to a gateway, with what takes what it says, and what is called once both ends are lost."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    gateway = Channel[ToWorker](loop, decode=_decode, take=take, lost=lost)
    worker = Channel[ToGateway](loop, decode=_decode, take=take, lost=lost)
    await loop.create_connection(lambda: gateway, sock=ours)
    await loop.create_connection(lambda: worker, sock=theirs)
    try:
        yield worker
    finally:
        worker.abort()
        gateway.abort()


def test_no_one_waits_for_what_cannot_be_said() -> None:
    async def scenario() -> None:
        lost = asyncio.Queue[None]()
        async with joined(lambda _: None, partial(lost.put_nowait, None)) as worker:
            worker.put(ClientGone(1))
            worker.put(LineFrame(logging.INFO, "half of a pair: \ud800", {}))
            for _ in ("the worker", "the gateway"):
                await asyncio.wait_for(lost.get(), PATIENCE)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop, captured_log():
        loop.run(scenario())


def test_a_line_of_the_log_can_be_said_whatever_is_in_it() -> None:
    async def scenario() -> None:
        told = asyncio.Queue[ToGateway]()
        async with joined(told.put_nowait, partial(told.put_nowait, ClientGone(0))) as worker:
            handler = ToGatewaysLog(asyncio.get_running_loop(), worker)
            record = logging.LogRecord("signalpost", logging.INFO, "", 0, "", (), None)
            record.msg = LogLine(
                "of \ud800", {"file": "caf\udce9", "number": 2**70, "small": -7, "error": ValueError("x")}
            )
            handler.emit(record)
            line = await asyncio.wait_for(told.get(), PATIENCE)
            assert line == LineFrame(
                logging.INFO,
                "of \\ud800",
                {"file": "caf\\udce9", "number": str(2**70), "small": -7, "error": "x", "pid": os.getpid()},
            )

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(scenario())
