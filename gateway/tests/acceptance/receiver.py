"""A customer's endpoints: one HTTPS server on loopback, with a thread for every connection, that keeps what it gets.

Each `Endpoint` is a path of its own with its own list of requests and its own way to answer; a test makes as many as it
needs, and they end with it. Every time here is `time.monotonic`, taken in the thread that served the request.
"""

import contextlib
import json
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from gateway.tests.acceptance.client import until
from gateway.tests.patience import PATIENCE


class Answer(NamedTuple):
    """What an endpoint does with a request."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"ok"
    after: float = 0
    """Seconds before the first byte."""
    every: float = 0
    """Seconds between the bytes of the body; 0 sends it whole."""
    reset: bool = False
    """No answer: the connection is reset."""
    held: bool = False
    """Not before its endpoint is told to `release` what it holds."""


OK = Answer()
HELD = Answer(held=True)
RESET = Answer(reset=True)
FAIL = Answer(500, body=b"no")


class ReceivedRequest(NamedTuple):
    """A request as it came, and when."""

    connected: float
    """When its connection was accepted: before the process that made it can have ended."""
    arrived: float
    """When all of it was there."""
    start: str
    """The request line."""
    headers: dict[str, str]
    """The headers, by lower-case name."""
    header_lines: tuple[str, ...]
    body: bytes
    connection: int

    @property
    def event(self) -> Any:
        return json.loads(self.body)

    @property
    def document(self) -> str:
        """The document that it is about; for notices, their kind takes its place."""
        data = self.event["data"]
        return str(data["notice"]["kind"] if "notice" in data else data["document"]["externalId"])

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def attempt(self) -> int:
        return int(self.headers["signalpost-attempt"])

    @property
    def sequence(self) -> int:
        return int(self.headers["signalpost-sequence"])


class Endpoint:
    """One path. `answer` may be exchanged at any time; it is called in the connection's thread."""

    def __init__(self, origin: str, path: str, answer: "Answer | Answers") -> None:
        self.path = path
        self.url = origin + path
        self.requests: list[ReceivedRequest] = []
        self.answered: list[tuple[ReceivedRequest, Answer, float]] = []
        """Requests that got a whole answer, with it and when it was begun: the gateway had it later, never earlier."""
        self.overlaps = 0
        """Requests of a document that came while another one of it was not answered."""
        self._under_way: set[str] = set()
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._over = threading.Event()
        self.answer: Answers = answer if callable(answer) else always(answer)

    def release(self) -> None:
        """Answer what is held, and hold nothing more."""
        self._released.set()

    def end(self) -> None:
        """Whatever it still has to answer is not answered."""
        self._over.set()
        self._released.set()

    def until(self, count: int) -> list[ReceivedRequest]:
        """The requests, once there are so many."""
        until(lambda: len(self.requests) >= count, lambda: f"{len(self.requests)} requests, not {count}")
        return list(self.requests)

    def of(self, event_id: str) -> list[ReceivedRequest]:
        return [request for request in list(self.requests) if request.id == event_id]

    def until_of(self, event_id: str, count: int) -> list[ReceivedRequest]:
        """The requests of one event, once there are so many."""
        until(lambda: len(self.of(event_id)) >= count, lambda: f"{len(self.of(event_id))} requests, not {count}")
        return self.of(event_id)

    def serve(self, request: ReceivedRequest, peer: "_Peer") -> None:
        document = request.document
        with self._lock:
            self.overlaps += document in self._under_way
            self._under_way.add(document)
            self.requests.append(request)
        answer = self.answer(request)
        try:
            if answer.held:
                self._released.wait()
            if self._over.wait(answer.after) or answer.reset:
                raise _Gone
            # Its next one may come as soon as the gateway has read this answer.
            self._free(document)
            began = time.monotonic()
            peer.answer(answer)
        finally:
            self._free(document)
        self.answered.append((request, answer, began))

    def _free(self, document: str) -> None:
        with self._lock:
            self._under_way.discard(document)


Answers = Callable[[ReceivedRequest], Answer]


def always(answer: Answer) -> Answers:
    return lambda _request: answer


def first(*answers: Answer, then: Answer = OK) -> Answers:
    """Gives the first requests of each event these answers, and all later ones another."""
    seen: dict[str, int] = {}

    def answer(request: ReceivedRequest) -> Answer:
        number = seen[request.id] = seen.get(request.id, 0) + 1
        return answers[number - 1] if number <= len(answers) else then

    return answer


class _Gone(Exception):
    """The other side closed the connection, or the end has come."""


class _Peer:
    """The receiver's side of one connection."""

    def __init__(self, raw: socket.socket, number: int, connected: float) -> None:
        self.raw = raw
        self._number = number
        self._connected = connected
        self._unread = b""

    def request(self) -> ReceivedRequest:
        while b"\r\n\r\n" not in self._unread:
            self._unread += self._receive()
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers["content-length"])
        while len(self._unread) < length:
            self._unread += self._receive()
        body, self._unread = self._unread[:length], self._unread[length:]
        return ReceivedRequest(self._connected, time.monotonic(), start, headers, tuple(lines), body, self._number)

    def answer(self, answer: Answer) -> None:
        lines = [f"HTTP/1.1 {answer.status} Said", f"content-length: {len(answer.body)}"]
        if answer.status == 204:
            lines.pop()
        lines += [f"{name}: {value}" for name, value in answer.headers]
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        if not answer.every:
            self._send(head + answer.body)
            return
        self._send(head)
        for byte in answer.body:
            time.sleep(answer.every)
            self._send(bytes([byte]))

    def _send(self, data: bytes) -> None:
        try:
            self.raw.sendall(data)
        except OSError:
            raise _Gone from None

    def _receive(self) -> bytes:
        try:
            data = self.raw.recv(65536)
        except OSError:
            raise _Gone from None
        if not data:
            raise _Gone
        return data

    def reset(self) -> None:
        with contextlib.suppress(OSError):
            self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.raw.detach())


class Receiver:
    """Listens on a free port of loopback from its making until `stop`."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._endpoints: dict[str, Endpoint] = {}
        self._stopping = threading.Event()
        self._peers: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.faults: list[BaseException] = []
        """What went wrong here, not there."""
        self.connections = 0
        self.served = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self.origin = f"https://localhost:{self.port}"
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def endpoint(self, answer: Answer | Answers = OK) -> Endpoint:
        path = f"/hooks/{len(self._endpoints) + 1}"
        endpoint = self._endpoints[path] = Endpoint(self.origin, path, answer)
        return endpoint

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                number = self.connections
            thread = threading.Thread(target=self._serve, args=(raw, number, time.monotonic()), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket, number: int, connected: float) -> None:
        try:
            raw.settimeout(PATIENCE)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw = self._tls.wrap_socket(raw, server_side=True)
            raw.settimeout(None)
        except OSError:  # a handshake that the gateway refuses, or that its end cuts
            raw.close()
            return
        with self._lock:
            self._peers.add(raw)
        peer = _Peer(raw, number, connected)
        try:
            while True:
                request = peer.request()
                self.served += 1
                self._endpoints[request.start.split(" ")[1].partition("?")[0]].serve(request, peer)
        except _Gone:
            pass
        except BaseException as fault:
            self.faults.append(fault)
        finally:
            with self._lock:
                self._peers.discard(raw)
            if self._stopping.is_set():
                raw.close()
            else:
                peer.reset()

    def stop(self) -> None:
        """Close every connection, end every thread."""
        self._stopping.set()
        for endpoint in self._endpoints.values():
            endpoint.end()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(PATIENCE)
        with self._lock:
            for raw in self._peers:
                with contextlib.suppress(OSError):
                    raw.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        assert not self.faults, self.faults
