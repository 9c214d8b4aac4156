"""The program of a worker: `python -m signalpost.workers DESCRIPTOR LISTENING…`.

The first number is the descriptor of its socket to the gateway, the others are those of sockets to listen on."""

import asyncio
import logging
import socket
import sys
from collections.abc import Sequence

import uvloop

from signalpost.runtime.child_process import live_with_parent
from signalpost.runtime.clock import wall_clock
from signalpost.runtime.garbage_collector import collect_rarely
from signalpost.sender.sender import Sender
from signalpost.workers.worker import ToGatewaysLog, Worker


def main() -> None:
    live_with_parent()  # attempts in flight may still end when a gateway is to
    collect_rarely()
    to_gateway, *listeners = [socket.socket(fileno=int(each)) for each in sys.argv[1:]]
    uvloop.run(_work(to_gateway, listeners))


async def _work(to_gateway: socket.socket, listeners: Sequence[socket.socket]) -> None:
    loop = asyncio.get_running_loop()
    worker = Worker(loop, lambda settings: Sender(settings, loop=loop, wall=wall_clock), listeners)
    logging.basicConfig(level=logging.WARNING, handlers=[ToGatewaysLog(loop, worker.channel)])
    await loop.create_connection(lambda: worker.channel, sock=to_gateway)
    await worker.ended.wait()


if __name__ == "__main__":
    main()
