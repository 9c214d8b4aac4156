"""A proxy between a client and a gateway that goes wrong as it is told to, request by request.

What becomes of a request is its fate, in the JSON of a case:

    "pass"             it is forwarded, and answered
    "cut"              it is read, and the connection cut: the gateway never gets it
    "lose"             it is carried out, and the connection cut: the client never gets the answer
    {"cutAfter": 30}   as `lose`, but after so many bytes of the answer's body
    "hold"             it is never answered
    {"delay": 0.2}     it is forwarded after so many seconds
    {"answer": {"status", "body", "headers"?}}       it is not forwarded, and this is its answer
    {"answerAfter": {"status", "body", "headers"?}}  it is carried out, and this is its answer
"""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

from gateway.tests.http_server import LocalServer
from gateway.tests.patience import PATIENCE

Fate = Any
"""What becomes of a request, in the JSON above."""


class SeenRequest(NamedTuple):
    """What the client asked for."""

    method: str
    path: str
    idempotency_key: str | None


class _Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class FaultyProxy(LocalServer):
    """Listens on a free port of loopback until it is left."""

    def __init__(self, gateway: Callable[[], tuple[str, int]]) -> None:
        """`gateway` says where requests are forwarded to."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gateway = gateway
        self.seen: list[SeenRequest] = []
        self._fates: Iterator[Fate] = iter(())
        self._always: Fate = "pass"
        self._lock = threading.Lock()
        self._serving = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._serving.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def go_wrong(self, fates: Iterable[Fate], always: Fate = "pass") -> None:
        """The fates of the next requests, and of all after them. Forgets what was seen."""
        with self._lock:
            self._fates, self._always, self.seen = iter(fates), always, []

    def next_fate(self, seen: SeenRequest) -> Fate:
        """The fate of a request."""
        with self._lock:
            self.seen.append(seen)
            return next(self._fates, self._always)

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()
        self._serving.join(PATIENCE)


class _Handler(BaseHTTPRequestHandler):
    server: FaultyProxy
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        fate = self.server.next_fate(SeenRequest(self.command, self.path, self.headers.get("idempotency-key")))
        self._meet(fate, body)

    def _meet(self, fate: Fate, body: bytes) -> None:
        match fate:
            case "pass":
                self._answer(self._forward(body))
            case "cut":
                self._cut()
            case "lose":
                self._forward(body)
                self._cut()
            case "hold":
                self.rfile.read(1)  # until the client hangs up
                self._cut()
            case {"delay": seconds}:
                time.sleep(seconds)
                self._answer(self._forward(body))
            case {"cutAfter": size}:
                self._answer(self._forward(body), size)
                self._cut()
            case {"answer": answer}:
                self._answer(_canned(answer))
            case {"answerAfter": answer}:
                self._forward(body)
                self._answer(_canned(answer))
            case _:
                raise AssertionError(fate)

    def _forward(self, body: bytes) -> _Answer:
        connection = http.client.HTTPConnection(*self.server.gateway(), timeout=PATIENCE)
        names = [name for name in self.headers if name.lower() not in ("host", "connection", "accept-encoding")]
        try:
            connection.request(self.command, self.path, body, {name: self.headers[name] for name in names})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        left_out = ("connection", "transfer-encoding", "content-length", "keep-alive")
        headers = {name: value for name, value in response.getheaders() if name.lower() not in left_out}
        return _Answer(response.status, headers, content)

    def _answer(self, answer: _Answer, size: int | None = None) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[:size])

    def _cut(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


def _canned(answer: dict[str, Any]) -> _Answer:
    body, headers = answer["body"], answer.get("headers", {})
    if isinstance(body, str):
        return _Answer(answer["status"], {"content-type": "text/html", **headers}, body.encode())
    kind = "application/problem+json" if answer["status"] >= 400 else "application/json"
    return _Answer(answer["status"], {"content-type": kind, **headers}, json.dumps(body).encode())
