"""The endpoint of a benchmark: answers 204 at once, keeps what came, and checks all of it when it is asked.

Checking waits until the clock has stopped, so that the sink costs each client the same little; beyond `MAX_KEPT`
requests the oldest are checked while others arrive.
"""

import asyncio
import gc
import ssl
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import msgspec

from signalpost_bench.child_process import answer_questions
from signalpost_bench.flaky_endpoints import FlakyEndpoints, State
from signalpost_receiver.sign import Signer

MAX_KEPT = 200_000
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
LAST_ANSWER = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
_END = b"\r\n\r\n"
_BAD = b"POST /bad/"
"""What comes on such a path is not kept: `/bad/hole` never answers, `/bad/drip` never ends its head, `/bad/late`
answers just in time."""
LATE_SECONDS = 4.9
_FRAIL = b"POST /flaky/"
"""What comes on such a path is kept while the endpoint with this number is up: see `flaky_endpoints.py`."""
_DOWN = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


class Got(NamedTuple):
    at: int
    """Nanoseconds of the monotonic clock, which all processes of a machine share."""
    head: bytes
    body: bytes


class _SentDocument(msgspec.Struct):
    externalId: str  # noqa: N815 - the name on the wire
    referenceId: str | None  # noqa: N815


class _SentData(msgspec.Struct):
    document: _SentDocument


class _SentEvent(msgspec.Struct):
    data: _SentData


_decode = msgspec.json.Decoder(_SentEvent).decode


class Book:
    """What came, and what is wrong with it."""

    def __init__(self) -> None:
        self.forget("", None)

    def forget(self, secret: str, timed: str | None) -> None:
        """Begin again: what comes from here on is signed with `secret`; nothing checks what is signed with nothing.
        Of those whose path begins with `timed` is kept when each came; None for none."""
        self.count = self.resumed = 0
        self._kept: deque[Got] = deque()
        self._signer = Signer(secret) if secret else None
        self._timed = None if timed is None else b"POST " + timed.encode()
        self._seen: dict[bytes, set[int]] = {}
        self._newest: dict[tuple[bytes, str], int] = {}
        self._arrived: list[tuple[str | None, int]] = []
        self._last = 0
        self._badly: Counter[str] = Counter()
        self._repeated = self._unverified = self._disordered = 0

    def keep(self, got: Got) -> None:
        self.count += 1
        if self._signer is not None:
            self._kept.append(got)
            if len(self._kept) > MAX_KEPT:
                self._check(self._kept.popleft())

    def note_badly(self, how: str) -> None:
        """A request came to where it is answered badly."""
        self._badly[how] += 1

    def check(self) -> dict[str, Any]:
        while self._kept:
            self._check(self._kept.popleft())
        return {
            "distinct": sum(map(len, self._seen.values())),
            "repeated": self._repeated,
            "unverified": self._unverified,
            "disordered": self._disordered,
            "resumed": self.resumed,
            "badly": self._badly,
            "last": self._last,
            "arrived": self._arrived,
        }

    def _check(self, got: Got) -> None:
        assert self._signer is not None
        path = got.head[: got.head.index(b" HTTP/")]
        sequence = int(_header(got.head, b"signalpost-sequence"))
        seen = self._seen.setdefault(path, set())
        self._repeated += sequence in seen
        seen.add(sequence)
        signature = _header(got.head, b"plexus-webhook-signature").decode()
        self._unverified += self._signer.page_signature(got.body) != signature
        document = _decode(got.body).data.document
        order = (path, document.externalId)
        self._disordered += self._newest.get(order, 0) > sequence
        self._newest[order] = sequence
        self._last = max(self._last, got.at)
        if self._timed is not None and path.startswith(self._timed):
            self._arrived.append((document.referenceId, got.at))


def _header(head: bytes, name: bytes) -> bytes:
    begin = head.index(b"\r\n" + name + b": ") + len(name) + 4
    end = head.find(b"\r\n", begin)
    return head[begin:end] if end >= 0 else head[begin:]


class _SinkConnection(asyncio.Protocol):
    def __init__(self, book: Book, flaky: FlakyEndpoints, answer: bytes) -> None:
        self._book = book
        self._flaky = flaky
        self._answer = answer
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        tls = transport.get_extra_info("ssl_object")
        self._book.resumed += tls is not None and bool(tls.session_reused)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        while (end := data.find(_END)) >= 0:
            begin = data.index(b"\r\ncontent-length: ") + 18
            length = int(data[begin : data.index(b"\r\n", begin)])
            if len(data) < end + 4 + length:
                break
            if data.startswith(_BAD):
                self._answer_badly(data[len(_BAD) : len(_BAD) + 4].decode())
                data = data[end + 4 + length :]
                continue
            got = Got(time.monotonic_ns(), data[:end], data[end + 4 : end + 4 + length])
            data = data[end + 4 + length :]
            if got.head.startswith(_FRAIL):
                self._take_flaky(got)
            else:
                self._book.keep(got)
                self._transport.write(self._answer)
        self._rest = data

    def _answer_badly(self, how: str) -> None:
        self._book.note_badly(how)
        if how == "late":
            asyncio.get_running_loop().call_later(LATE_SECONDS, self._answer_late)
        elif how == "drip":
            self._transport.write(b"HTTP/1.1 200 OK\r\n")
            self._drip()

    def _take_flaky(self, got: Got) -> None:
        number = int(got.head[len(_FRAIL) : got.head.index(b" ", len(_FRAIL))])
        if self._flaky.is_down(number):
            self._transport.write(_DOWN)
            return
        self._book.keep(got)
        self._flaky.come(number)
        asyncio.get_running_loop().call_later(self._flaky.answer_seconds, self._answer_flaky, number)

    def _answer_flaky(self, number: int) -> None:
        self._flaky.answered(number)
        self._answer_late()

    def _answer_late(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._answer)

    def _drip(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"x: y\r\n")
            asyncio.get_running_loop().call_later(0.5, self._drip)


class Sink:
    def __init__(self) -> None:
        self._book = Book()
        self._flaky = FlakyEndpoints()
        self._servers: list[asyncio.Server] = []

    async def listen(self, certificate: str | None, kept: Literal["alive", "for one request"]) -> int:
        """The port that it listens on; over TLS with a certificate and its key in one PEM file."""
        context = None
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(Path(certificate))
        answer = ANSWER if kept == "alive" else LAST_ANSWER
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _SinkConnection(self._book, self._flaky, answer), "127.0.0.1", 0, ssl=context, backlog=4096
        )
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def forget(self, secret: str = "", timed: str | None = None) -> None:
        self._book.forget(secret, timed)

    async def set_flaky(self, state: State, answer_seconds: float = 0.0) -> None:
        self._flaky.be(state, answer_seconds)

    async def seen(self) -> Any:
        """What came to the flaky endpoints since `set_flaky`."""
        return msgspec.to_builtins(self._flaky.seen())

    async def count(self) -> int:
        return self._book.count

    async def wait_for(self, count: int, seconds: float) -> int:
        """How many came, once they are `count` or `seconds` have gone by without any."""
        last, since = self._book.count, time.monotonic()
        while self._book.count < count:
            await asyncio.sleep(0.002)
            if self._book.count != last:
                last, since = self._book.count, time.monotonic()
            elif time.monotonic() - since > seconds:
                break
        return self._book.count

    async def check(self) -> dict[str, Any]:
        return self._book.check()


if __name__ == "__main__":
    gc.disable()  # it keeps much for long, and a full pass would be measured as the gateway's latency
    sink = Sink()
    answer_questions(
        {
            "listen": sink.listen,
            "forget": sink.forget,
            "set_flaky": sink.set_flaky,
            "seen": sink.seen,
            "count": sink.count,
            "wait_for": sink.wait_for,
            "check": sink.check,
        }
    )
