"""Sockets on virtual time: an event loop whose connections lead to a `FarEnd` in the same process of the tests.

A connection is a pair of real sockets that belong together, so what lies between them is real: buffers, what is unread,
the end and the reset of a connection, and the event loop's own transports. What takes time does so on virtual time:
nothing passes while bytes can be read, and the far end writes when its timers say so.
"""

import asyncio
import contextlib
import os
import selectors
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.tests.world.virtual_time import VirtualLoop, VirtualTime

Connect = Callable[[socket.socket, str, int], Awaitable[None]]
"""Connects a socket to an address and port. Raises OSError, or never ends."""


class _VirtualSelector(selectors.DefaultSelector):
    """Watches real sockets and never waits: if none has anything to tell, time moves to the next timer."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self._time = time

    @property
    def has_something(self) -> bool:
        return bool(super().select(0))

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if found:
            return found
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        self._time.now += timeout
        return []


class SocketLoop(VirtualLoop, asyncio.SelectorEventLoop):
    """An event loop on virtual time that has sockets."""

    def __init__(self, time: VirtualTime) -> None:
        self._sockets = _VirtualSelector(time)
        asyncio.SelectorEventLoop.__init__(self, self._sockets)
        self._time = time
        self._clock_resolution = 1e-9
        self.connect: Connect | None = None
        """What makes its connections."""
        self.far_ends: set[FarEnd] = set()
        """The far ends of its connections that are open."""

    @property
    def next_event(self) -> float:
        return self._time.now if self._sockets.has_something else super().next_event

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        assert self.connect is not None
        await self.connect(sock, *address)

    def close(self) -> None:
        """The connections of a process end with it, and nothing in it is told."""
        # To abort them would tell their protocols, which belong to a process that runs no more.
        for transport in [*self._transports.values()]:  # type: ignore[attr-defined]
            if transport._sock is not None:
                transport._sock.close()
                transport._sock = None
        for far in tuple(self.far_ends):  # that serve in a task of this loop, which may never have begun
            far.close()
        super().close()

    def _process_events(self, event_list: list[Any]) -> None:
        asyncio.SelectorEventLoop._process_events(self, event_list)  # type: ignore[attr-defined]


class Gone(Exception):
    """The gateway has closed the connection."""


class FarEnd:
    """What is at the other end of a connection."""

    def __init__(self, number: int, near: socket.socket, loop: SocketLoop) -> None:
        """Connect this socket, which was made for another kind of network: it gets the descriptor of a pair's."""
        self.number = number
        self.is_forgotten = False
        """Whether nothing of it arrives any more, and no one says so."""
        self._loop = loop
        self._near = near
        this, self._socket = socket.socketpair()
        this.setblocking(False)
        self._socket.setblocking(False)
        os.dup2(this.fileno(), near.fileno(), inheritable=False)
        this.close()
        loop.far_ends.add(self)

    @property
    def is_closed(self) -> bool:
        return self._socket.fileno() == -1

    @property
    def is_near_closed(self) -> bool:
        """Whether the gateway has closed its socket."""
        return self._near.fileno() == -1

    @property
    def has_unread(self) -> bool:
        """Whether something has come that was not read yet, or the end."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        return True

    async def read(self) -> bytes:
        """What has come. Raises Gone at the end."""
        try:
            data = await self._loop.sock_recv(self._socket, 1 << 20)
        except OSError:
            raise Gone from None
        if not data:
            raise Gone
        return data

    async def write(self, data: bytes) -> None:
        try:
            await self._loop.sock_sendall(self._socket, data)
        except OSError:
            raise Gone from None

    def close(self) -> None:
        """End it in good order."""
        self._socket.close()
        self._loop.far_ends.discard(self)

    def reset(self) -> None:
        """End it as a machine does that knows nothing of it: by a reset, which a socket of a pair gets where something
        was unread."""
        with contextlib.suppress(OSError):
            self._near.send(b"\0")
        self.close()
