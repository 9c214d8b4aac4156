"""A scripted endpoint: real sockets on loopback, real TLS, and a script that says what each connection does.

A script is a function of a `Peer`; it runs in a thread of its own for every connection, so that it may block,
and so that nothing it does is in step with the event loop under test. When it returns, or the other side has
gone, the connection is closed.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

from gateway.tests.patience import PATIENCE

from signalpost.domain.request import OutgoingRequest, Target

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Gone(Exception):
    """The other side has closed the connection, or the test is over."""


class ReceivedRequest(NamedTuple):
    head: bytes
    body: bytes


class Turns:
    """How often the loop under test has looked at its sockets since. A test that waits for some turns of it knows that
    what lay in a socket before was read, however slow the machine is."""

    def __init__(self) -> None:
        self.count = 0

    async def keep_counting(self) -> None:
        while True:
            await asyncio.sleep(0.005)
            self.count += 1


class Peer:
    """The endpoint's side of one connection."""

    def __init__(self, raw: socket.socket, number: int, stopping: threading.Event, turns: Turns) -> None:
        self.raw = raw
        self.number = number
        """0 for the endpoint's first connection."""
        self.answered = 0
        self._stopping = stopping
        self._turns = turns
        self._unread = b""

    def read_head(self) -> bytes:
        while b"\r\n\r\n" not in self._unread:
            self._unread += self._receive()
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        return head

    def read_request(self) -> ReceivedRequest:
        head = self.read_head()
        (length,) = (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
        while len(self._unread) < length:
            self._unread += self._receive()
        body, self._unread = self._unread[:length], self._unread[length:]
        return ReceivedRequest(head, body)

    def skip(self, length: int) -> None:
        """Read so many bytes and forget them."""
        left = length - len(self._unread)
        self._unread = self._unread[length:]
        while left > 0:
            data = self._receive()
            left, self._unread = left - len(data), data[left:]

    def send(self, data: bytes) -> None:
        try:
            self.raw.sendall(data)
        except OSError:
            raise Gone from None

    def answer(self, data: bytes) -> None:
        """Read a request, send this."""
        self.read_request()
        self.send(data)
        self.answered += 1

    def drip(self, data: bytes, every: float) -> None:
        """Byte by byte."""
        for byte in data:
            self.send(bytes([byte]))
            self.pause(every)

    def pause(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise Gone

    def let_read(self) -> None:
        """Wait until the other side has read what it was sent."""
        before = self._turns.count
        while self._turns.count < before + 3:
            self.pause(0.002)

    def hold(self) -> None:
        """Say nothing until the other side has gone."""
        while True:
            self._receive()

    def reset(self) -> None:
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.raw.close()

    def _receive(self) -> bytes:
        try:
            data = self.raw.recv(65536)
        except OSError:
            raise Gone from None
        if not data:
            raise Gone
        return data


Script = Callable[[Peer], None]


def answering(data: bytes) -> Script:
    """Gives every request on every connection this answer."""

    def script(peer: Peer) -> None:
        while True:
            peer.answer(data)

    return script


class Endpoint:
    """Listens from its making until `stop`. A script that fails shows there."""

    def __init__(
        self,
        script: Script | bytes = OK,
        *,
        turns: Turns,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.connections = 0
        """Accepted so far."""
        self._script = answering(script) if isinstance(script, bytes) else script
        self._turns = turns
        self._tls = tls
        self._host = host
        self._stopping = threading.Event()
        self._peers: set[Peer] = set()
        self._threads: list[threading.Thread] = []
        self._faults: list[BaseException] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def target(self, host: str | None = None) -> Target:
        return Target("http" if self._tls is None else "https", host or self._host, self.port)

    def request(self, body: bytes = b"{}", *, host: str | None = None, nonce: str = "") -> OutgoingRequest:
        head = (
            f"POST /hook HTTP/1.1\r\nhost: {host or self._host}:{self.port}\r\n"
            f"nonce: {nonce}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return OutgoingRequest(self.target(host), head.encode(), body)

    @property
    def open(self) -> int:
        """How many connections its scripts are at."""
        return len(self._peers)

    def stop(self) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join(PATIENCE)
        self._listener.close()
        for peer in list(self._peers):
            with contextlib.suppress(OSError):
                peer.raw.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a script does not end"
        if self._faults:
            raise self._faults[0]

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(raw, self.connections), daemon=True)
            self.connections += 1
            self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket, number: int) -> None:
        peer = Peer(raw, number, self._stopping, self._turns)
        self._peers.add(peer)
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                peer.raw = self._tls.wrap_socket(raw, server_side=True)
            self._script(peer)
        except (Gone, OSError):
            pass
        except BaseException as fault:
            self._faults.append(fault)
        finally:
            self._peers.discard(peer)
            peer.raw.close()
            raw.close()
