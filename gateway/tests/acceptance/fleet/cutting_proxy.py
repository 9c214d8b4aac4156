"""A proxy between nodes and their PostgreSQL that goes wrong when it is told to.

Of the protocol it understands where one message ends, and which of them carries out the COMMIT of a transaction that
writes. There it can cut: the server never gets the COMMIT, or the node never gets its answer. It can also go silent, as
a network does that swallows everything, and lead to another server.
"""

import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from typing import Self

_NEGOTIATIONS = {80877103, 80877104}
"""The codes of requests for encryption, before the startup message."""


class Cut(Enum):
    """Where a connection is cut."""

    BEFORE = "before the server gets the COMMIT"
    AT_ONCE = "as soon as the server has the COMMIT"
    ANSWERED = "when the server has answered the COMMIT"


class CuttingProxy:
    """Listens on a free port of loopback until it is left."""

    def __init__(self, target: int, seed: int = 0) -> None:
        """`target` is the port of the server; it may be changed."""
        self.target = target
        self.share = 0.0
        """The share of COMMITs at which it cuts."""
        self.is_silent = False
        """Whether it swallows everything, on connections old and new."""
        self.cuts: dict[Cut, int] = dict.fromkeys(Cut, 0)
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._links: set[_Link] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def choose(self) -> Cut | None:
        """Whether and where to cut at a COMMIT."""
        with self._lock:
            if self._chance.random() >= self.share:
                return None
            cut = self._chance.choice(list(Cut))
            self.cuts[cut] += 1
            return cut

    def cut_all(self) -> None:
        """Cut every connection that there is."""
        with self._lock:
            links = list(self._links)
        for link in links:
            link.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.is_silent = False
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        self.cut_all()

    def wait_while_silent(self) -> None:
        while self.is_silent:
            time.sleep(0.01)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        self.wait_while_silent()
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            _reset(client)
            return
        link = _Link(self, client, server)
        with self._lock:
            self._links.add(link)
        link.run()
        with self._lock:
            self._links.discard(link)


class _Link:
    """One connection, with a thread for each direction."""

    def __init__(self, proxy: CuttingProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._cut: Cut | None = None
        for each in (client, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self) -> None:
        answers = threading.Thread(target=self._carry_answers, daemon=True)
        answers.start()
        try:
            for message, commits in _messages(self._client):
                self._proxy.wait_while_silent()
                if commits and self._cut is None:
                    self._cut = self._proxy.choose()
                    if self._cut is Cut.BEFORE:
                        break
                self._server.sendall(message)
                if self._cut is Cut.AT_ONCE and message[:1] == b"S":
                    break
        except OSError:
            pass
        finally:
            self.cut()
            answers.join()

    def cut(self) -> None:
        for each in (self._client, self._server):
            _reset(each)

    def _carry_answers(self) -> None:
        try:
            while answer := self._server.recv(65536):
                self._proxy.wait_while_silent()
                if self._cut is Cut.AT_ONCE:
                    continue
                if self._cut is Cut.ANSWERED:
                    break
                self._client.sendall(answer)
        except OSError:
            pass
        finally:
            self.cut()


def _messages(client: socket.socket) -> Iterator[tuple[bytes, bool]]:
    """The messages of a client, each with whether it carries out the COMMIT of a transaction that writes. Such a one
    moves the row of its committer on first."""
    unread = b""
    header = 0  # the length of what comes before a message's length: its type, once the session has begun
    statements: dict[bytes, bytes] = {}
    writes = False
    while True:
        while len(unread) < header + 4 or len(unread) < header + _length(unread, header):
            received = client.recv(65536)
            if not received:
                return
            unread += received
        message, unread = unread[: header + _length(unread, header)], unread[header + _length(unread, header) :]
        commits = False
        if not header:
            header = int(struct.unpack("!I", message[4:8])[0] not in _NEGOTIATIONS)
        elif message[:1] == b"P":  # Parse: a statement gets a name
            name, sql, _ = message[5:].split(b"\0", 2)
            statements[name] = sql
        elif message[:1] == b"B":  # Bind: a statement is about to be executed
            bound = statements[message[5:].split(b"\0", 2)[1]]
            commits = writes and bound == b"COMMIT"
            writes = bound != b"COMMIT" and (writes or b"UPDATE committer" in bound)
        yield message, commits


def _length(unread: bytes, header: int) -> int:
    return int(struct.unpack("!I", unread[header : header + 4])[0])


def _reset(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
