"""Any stream of bytes as requests, without a network: where it is cut changes nothing, and what is taken for a request
is one to another implementation too."""

import asyncio
import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import h11
from gateway.tests.listener.applications import read
from hypothesis import given
from hypothesis import strategies as st

from signalpost.api.http.problems import CALLER_PROBLEMS
from signalpost.api.http.response import Response, answer_to
from signalpost.domain.errors import CallerError
from signalpost.listener.application import ArrivingBody, BrokenBody, Head, Steps
from signalpost.listener.connection_limits import ConnectionLimits
from signalpost.listener.http_connection import ClientConnection
from signalpost.listener.serving import Serving


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.written = b""
        self.closing = self.ended = False
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.ended
        self.written += data

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        self.closing = True

    abort = close


def echo(head: Head, body: ArrivingBody) -> Steps:
    """Answers with what was asked, as far as it could be read."""
    if head.refusal is not None:
        assert isinstance(head.refusal, CallerError)
        answer = Response(CALLER_PROBLEMS[type(head.refusal)].status, json.dumps(head.refusal.code).encode())
    else:
        content = body.whole()
        try:
            if content is None:
                content = yield read(body)
        except BrokenBody:
            answer = Response(400, json.dumps("incomplete_body").encode())
        else:
            target = head.raw_path + b"?" + head.query
            asked = [head.method, target.decode("latin-1"), content.decode("latin-1")]
            answer = Response(200, json.dumps(asked).encode())
    return answer_to(answer, "id")


def answers_to(pieces: Sequence[bytes]) -> list[Any]:
    """What the echoes say, in order, to a client that then sends no more."""

    async def scenario() -> bytes:
        wire, serving = Wire(), Serving(echo, ConnectionLimits(10), frozenset())
        connection = ClientConnection(serving)
        connection.connection_made(wire)
        for piece in pieces:
            connection.data_received(piece)
            while not wire.reading:
                await asyncio.sleep(0)
        for _ in range(100):  # some requests wait for the rest of their bodies
            await asyncio.sleep(0)
        if not wire.closing and not connection.eof_received():
            wire.close()
        while serving.in_progress:
            await asyncio.sleep(0)
        assert wire.closing
        connection.connection_lost(None)
        return wire.written

    written = asyncio.run(scenario())
    found = []
    while written:
        head, _, rest = written.partition(b"\r\n\r\n")
        match = re.search(rb"\r\ncontent-length: (\d+)", head)
        assert match is not None
        # An answer to HEAD says the length of what is not there.
        length = 0 if not rest or rest.startswith(b"HTTP/1.1 ") else int(match[1])
        found.append((head[9:12], json.loads(rest[:length]) if length else None))
        written = rest[length:]
        assert (b"connection: close" in head) <= (not written)
    return found


def taken_by_another(stream: bytes) -> list[list[str]]:
    """The whole requests that h11 finds, until it finds none or something that is none."""
    found: list[list[str]] = []
    while stream := stream.lstrip(b"\r\n"):  # h11 skips no empty lines
        other = h11.Connection(h11.SERVER, max_incomplete_event_size=200_000)
        other.receive_data(stream)
        asked = ["", "", ""]
        try:
            while not isinstance(event := other.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Request):
                    asked = [event.method.decode(), event.target.decode("latin-1"), ""]
                    asked[1] += "" if "?" in asked[1] else "?"
                elif isinstance(event, h11.Data):
                    asked[2] += bytes(event.data).decode("latin-1")
                else:
                    return found
        except h11.RemoteProtocolError:
            return found
        found.append(asked)
        stream, _ = other.trailing_data
    return found


targets = st.text("abc/%0?=&;.-", max_size=30).map(lambda rest: "/" + rest)
lines = st.lists(
    st.sampled_from(["x: y", "accept: */*", "X-Long: " + "z" * 300, "e:", "connection: keep-alive", 'q: \t"v"\t']),
    max_size=5,
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]))
    headers = ["host: x", *draw(lines), *draw(st.sampled_from([[], [], [], ["connection: close"]]))]
    body = draw(st.just(b"") | st.binary(max_size=200))
    framing = draw(st.sampled_from(["length", "chunked"])) if body else draw(st.sampled_from(["none", "length"]))
    framed = body
    if framing == "length":
        headers.append(f"Content-Length: {len(body)}")
    elif framing == "chunked":
        headers.append("Transfer-Encoding: chunked")
        at = draw(st.integers(1, len(body)))
        chunks = [chunk for chunk in (body[:at], body[at:]) if chunk]
        framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    head = "\r\n".join([f"{method} {draw(targets)} HTTP/1.1", *headers])
    return draw(st.sampled_from([b"", b"\r\n"])) + head.encode("latin-1") + b"\r\n\r\n" + framed


tokens = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"\x00", b" ", b":", b"0", b"-1", b"fffffffffffffffff", b"0\r\n\r\n", b"\r\n\r\n", b"\xff",
     b"\r\ncontent-length: 3", b"\r\ntransfer-encoding: chunked", b"\r\ntransfer-encoding: gzip", b"HTTP/1.0", b"#",
     b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"\r\nconnection: upgrade\r\nupgrade: h2c", b"\r\nhost: y"]
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    stream = b"".join(draw(st.lists(requests(), min_size=1, max_size=3)))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(stream)))
        end = min(len(stream), start + draw(st.integers(0, 30)))
        stream = stream[:start] + draw(tokens | st.just(stream[start:end] * 2) | st.just(b"")) + stream[end:]
    return stream


streams = st.lists(requests(), max_size=4).map(b"".join) | damaged() | st.binary(max_size=200)
cuts = st.lists(st.integers(0, 1500), max_size=10) | st.just(range(1500))


@given(streams, cuts)
def test_where_a_stream_is_cut_changes_no_answer(stream: bytes, cuts: Sequence[int]) -> None:
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    whole, cut = answers_to([stream] if stream else []), answers_to([stream[a:b] for a, b in pairwise(places)])
    # What follows a chunked request in its own packet is not answered.
    shared = min(len(whole), len(cut))
    assert whole[:shared] == cut[:shared]
    assert len(whole) <= len(cut)
    if b"hunked" not in stream:
        assert len(whole) == len(cut)


@given(streams)
def test_what_is_taken_for_a_request_is_one_to_another_implementation(stream: bytes) -> None:
    taken = [asked for status, asked in answers_to([stream]) if status == b"200" and asked is not None]
    assert taken == taken_by_another(stream)[: len(taken)]


@given(st.lists(requests(), min_size=1, max_size=4))
def test_well_formed_requests_are_answered_up_to_the_last_that_may_be(whole: list[bytes]) -> None:
    answered = answers_to(whole)
    last = next((number for number, each in enumerate(whole) if b"connection: close" in each), len(whole) - 1)
    assert [status for status, _ in answered] == [b"200"] * (last + 1)
