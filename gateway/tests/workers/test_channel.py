"""What waits between a gateway and a worker goes in frames of bounded size, whatever a client sends."""

import asyncio
import socket
from functools import partial

import uvloop
from gateway.tests.patience import PATIENCE
from msgspec import msgpack

from signalpost.listener.request_head import MAX_HEAD_BYTES
from signalpost.workers.channel import MAX_FRAME_BYTES, Channel
from signalpost.workers.frames import Call, Origin, ToGateway, ToWorker

_decode = msgpack.Decoder(list[ToGateway]).decode
HEAD_BYTES = MAX_HEAD_BYTES - 100


def call(number: int, raw_path: bytes, name: bytes) -> Call:
    origin = Origin(((b"host", b"localhost"), (name, b"x")), "127.0.0.1", "http", True, False)
    path = raw_path.decode("latin-1")
    return Call(number, "GET", path, raw_path, b"", 0, -1, b"", is_whole=True, new_origin=origin)


async def handed_over(calls: list[Call]) -> int:
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
