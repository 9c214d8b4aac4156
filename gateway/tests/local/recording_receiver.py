"""A receiver that remembers every request, and answers as it is told."""

import threading
from collections.abc import Callable
from typing import NamedTuple

from gateway.tests.http_server import LocalServer, QuietHandler

from signalpost_receiver import Receiver, ReceiverError


class ReceivedRequest(NamedTuple):
    body: bytes
    headers: dict[str, str]


class RecordingReceiver:
    """Listens on this machine. `answer` says with which status each request is answered."""

    def __init__(self, answer: Callable[[ReceivedRequest], int] = lambda _received: 204) -> None:
        receiver = self
        self.answer = answer
        self.received: list[ReceivedRequest] = []

        class Handler(QuietHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                received = ReceivedRequest(body, {name.lower(): value for name, value in self.headers.items()})
                receiver.received.append(received)
                self.send_response(receiver.answer(received))
                self.send_header("content-length", "0")
                self.end_headers()

        self._server = LocalServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def verifying(secret: str) -> Callable[[ReceivedRequest], int]:
    """Answers as the receiver kit would."""
    receiver = Receiver(secrets=secret)

    def answer(received: ReceivedRequest) -> int:
        try:
            receiver.verify(received.body, received.headers)
        except ReceiverError as error:
            return error.status
        return 204

    return answer
