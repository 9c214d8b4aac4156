"""How an answer is read (C15): caps and framing. No sockets; `test_sender_streams.py` has any stream, cut anywhere."""

from collections.abc import Iterable
from typing import NamedTuple

import pytest

from signalpost.domain.delivery.outcome import ANSWER_KEPT_BYTES, Failure
from signalpost.sender.response_reader import MAX_BODY_BYTES, MAX_HEADERS, MAX_HEADS_BYTES, MAX_LINE_BYTES, AnswerReader


class Reading(NamedTuple):
    over: bool
    failure: Failure | None = None
    status: int | None = None
    kept: bytes = b""
    retry_after: str | None = None
    reusable: bool = False


def read(*pieces: bytes, end: bool = False) -> Reading:
    """What one answer in these pieces comes to; with `end`, the connection ends behind them."""
    reader = AnswerReader()
    over = False
    for piece in pieces:
        over = reader.feed(piece)
        if over:
            break
    if not over and end:
        over = reader.end()
    if not over:
        return Reading(over=False, status=reader.status, kept=reader.kept)
    failure, detail = reader.verdict()
    assert (failure is None) == (detail == "")
    assert detail == "" or detail.endswith(".")
    return Reading(True, failure, reader.status, reader.kept, reader.retry_after(), reader.reusable)


def answer(status: int = 200, body: bytes = b"", headers: Iterable[str] = (), *, length: bool = True) -> bytes:
    lines = [f"HTTP/1.1 {status} Word", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunked(*chunks: bytes, trailers: bytes = b"") -> bytes:
    sizes = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + sizes + b"0\r\n" + trailers + b"\r\n"


def test_a_2xx_is_a_success_and_its_body_is_kept_up_to_the_limit() -> None:
    assert read(answer(200, b"ok")) == Reading(True, None, 200, b"ok", reusable=True)
    assert read(answer(299)).failure is None
    long = bytes(range(256)) * 16
    assert read(answer(202, long)).kept == long[:ANSWER_KEPT_BYTES]


def test_a_reader_that_is_told_to_keeps_all_of_the_body_that_it_reads_and_the_head() -> None:
    reader = AnswerReader()
    reader.begin(MAX_BODY_BYTES)
    long = bytes(range(256)) * 300
    assert reader.feed(answer(200, long, ["X-Seen: yes"]))
    assert reader.kept == long[:MAX_BODY_BYTES]
    assert reader.head.startswith(b"HTTP/1.1 200 Word\r\nX-Seen: yes\r\n")


def test_an_answer_is_not_over_before_its_body_is_complete() -> None:
    assert not read(answer(200, b"ok")[:-1]).over
    assert not read(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r").over
    assert not read(chunked(b"abc")[:-2]).over
    assert not read(b"HTTP/1.1 200 OK\r\n\r\nabc").over


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_is_over_with_its_head(status: int) -> None:
    assert read(b"HTTP/1.1 %d Word\r\nContent-Length: 5\r\n\r\n" % status) == read(answer(status, length=False))
    assert read(answer(status, length=False)).reusable


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
def test_a_redirect_is_a_failure_of_its_own(status: int) -> None:
    got = read(answer(status, headers=["Location: https://elsewhere.example/"]))
    assert (got.failure, got.status, got.reusable) == (Failure.REDIRECT, status, True)


@pytest.mark.parametrize("status", [400, 404, 410, 413, 429, 500, 503, 599, 600, 999])
def test_any_other_status_is_a_failure_and_keeps_the_connection(status: int) -> None:
    got = read(answer(status, b"no"))
    assert (got.failure, got.status, got.kept, got.reusable) == (Failure.STATUS, status, b"no", True)


def test_retry_after_is_told_for_429_and_503_only_and_as_it_came() -> None:
    assert read(answer(429, headers=["Retry-After: 120"])).retry_after == "120"
    date = "Wed, 21 Oct 2026 07:28:00 GMT"
    assert read(answer(503, headers=[f"retry-after:  {date} "])).retry_after == date
    assert read(answer(503)).retry_after is None
    for status in (200, 301, 400, 500):
        assert read(answer(status, headers=["Retry-After: 120"])).retry_after is None


def test_interim_answers_are_skipped() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + b"HTTP/1.1 100 Continue\r\n\r\n"
    assert read(interim + answer(200, b"ok")) == read(answer(200, b"ok"))
    assert read(interim, interim, answer(500)) == read(answer(500))
    assert not read(interim).over


def test_interim_heads_count_towards_the_cap_on_heads() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    got = read(interim * (MAX_HEADS_BYTES // len(interim)), answer(200))
    assert (got.failure, got.status) == (Failure.PROTOCOL, None)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 099 Low\r\n\r\n",
        b"HTTP/1.1 000 None\r\n\r\n",
        b"HTTP/1.1 20 Short\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/0.9 200 OK\r\n\r\n",
        b"RTSP/1.0 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nName: folded\r\n over\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nName : spaced\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nName: a\x00b\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n",
        b"<html>hello</html>",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"\x15\x03\x01\x00\x02\x02\x50",
        b"\x00",
    ],
)
def test_what_is_not_http_1_is_a_protocol_failure(head: bytes) -> None:
    got = read(head)
    assert got.over
    assert (got.failure, got.status, got.reusable) == (Failure.PROTOCOL, None, False)


def test_a_malformed_body_is_a_protocol_failure_with_the_status() -> None:
    got = read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcZ")
    assert (got.failure, got.status, got.reusable) == (Failure.PROTOCOL, 200, False)


def test_a_head_is_capped_in_headers_in_a_lines_length_and_in_all() -> None:
    fits = [f"H{number}: v" for number in range(MAX_HEADERS - 1)]
    assert read(answer(headers=fits)).failure is None
    assert read(answer(headers=[*fits, "One: more"])).failure is Failure.PROTOCOL
    assert read(answer(headers=["H: " + "x" * (MAX_LINE_BYTES - 3)])).failure is None
    assert read(answer(headers=["H: " + "x" * (MAX_LINE_BYTES - 2)])).failure is Failure.PROTOCOL
    lines = ["H: " + "x" * 8000] * 4
    assert read(answer(headers=lines)).failure is None
    assert read(answer(headers=[*lines, "H: " + "x" * 900])).failure is Failure.PROTOCOL


def test_a_head_that_never_ends_is_given_up_at_the_cap() -> None:
    reader = AnswerReader()
    fed = 0
    reader.feed(b"HTTP/1.1 200 OK\r\nName: ")
    while not reader.feed(b"x" * 1000):
        fed += 1000
        assert fed <= MAX_HEADS_BYTES
    assert reader.verdict()[0] is Failure.PROTOCOL


@pytest.mark.parametrize(("status", "failure"), [(200, None), (302, Failure.REDIRECT), (500, Failure.STATUS)])
def test_a_body_past_the_cap_is_decided_by_the_status_and_costs_the_connection(
    status: int, failure: Failure | None
) -> None:
    got = read(answer(status, b"x" * (MAX_BODY_BYTES + 1)))
    assert (got.failure, got.status, got.reusable) == (failure, status, False)
    assert read(answer(status, b"x" * MAX_BODY_BYTES)).reusable


def test_no_framing_gets_around_the_cap_on_the_body() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for piece in (b"1;extension=" + b"e" * 500 + b"\r\na\r\n", b"1\r\na\r\n"):
        assert read(head + piece * (MAX_BODY_BYTES // len(piece) + 1)).failure is None
    trailers = head + b"0\r\n" + b"Name: value\r\n" * (MAX_BODY_BYTES // 13 + 1)
    assert read(trailers) == Reading(True, None, 200)
    endless_size = head + b"1;" + b"e" * MAX_BODY_BYTES
    assert read(endless_size).over


def test_an_answer_that_ends_with_the_connection_is_complete_then() -> None:
    assert read(answer(200, b"abc", length=False), end=True) == Reading(True, None, 200, b"abc")
    gzip = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc"
    assert read(gzip, end=True) == Reading(True, None, 200, b"abc")


@pytest.mark.parametrize(
    "cut",
    [
        answer(200, b"abc")[:-1],
        answer(200, b"abc")[:-3],
        chunked(b"abc")[:-2],
        chunked(b"abc")[:-9],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 103 Early\r\n\r\n",
        b"",
    ],
)
def test_an_answer_that_says_where_it_ends_is_not_complete_before(cut: bytes) -> None:
    assert not read(cut, end=True).over


@pytest.mark.parametrize(
    "whole",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.1 204 None\r\nconnection: Close\r\n\r\n",
    ],
)
def test_a_connection_that_is_not_kept_open_is_not_used_again(whole: bytes) -> None:
    got = read(whole)
    assert (got.over, got.failure, got.reusable) == (True, None, False)


@pytest.mark.parametrize("extra", [answer(500, b"second"), b"x", b"\x00", b"HTTP/1.1 200", b"\r\n", b"\n", b"\r"])
@pytest.mark.parametrize(
    "first",
    [
        answer(200, b"ok"),
        answer(200, b"o\r\n"),
        answer(204, length=False),
        answer(200),
        chunked(b"ok"),
        chunked(b"ok", trailers=b"T: v\r\n"),
    ],
)
def test_bytes_behind_an_answer_cost_the_connection_and_nothing_else(first: bytes, extra: bytes) -> None:
    got = read(first + extra)
    assert got == read(first)._replace(reusable=False)
    assert got.failure is None


def test_a_reader_starts_afresh_for_each_answer() -> None:
    reader = AnswerReader()
    for status, body in ((500, b"x" * 2000), (204, b""), (200, b"ok")):
        reader.begin()
        assert not reader.began
        assert reader.feed(answer(status, body, length=status != 204))
        assert (reader.status, reader.kept, reader.reusable) == (status, body[:ANSWER_KEPT_BYTES], True)


def test_a_body_is_never_inflated() -> None:
    squeezed = b"\x1f\x8b\x08\x00not really"
    assert read(answer(200, squeezed, ["Content-Encoding: gzip"])).kept == squeezed


REPEATED = {
    "no body": answer(204, length=False),
    "a body": answer(200, b"ok"),
    "a wait": answer(503, b"busy", ["Retry-After: 7"]),
    "chunks": chunked(b"abc", b"d"),
    "hints before it": b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer(202, b"ok"),
    "a long body": answer(200, bytes(range(256)) * 16),
}


def read_by(reader: AnswerReader, *pieces: bytes, kept_bytes: int = ANSWER_KEPT_BYTES) -> tuple[bytes, Reading]:
    """The head of one more answer in these pieces, and what it comes to."""
    reader.begin(kept_bytes)
    over = [reader.feed(piece) for piece in pieces][-1]
    return reader.head, Reading(
        over, reader.verdict()[0], reader.status, reader.kept, reader.retry_after(), reader.reusable
    )


@pytest.mark.parametrize("data", REPEATED.values(), ids=REPEATED)
def test_an_answer_reads_the_same_however_often_it_comes_on_its_connection(data: bytes) -> None:
    first = read_by(AnswerReader(), data)
    assert first[1].reusable
    reader = AnswerReader()
    assert [read_by(reader, data) for _ in range(3)] == [first] * 3
    assert read_by(reader, data, kept_bytes=1) == read_by(AnswerReader(), data, kept_bytes=1)
    assert [read_by(reader, data) for _ in range(2)] == [first] * 2
    assert read_by(reader, data[:-1], data[-1:]) == first
    assert read_by(reader, data) == first
    other = answer(418, b"tea")
    assert read_by(reader, other) == read_by(AnswerReader(), other)
    assert read_by(reader, data) == first
    assert not read_by(reader, data + b"x")[1].reusable


def test_an_answer_that_begins_as_the_one_before_is_read_to_its_own_end() -> None:
    short, long = answer(200, b"ok", length=False, headers=["Content-Length: 2"]), answer(200, b"okay")
    reader = AnswerReader()
    for data in (short, long, short, short + b"x"):
        assert read_by(reader, data) == read_by(AnswerReader(), data)
