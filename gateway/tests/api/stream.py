"""An import over a raw socket: what is sent when, and what has come back by then, are the test's to say."""

import http.client
import json
import socket
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from gateway.tests.patience import PATIENCE

PATH = "/v1/documents/import"
SNAPSHOT = {
    "type": "NDA",
    "title": "A title",
    "status": "approved",
    "createdAt": "2021-09-02T04:37:56.812919+00:00",
    "sourceApp": "archive",
    "ownerEmail": "owner@example.com",
    "authorEmail": "author@example.com",
}


def external_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def line(number: int, **fields: Any) -> bytes:
    """A line that imports document `number`."""
    return json.dumps({**SNAPSHOT, "externalId": external_id(number), **fields}).encode() + b"\n"


class Stream:
    """One import, chunked."""

    def __init__(self, port: int, key: str, *headers: str, receive_buffer: int | None = None) -> None:
        self.raw = socket.socket()
        self.raw.settimeout(PATIENCE)
        if receive_buffer is not None:
            self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.raw.connect(("127.0.0.1", port))
        self.response = http.client.HTTPResponse(self.raw, method="POST")
        given = ("content-type: application/x-ndjson", "transfer-encoding: chunked", *headers)
        lines = [f"POST {PATH} HTTP/1.1", "host: gateway", f"authorization: Bearer {key}", *given]
        self.raw.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.response.close()
        self.raw.close()

    def send(self, data: bytes) -> None:
        self.raw.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        """The body is whole."""
        self.raw.sendall(b"0\r\n\r\n")

    def begin(self) -> None:
        """Read the answer's head, unless that was done."""
        if not self._begun:
            self.response.begin()
            self._begun = True
            assert self.response.status == 200, self.response.read()
            assert self.response.getheader("content-type") == "application/x-ndjson"

    def answer(self) -> Any:
        """The next line of the answer; None after its last."""
        self.begin()
        answered = self.response.readline()
        return json.loads(answered) if answered else None

    def answers(self) -> Iterator[Any]:
        while (answered := self.answer()) is not None:
            yield answered

    def parts(self) -> Iterator[bytes]:
        """The rest of the answer as it comes: faster than line by line. A line may be in two of them."""
        self.begin()
        while part := self.response.read1(1 << 20):
            yield part


def read(body: bytes) -> list[Any]:
    """The answers in a whole one's body."""
    assert not body or body.endswith(b"\n")
    return [json.loads(each) for each in body.splitlines()]


def statuses(answers: Iterable[Any]) -> list[int]:
    return [answer["status"] for answer in answers]
