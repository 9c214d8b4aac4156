"""Any stream of bytes as an answer (C15): whole answers, damaged ones, mixtures, cut anywhere and lost in every way.

The laws are in `exchanges.py`; `make fuzz-sender` looks for longer for streams that break them.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pytest
from gateway.tests.sender.exchanges import End, assert_laws
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signalpost.domain.delivery.outcome import ANSWER_KEPT_BYTES, Failure

if TYPE_CHECKING:
    from gateway.tests.sender.conftest import Run, Sending
    from gateway.tests.sender.endpoint import Endpoint, Peer


class Whole(NamedTuple):
    """An answer, and what it must come to."""

    stream: bytes
    status: int
    body: bytes
    until_the_end: bool
    """Whether the body is complete when the connection ends."""


names = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map(lambda name: f"X-{name}")
values = st.text('abc 0123;=,/\t"é', max_size=40).map(str.strip)
lines = st.lists(st.builds("{}: {}".format, names, values), max_size=8)
special = st.sampled_from([[], ["Retry-After: 7"], ["Connection: close"], ["Connection: keep-alive"], ["Trailer: T"]])
extensions = st.sampled_from([b"", b";a", b";a=b", b';a="b c"', b";a;b=c"])
trailers = st.sampled_from([b"", b"T: v\r\n", b"A: 1\r\nB: \r\n"])
interims = st.lists(
    st.sampled_from([b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n", b"HTTP/1.1 100 \r\n\r\n", b"HTTP/1.1 102 W\r\n\r\n"]),
    max_size=3,
).map(b"".join)


@st.composite
def chunks(draw: st.DrawFn, body: bytes) -> bytes:
    framed, at = b"", 0
    while at < len(body):
        chunk = body[at : at + draw(st.integers(1, 900))]
        size = (b"%x", b"%X", b"0%x")[draw(st.integers(0, 2))] % len(chunk)
        framed += size + draw(extensions) + b"\r\n" + chunk + b"\r\n"
        at += len(chunk)
    return framed + b"0" + draw(extensions) + b"\r\n" + draw(trailers) + b"\r\n"


@st.composite
def wholes(draw: st.DrawFn) -> Whole:
    status = draw(st.sampled_from([200, 201, 204, 299, 302, 304, 404, 410, 429, 500, 503, 599]))
    body = b"" if status in (204, 304) else draw(st.binary(max_size=3000))
    framing = draw(st.sampled_from(["length", "chunked", "end"])) if status not in (204, 304) else "none"
    framed = draw(chunks(body)) if framing == "chunked" else body
    framing_lines = {"length": [f"Content-Length: {len(body)}"], "chunked": ["Transfer-Encoding: chunked"]}
    head = [f"HTTP/1.1 {status} Word", *draw(lines), *draw(special), *framing_lines.get(framing, [])]
    stream = draw(interims) + "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + framed
    return Whole(stream, status, body, framing == "end")


tokens = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"\x00", b" ", b":", b"0", b"-1", b"fffffffffffffffff", b"HTTP/1.1 200 OK\r\n\r\n",
     b"content-length: 3\r\n", b"transfer-encoding: chunked\r\n", b"0\r\n\r\n",
     b"0\r\ncontent-length: 9\r\n\r\n", b"\r\n\r\n", b"\xff", b"x" * 9000]
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A whole answer with pieces taken out, put in, doubled or changed for others, and perhaps another behind it."""
    stream = draw(wholes()).stream
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(stream)))
        end = min(len(stream), start + draw(st.integers(0, 60)))
        piece = draw(tokens | st.binary(max_size=8) | st.just(stream[start:end] * 2))
        stream = stream[:start] + piece + stream[end:]
    return stream + draw(st.just(b"") | wholes().map(lambda behind: behind.stream))


streams = wholes().map(lambda whole: whole.stream) | damaged() | st.binary(max_size=300)
cuts = st.lists(st.integers(0, 4000), max_size=12) | st.just(range(4000))
losses = st.sampled_from([None, ConnectionResetError(), OSError()])


@given(streams, cuts, losses)
def test_any_stream_comes_to_one_end_however_it_is_cut(
    stream: bytes, cuts: Sequence[int], loss: Exception | None
) -> None:
    assert_laws(stream, cuts, loss)


@given(wholes(), cuts)
def test_a_whole_answer_comes_to_what_it_says(whole: Whole, cuts: Sequence[int]) -> None:
    end = assert_laws(whole.stream, cuts, None)
    assert (end.status, end.kept) == (whole.status, whole.body[:ANSWER_KEPT_BYTES])
    assert end.failure is (None if whole.status < 300 else Failure.REDIRECT if whole.status < 400 else Failure.STATUS)


@given(wholes(), cuts, losses, st.integers(1, 400))
def test_no_answer_that_is_cut_short_is_a_success(
    whole: Whole, cuts: Sequence[int], loss: Exception | None, missing: int
) -> None:
    end = assert_laws(whole.stream[:-missing], cuts, loss)
    if not whole.until_the_end or loss is not None:
        assert end.failure is Failure.RESET


@pytest.mark.parametrize(
    "stream",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n\r\n",
        b"HTTP/1.1 103 Early\r\ncontent-length: 2\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 103 Early\r\ntransfer-encoding: gzip, chunked\r\n\r\nHTTP/1.1 429 \r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: " + b"0" * 60 + b"2\r\n\r\nok",
        b"HTTP/1.1 200 O\x01\x00K\r\ncontent-length: 2\r\n\r\nok",
    ],
)
def test_what_fuzzing_found_stays_found(stream: bytes) -> None:
    for cuts in ((), range(len(stream)), (len(stream) - 1,), (20, 40)):
        assert_laws(stream, cuts, None)


# --- The same over real sockets ---------------------------------------------------------------------------------------


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(streams, st.integers(0, 400), st.booleans()), min_size=4, max_size=8))
def test_real_sockets_bring_what_the_connection_alone_brings(
    run: "Run",
    serve: "Callable[..., Endpoint]",
    sending: "Sending",
    answers: list[tuple[bytes, int, bool]],
) -> None:
    """Several at once, each on an endpoint of its own that ends the connection in order or with a reset behind it."""

    def script(stream: bytes, cut: int) -> "Callable[[Peer], None]":
        def play(peer: "Peer") -> None:
            peer.read_request()
            peer.send(stream[:cut])
            peer.pause(0.001)
            peer.send(stream[cut:])
            peer.raw.shutdown(1)
            peer.hold()

        return play

    endpoints = [serve(script(stream, cut)) for stream, cut, _ in answers]

    async def scenario() -> list[End]:
        async with sending(*endpoints) as client:
            outcomes = await asyncio.gather(*(client.attempt(endpoint.request()) for endpoint in endpoints))
        return [End(o.failure, o.status, o.answer, o.retry_after, o.detail) for o in outcomes]

    assert run(scenario()) == [assert_laws(stream, (), None) for stream, _, _ in answers]
    for endpoint in endpoints:
        endpoint.stop()
