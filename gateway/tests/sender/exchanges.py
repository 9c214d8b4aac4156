"""An attempt without a network: a connection that leads nowhere is given bytes; what it tells is held to its laws."""

import asyncio
import atexit
import re
import socket
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import h11

from signalpost.domain.delivery.outcome import ANSWER_KEPT_BYTES, Failure
from signalpost.domain.request import OutgoingRequest, Target
from signalpost.sender.connection import EndpointConnection, RunningAttempt, TimeLimit
from signalpost.sender.response_reader import MAX_BODY_BYTES, MAX_HEADS_BYTES, AnswerReader

NEXT = b"HTTP/1.1 202 Next\r\ncontent-length: 8\r\n\r\nthe next"


_LONG_NUMBER = re.compile(rb"0[0-9a-fA-F]{20}")
_NEAR, _FAR = socket.socketpair()
"""What every connection here has as its socket: one on which nothing ever comes."""
atexit.register(_NEAR.close)
atexit.register(_FAR.close)


class End(NamedTuple):
    """How an attempt ended."""

    failure: Failure | None
    status: int | None
    kept: bytes
    retry_after: str | None
    detail: str


class Wire(asyncio.Transport):
    """A transport that leads nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = False

    def write(self, data: object) -> None:
        assert not self.closing

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        self.closing = True

    abort = close


class Witness:
    """Keeps what a connection tells its sender."""

    def __init__(self) -> None:
        self.ends: list[End] = []
        self.idle = 0
        self.lost_once = False

    def opened(self, connection: EndpointConnection) -> None:
        pass

    def lost(self, connection: EndpointConnection) -> None:
        assert not self.lost_once
        self.lost_once = True

    def idled(self, connection: EndpointConnection) -> None:
        assert connection.answer.reusable
        self.idle += 1

    def unanswered(self, attempt: RunningAttempt) -> None:
        raise AssertionError("nothing is sent again from a fresh connection")

    def end(self, attempt: RunningAttempt, failure: Failure | None, detail: str, answer: AnswerReader) -> None:
        assert (failure is None) == (detail == "")
        assert detail == "" or detail.endswith(".")
        assert len(answer.kept) <= ANSWER_KEPT_BYTES
        self.ends.append(End(failure, answer.status, answer.kept, answer.retry_after(), detail))


def attempt() -> RunningAttempt:
    return RunningAttempt(OutgoingRequest(Target("http", "h", 1), b"", b""), lambda _: None, 0.0, 0, TimeLimit(5.0))


def exchange(pieces: Iterable[bytes], loss: Exception | None) -> Witness:
    """One attempt on a fresh connection that brings these bytes and is then lost. If it is idle by then, another
    attempt runs on it first, and is answered."""
    witness, wire = Witness(), Wire()
    connection = EndpointConnection(witness, _NEAR, attempt(), lambda: 0.0)
    connection.connection_made(wire)
    for piece in pieces:
        if not wire.closing:
            connection.data_received(piece)
            _assert_little_is_held(connection.answer, len(piece))
    if witness.idle and not wire.closing:
        _assert_fit_for_another(connection, witness)
    if loss is None and not wire.closing:
        connection.eof_received()
    connection.connection_lost(loss)
    return witness


def assert_laws(stream: bytes, cuts: Sequence[int], loss: Exception | None) -> End:
    """Whatever bytes come, cut at these places: one end, the same as of the whole, and no connection that is in doubt
    is used again."""
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    pieces = [stream[start:end] for start, end in pairwise(places)]
    whole, cut = exchange([stream] if stream else [], loss), exchange(pieces, loss)
    assert len(whole.ends) == 1
    assert whole.ends == cut.ends
    (end,) = whole.ends
    if whole.idle:
        _assert_others_agree(stream, end)
    return end


def _assert_little_is_held(answer: AnswerReader, piece: int) -> None:
    held = sum(len(value) for slot in AnswerReader.__slots__ if isinstance(value := getattr(answer, slot), bytes))
    assert held <= MAX_HEADS_BYTES + ANSWER_KEPT_BYTES + max(piece, MAX_BODY_BYTES)


def _assert_fit_for_another(connection: EndpointConnection, witness: Witness) -> None:
    before = list(witness.ends)
    connection.run(attempt())
    connection.data_received(NEXT)
    assert witness.ends == [*before, End(None, 202, b"the next", None, "")]
    assert witness.idle == 2
    del witness.ends[-1]


def _assert_others_agree(stream: bytes, end: End) -> None:
    """After a whole answer with which a connection is used again, another implementation must see the same answer and
    nothing behind it."""
    other = h11.Connection(h11.CLIENT, max_incomplete_event_size=2 * MAX_HEADS_BYTES)
    other.send(h11.Request(method="POST", target="/", headers=[("host", "h"), ("content-length", "0")]))
    other.send(h11.EndOfMessage())
    other.receive_data(_without_reasons(stream))
    status, body = None, b""
    try:
        while not isinstance(event := other.next_event(), h11.EndOfMessage):
            assert event is not h11.NEED_DATA, "to another it is not complete"
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
    except h11.RemoteProtocolError as error:
        if error.error_status_hint == 501 or _LONG_NUMBER.search(stream):
            return  # it knows no coding but chunked, and no number of more than 20 digits, be they zeros
        raise AssertionError("another refuses it") from error
    assert (status, body[:ANSWER_KEPT_BYTES]) == (end.status, end.kept)
    assert other.trailing_data == (b"", False)


def _without_reasons(stream: bytes) -> bytes:
    """The other is strict about the phrase behind a status, which is not read here."""
    head, end, rest = stream.partition(b"\r\n\r\n")
    start, line, headers = head.partition(b"\r\n")
    interim = start[9:10] == b"1"
    return start[:12] + b" " + line + headers + end + (_without_reasons(rest) if interim else rest)
