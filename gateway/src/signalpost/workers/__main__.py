"""The program of a worker: `python -m signalpost.workers DESCRIPTOR LISTENING…`.

The first number is the descriptor of its socket to the gateway, the others are those of sockets to listen on."""

import asyncio
import ctypes
import logging
import signal
import socket
import sys
from collections.abc import Sequence

import uvloop

from signalpost.runtime.clock import wall_clock
from signalpost.runtime.garbage_collector import collect_rarely
from signalpost.sender.sender import Sender
from signalpost.workers.worker import ToGatewaysLog, Worker

_PR_SET_PDEATHSIG = 1


def main() -> None:
    # What a terminal or a service manager sends to all processes of a service is for the gateway, which says when a
    # worker is to end: attempts in flight may still end then.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _die_with_gateway()
    collect_rarely()
    to_gateway, *listeners = [socket.socket(fileno=int(each)) for each in sys.argv[1:]]
    uvloop.run(_work(to_gateway, listeners))


def _die_with_gateway() -> None:
    """The end of the socket tells a worker that its gateway is gone. A worker that hangs does not notice, so the system
    kills it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


async def _work(to_gateway: socket.socket, listeners: Sequence[socket.socket]) -> None:
    loop = asyncio.get_running_loop()
    worker = Worker(loop, lambda settings: Sender(settings, loop=loop, wall=wall_clock), listeners)
    logging.basicConfig(level=logging.WARNING, handlers=[ToGatewaysLog(loop, worker.channel)])
    await loop.create_connection(lambda: worker.channel, sock=to_gateway)
    await worker.ended.wait()


if __name__ == "__main__":
    main()
