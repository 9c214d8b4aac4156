"""Processes that work for this one: new interpreters, each with a socket to who started it.

A fork would be ready sooner and share memory, but a gateway has threads and an event loop, of which a fork makes no
usable copy.
"""

import asyncio
import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


class ChildProcess:
    """The program of a module: `python -m MODULE DESCRIPTOR…`. The first number is the descriptor of its socket to this
    process, the others are those of sockets that it inherits."""

    def __init__(self, module: str, environment: Mapping[str, str], inherited: Sequence[socket.socket] = ()) -> None:
        """The process inherits the sockets that are not closed. Raises OSError."""
        self.socket, theirs = socket.socketpair()
        try:
            with theirs:
                descriptors = [theirs.fileno(), *(each.fileno() for each in inherited if each.fileno() >= 0)]
                self._process = subprocess.Popen(  # noqa: S603 - the command is our own
                    [sys.executable, "-P", "-m", module, *map(str, descriptors)],
                    pass_fds=descriptors,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                )
        except BaseException:
            self.socket.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()

    async def wait(self) -> int:
        """Wait until it has ended. Returns its exit code, or that of the signal that killed it, negative."""
        while (code := self._process.poll()) is None:
            await asyncio.sleep(0.01)
        return code


def live_with_parent() -> None:
    """Called by a child: it ends with its parent alone. What a terminal or a service manager sends to all processes of
    a service is for the parent, which says when a child is to end. The end of the socket tells a child that its parent
    is gone; one that hangs does not notice, so the system kills it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
