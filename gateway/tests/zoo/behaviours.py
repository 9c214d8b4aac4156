"""The zoo: what receivers may do to a sender, wrong in every way that is known, and what each must come to.

A behaviour plays on one connection at a time, in a thread that may block (see `sender/endpoint.py`). Times are relative
to the attempt's, so that tests need not take five seconds for what takes five in life. Where an answer says `nonce=`,
it is that of the request it answers; `nonce=0` is in what answers nothing, and must never be seen.
"""

import re
import socket
from collections.abc import Callable, Iterator
from typing import NamedTuple

from gateway.tests.sender.endpoint import Peer

from signalpost.domain.delivery.outcome import Failure

DELIVERED = None
MEGABYTE = b"m" * 1_000_000
HEAD = b"HTTP/1.1 200 OK\r\n"
STRAY = HEAD + b"content-length: 8\r\n\r\nnonce=0;"
_NONCE = re.compile(rb"\r\nnonce: (\d*)")


class Times(NamedTuple):
    timeout: float
    """What an attempt has, in seconds."""
    margin: float
    """How much before and after it the late ones answer."""


Play = Callable[[Peer, Times], None]


class Behaviour(NamedTuple):
    name: str
    does: str
    play: Play
    ends: frozenset[Failure | None]
    """Every class that an attempt may end with; None is delivered."""
    tls: str | None = None
    """Which of the zoo's TLS contexts it has; None for plain HTTP, `raw` for what it says itself on an https port."""
    body: bytes = b"{}"
    """What it is sent."""
    alone: bool = False
    """One attempt at a time, with a pause behind it: bytes of its answer that met the next request on its way could not
    be told from that one's answer."""

    @property
    def secure(self) -> bool:
        return self.tls is not None


def asked(peer: Peer) -> bytes:
    """Read a request; what an honest answer to it has as its body."""
    return named(peer.read_request().head)


def named(head: bytes) -> bytes:
    match = _NONCE.search(head)
    return b"nonce=%b;" % (match[1] if match else b"")


def ok(body: bytes) -> bytes:
    return HEAD + b"content-length: %d\r\n\r\n%b" % (len(body), body)


# --- Makers of plays --------------------------------------------------------------------------------------------------


def says(answer: bytes) -> Play:
    """This answer to every request, whatever the client does with it."""

    def play(peer: Peer, _times: Times) -> None:
        while True:
            peer.read_request()
            peer.send(answer)

    return play


def says_and_closes(answer: bytes) -> Play:
    def play(peer: Peer, _times: Times) -> None:
        peer.read_request()
        peer.send(answer)

    return play


def begins_and_floods(beginning: bytes, flood: bytes) -> Play:
    def play(peer: Peer, _times: Times) -> None:
        peer.read_request()
        peer.send(beginning)
        while True:
            peer.send(flood)

    return play


def begins_and_drips(beginning: bytes, drop: bytes) -> Play:
    def play(peer: Peer, times: Times) -> None:
        peer.read_request()
        peer.send(beginning)
        while True:
            peer.send(drop)
            peer.pause(times.timeout / 100)

    return play


def begins_and_stays(beginning: bytes) -> Play:
    def play(peer: Peer, _times: Times) -> None:
        peer.read_request()
        peer.send(beginning)
        peer.hold()

    return play


def begins_and_resets(beginning: bytes) -> Play:
    def play(peer: Peer, times: Times) -> None:
        peer.read_request()
        peer.send(beginning)
        peer.pause(times.timeout / 20)
        peer.reset()

    return play


def after(share_of_margin: int) -> Play:
    def play(peer: Peer, times: Times) -> None:
        while True:
            body = asked(peer)
            peer.pause(times.timeout + share_of_margin * times.margin)
            peer.send(ok(body))

    return play


# --- Plays ------------------------------------------------------------------------------------------------------------


def honest(peer: Peer, _times: Times) -> None:
    while True:
        peer.send(ok(asked(peer)))


def honest_chunks(peer: Peer, _times: Times) -> None:
    while True:
        body = asked(peer)
        chunks = b"".join(b"1;x=y\r\n%c\r\n" % byte for byte in body)
        peer.send(HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\nx: y\r\n\r\n")


def byte_by_byte(peer: Peer, _times: Times) -> None:
    while True:
        for byte in ok(asked(peer)):
            peer.send(bytes([byte]))


def hints_first(peer: Peer, _times: Times) -> None:
    while True:
        body = asked(peer)
        peer.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 3 + b"HTTP/1.1 100 Continue\r\n\r\n" + ok(body))


def silent(peer: Peer, _times: Times) -> None:
    peer.hold()


def reads_nothing(peer: Peer, times: Times) -> None:
    peer.pause(times.timeout * 20)


def slow_head(peer: Peer, times: Times) -> None:
    peer.drip(ok(asked(peer)), times.timeout / 20)


def closes_at_once(_peer: Peer, _times: Times) -> None:
    pass


def closes_after_the_request(peer: Peer, _times: Times) -> None:
    peer.read_request()


def resets_at_once(peer: Peer, _times: Times) -> None:
    peer.reset()


def resets_after_the_head(peer: Peer, _times: Times) -> None:
    peer.read_head()
    peer.reset()


def resets_after_the_request(peer: Peer, _times: Times) -> None:
    peer.read_request()
    peer.reset()


def half_closes_unanswered(peer: Peer, _times: Times) -> None:
    peer.read_request()
    peer.raw.shutdown(socket.SHUT_WR)
    peer.hold()


def half_closes_after_the_answer(peer: Peer, _times: Times) -> None:
    peer.send(ok(asked(peer)))
    peer.raw.shutdown(socket.SHUT_WR)
    peer.hold()


def until_the_end(peer: Peer, _times: Times) -> None:
    peer.send(HEAD + b"\r\n" + asked(peer))


def early_answer(peer: Peer, _times: Times) -> None:
    while True:
        body = named(peer.read_head())
        peer.send(b"HTTP/1.1 413 Large\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        peer.skip(len(MEGABYTE) * 8)


def early_answer_and_reset(peer: Peer, times: Times) -> None:
    body = named(peer.read_head())
    peer.send(b"HTTP/1.1 413 Large\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
    peer.pause(times.timeout / 20)
    peer.reset()


def second_answer(peer: Peer, _times: Times) -> None:
    peer.send(ok(asked(peer)) + STRAY)
    peer.hold()


def more_than_it_says(peer: Peer, _times: Times) -> None:
    peer.send(ok(asked(peer)) + b" and more")
    peer.hold()


def keeps_and_closes(peer: Peer, _times: Times) -> None:
    peer.send(ok(asked(peer)))
    peer.read_request()  # and goes, without a word


def continues_later(peer: Peer, times: Times) -> None:
    peer.send(ok(asked(peer)))
    peer.pause(times.timeout / 50)
    peer.send(b" and more of that answer")
    peer.hold()


def body_behind_204(peer: Peer, _times: Times) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 204 None\r\ncontent-length: 7\r\n\r\n" + STRAY)
    peer.hold()


def talks_first(peer: Peer, _times: Times) -> None:
    peer.send(b"220 mail.example ESMTP\r\n")
    peer.hold()


def wrong_nonce_while_idle(peer: Peer, times: Times) -> None:
    peer.send(ok(asked(peer)))
    # Long before the next request; one that crossed it on the way nobody could tell from its answer.
    peer.pause(times.timeout / 50)
    peer.send(STRAY)
    peer.hold()


# --- Plays on an https port -------------------------------------------------------------------------------------------


def stalls_in_the_handshake(peer: Peer, _times: Times) -> None:
    peer.hold()


def plain_on_the_tls_port(peer: Peer, _times: Times) -> None:
    peer.send(STRAY)
    peer.hold()


def garbage_in_the_handshake(peer: Peer, _times: Times) -> None:
    peer.send(bytes(range(256)) * 4)
    peer.hold()


def fatal_alert(peer: Peer, _times: Times) -> None:
    peer.send(b"\x15\x03\x03\x00\x02\x02\x28")
    peer.hold()


def drips_a_record(peer: Peer, times: Times) -> None:
    peer.send(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xf0")
    while True:
        peer.send(b"\x00")
        peer.pause(times.timeout / 100)


def endless_records(peer: Peer, _times: Times) -> None:
    while True:
        peer.send(b"\x16\x03\x03\x40\x00\x0b\xff\xff\xf0" + bytes(16380))


def cuts_tls_after_the_answer(peer: Peer, _times: Times) -> None:
    """The TCP connection ends without TLS having said so."""
    peer.send(ok(asked(peer)))
    raw = socket.socket(fileno=peer.raw.detach())
    raw.close()


def cuts_tls_in_the_answer(peer: Peer, _times: Times) -> None:
    peer.send(ok(asked(peer))[:-1])
    raw = socket.socket(fileno=peer.raw.detach())
    raw.close()


CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
P, R, T, S = Failure.PROTOCOL, Failure.RESET, Failure.TIMEOUT, Failure.STATUS


def _table() -> Iterator[Behaviour]:
    def one(
        name: str,
        does: str,
        play: Play,
        *ends: Failure | None,
        tls: str | None = None,
        body: bytes = b"{}",
        alone: bool = False,
    ) -> Behaviour:
        return Behaviour(name, does, play, frozenset(ends), tls, body, alone)

    # Those that are right, some of them in unusual ways.
    yield one("honest", "answers, and keeps the connection", honest, DELIVERED)
    yield one("honest chunks", "chunks of a byte, extensions, a trailer", honest_chunks, DELIVERED)
    yield one("byte by byte", "a packet for every byte", byte_by_byte, DELIVERED)
    yield one("hints first", "three 103, a 100, the answer", hints_first, DELIVERED)
    yield one("until the end", "an answer without a length, closed", until_the_end, DELIVERED)
    yield one("keep-alive then close", "closes when the second request comes", keeps_and_closes, DELIVERED)
    yield one("half close after", "ends its side behind the answer", half_closes_after_the_answer, DELIVERED)
    yield one("just in time", "answers shortly before the end", after(-1), DELIVERED)
    yield one("204", "no body", says(b"HTTP/1.1 204 None\r\n\r\n"), DELIVERED)
    yield one("NUL in the body", "zero bytes", says(ok(b"\0" * 9)), DELIVERED)
    yield one(
        "odd phrase",
        "control characters behind the status",
        says(b"HTTP/1.1 200 O\x01\x00K\r\ncontent-length: 0\r\n\r\n"),
        DELIVERED,
    )
    # Slow ones.
    yield one("silent", "reads, never answers", silent, T)
    yield one("just too late", "answers shortly after the end", after(1), T)
    yield one("slow head", "a byte of its head now and then", slow_head, T)
    yield one("slow interim", "a 103 now and then", begins_and_drips(b"", b"HTTP/1.1 103 E\r\n\r\n"), T)
    yield one(
        "dripping body",
        "a byte of its body now and then",
        begins_and_drips(HEAD + b"content-length: 5000\r\n\r\n", b"x"),
        T,
    )
    yield one("dripping chunks", "a chunk now and then", begins_and_drips(CHUNKED, b"1\r\na\r\n"), T)
    yield one("dripping trailers", "a trailer now and then", begins_and_drips(CHUNKED + b"0\r\n", b"x: y\r\n"), T)
    yield one("no end", "an answer without a length, never closed", begins_and_stays(HEAD + b"\r\nok"), T)
    yield one(
        "too little", "less than its length, then nothing", begins_and_stays(HEAD + b"content-length: 9\r\n\r\nok"), T
    )
    yield one("last chunk missing", "chunks, then nothing", begins_and_stays(CHUNKED + b"2\r\nok\r\n"), T)
    yield one("reads nothing", "takes no byte of a megabyte", reads_nothing, T, body=MEGABYTE * 8)
    # Endless ones.
    yield one("endless interim", "103 without end", begins_and_floods(b"", b"HTTP/1.1 103 E\r\n\r\n" * 500), P)
    yield one("endless header", "one header without end", begins_and_floods(HEAD + b"x: ", b"y" * 65536), P)
    yield one("endless headers", "headers without end", begins_and_floods(HEAD, b"x: y\r\n" * 5000), P)
    yield one("10,000 headers", "and a body", says(HEAD + b"x: y\r\n" * 10_000 + b"content-length: 0\r\n\r\n"), P)
    yield one("huge header", "one of 1 MB", says(HEAD + b"x: " + MEGABYTE + b"\r\ncontent-length: 0\r\n\r\n"), P)
    yield one("100 KB status line", "a phrase of 100 KB", says(b"HTTP/1.1 200 " + b"K" * 100_000 + b"\r\n\r\n"), P)
    yield one(
        "endless body",
        "more than 1 GB of its length",
        begins_and_floods(HEAD + b"content-length: 99999999999\r\n\r\n", bytes(65536)),
        DELIVERED,
    )
    yield one(
        "endless chunks",
        "chunks without end",
        begins_and_floods(CHUNKED, b"400\r\n" + bytes(1024) + b"\r\n"),
        DELIVERED,
    )
    yield one(
        "endless extension",
        "one chunk extension without end",
        begins_and_floods(CHUNKED + b"1;", b"e" * 65536),
        DELIVERED,
    )
    yield one(
        "1 GiB of trailers",
        "as long as anyone reads",
        begins_and_floods(CHUNKED + b"0\r\n", b"x: y\r\n" * 5000),
        DELIVERED,
    )
    yield one(
        "endless, with a 500", "a failure without end", begins_and_floods(b"HTTP/1.1 500 No\r\n\r\n", bytes(65536)), S
    )
    yield one(
        "gzip bomb",
        "zeros, squeezed",
        says(HEAD + b"content-encoding: gzip\r\ncontent-length: 40002\r\n\r\n\x1f\x8b" + bytes(40_000)),
        DELIVERED,
    )
    # Those that end too early.
    yield one("closes at once", "accepts and closes", closes_at_once, R)
    yield one("closes unanswered", "reads and closes", closes_after_the_request, R)
    yield one("half closes unanswered", "ends its side instead of answering", half_closes_unanswered, R)
    yield one("resets at once", "accepts and resets", resets_at_once, R)
    yield one("resets after the head", "and before the body", resets_after_the_head, R, body=MEGABYTE)
    yield one("resets unanswered", "reads and resets", resets_after_the_request, R)
    yield one("resets in its head", "half a head", begins_and_resets(HEAD), R)
    yield one("resets in its body", "half a body", begins_and_resets(HEAD + b"content-length: 9\r\n\r\nok"), R)
    yield one("resets instead of an end", "an answer without a length, reset", begins_and_resets(HEAD + b"\r\nok"), R)
    yield one("closes in its body", "half a body", says_and_closes(HEAD + b"content-length: 9\r\n\r\nok"), R)
    yield one("closes in a chunk", "half a chunk", says_and_closes(CHUNKED + b"9\r\nok"), R)
    # Early answers, and more than one.
    yield one("early answer", "answers before it reads a megabyte", early_answer, S, body=MEGABYTE * 8)
    yield one("early answer and reset", "and resets", early_answer_and_reset, S, body=MEGABYTE * 8)
    yield one("second answer", "two answers in one packet", second_answer, DELIVERED)
    yield one("stray answer", "another answer while idle", wrong_nonce_while_idle, DELIVERED, alone=True)
    yield one("more than it says", "bytes behind its length", more_than_it_says, DELIVERED)
    yield one("continues later", "more of its answer while idle", continues_later, DELIVERED, alone=True)
    yield one("204 with a body", "and it looks like an answer", body_behind_204, DELIVERED)
    yield one(
        "304 with a body", "as above", says(b"HTTP/1.1 304 Same\r\ncontent-length: 7\r\n\r\n" + STRAY), Failure.REDIRECT
    )
    # Other statuses.
    for status in (300, 301, 302, 303, 307, 308):
        redirect = b"HTTP/1.1 %d Elsewhere\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n" % status
        yield one(f"redirect {status}", "to somewhere inside", says(redirect), Failure.REDIRECT)
    for status in (400, 410, 429, 500, 503, 600, 999):
        refusal = b"HTTP/1.1 %d No\r\nretry-after: 1\r\ncontent-length: 2\r\n\r\nno" % status
        yield one(f"status {status}", "", says(refusal), S)
    # What is not HTTP/1.1, or could be read in two ways.
    for name, answer in (
        ("101", b"HTTP/1.1 101 Switch\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"),
        ("status 099", b"HTTP/1.1 099 Low\r\n\r\n"),
        ("status 1000", b"HTTP/1.1 1000 High\r\n\r\n"),
        ("HTTP/0.9", b"<html>hello</html>\r\n\r\n"),
        ("HTTP/2", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18)),
        ("HTTP/3.0 line", b"HTTP/3.0 200 OK\r\n\r\n"),
        ("garbage", bytes(range(256)) * 10),
        ("bare line ends", b"HTTP/1.1 200 OK\ncontent-length: 0\n\n\r\n\r\n"),
        ("NUL in a header", HEAD + b"x: a\0b\r\ncontent-length: 0\r\n\r\n"),
        ("folded header", HEAD + b"x: a\r\n b\r\ncontent-length: 0\r\n\r\n"),
        ("space in a name", HEAD + b"content-length : 0\r\n\r\n"),
        ("no colon", HEAD + b"hello\r\n\r\n"),
        ("two lengths", HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\nabc"),
        ("length and chunks", HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("negative length", HEAD + b"content-length: -1\r\n\r\n"),
        ("length without end", HEAD + b"content-length: " + b"9" * 40 + b"\r\n\r\n"),
        ("bad chunk size", CHUNKED + b"zz\r\nok\r\n0\r\n\r\n"),
        ("negative chunk size", CHUNKED + b"-2\r\nok\r\n0\r\n\r\n"),
        ("huge chunk size", CHUNKED + b"f" * 40 + b"\r\nok\r\n0\r\n\r\n"),
        ("chunk longer than it says", CHUNKED + b"1\r\nok\r\n0\r\n\r\n"),
        ("split answer", HEAD + b"x: a\r\r\n\r\n" + STRAY),
    ):  # fmt: skip
        yield one(name, "", says(answer), P)
    yield one("talks first", "a mail server's greeting", talks_first, P)
    # TLS, wrong in every way.
    yield one("TLS honest", "", honest, DELIVERED, tls="good")
    yield one("TLS knows only h2", "in its ALPN; speaks HTTP/1.1", honest, DELIVERED, tls="h2")
    yield one("TLS cut behind the answer", "no close_notify", cuts_tls_after_the_answer, DELIVERED, tls="good")
    yield one("TLS cut in the answer", "no close_notify", cuts_tls_in_the_answer, R, Failure.TLS_HANDSHAKE, tls="good")
    yield one(
        "TLS dripping body",
        "as above, sealed",
        begins_and_drips(HEAD + b"content-length: 5000\r\n\r\n", b"x"),
        T,
        tls="good",
    )
    yield one(
        "TLS endless chunks",
        "as above, sealed",
        begins_and_floods(CHUNKED, b"400\r\n" + bytes(1024) + b"\r\n"),
        DELIVERED,
        tls="good",
    )
    yield one("TLS expired", "", honest, Failure.TLS_EXPIRED, tls="expired")
    yield one("TLS not yet valid", "", honest, Failure.TLS_EXPIRED, tls="not yet")
    yield one("TLS wrong host", "", honest, Failure.TLS_HOSTNAME, tls="wrong host")
    yield one("TLS unknown authority", "", honest, Failure.TLS_UNTRUSTED, tls="unknown")
    yield one("TLS self-signed", "", honest, Failure.TLS_UNTRUSTED, tls="self-signed")
    yield one("TLS 1.1", "at most", honest, Failure.TLS_HANDSHAKE, tls="old")
    yield one("TLS no common cipher", "", honest, Failure.TLS_HANDSHAKE, tls="cipher")
    yield one("TLS wants a certificate", "of the client", honest, Failure.TLS_HANDSHAKE, R, tls="client")
    yield one("TLS stalled", "no word in the handshake", stalls_in_the_handshake, T, tls="raw")
    yield one(
        "TLS dripping handshake", "a byte of it now and then", drips_a_record, T, Failure.TLS_HANDSHAKE, tls="raw"
    )
    yield one("TLS endless handshake", "records without end", endless_records, Failure.TLS_HANDSHAKE, tls="raw")
    yield one("TLS plain", "an answer in plain text", plain_on_the_tls_port, Failure.TLS_HANDSHAKE, tls="raw")
    yield one("TLS garbage", "in the handshake", garbage_in_the_handshake, Failure.TLS_HANDSHAKE, tls="raw")
    yield one("TLS alert", "a fatal one, at once", fatal_alert, Failure.TLS_HANDSHAKE, tls="raw")
    yield one("TLS closed", "in the handshake", closes_at_once, Failure.TLS_HANDSHAKE, tls="raw")
    yield one("TLS reset", "in the handshake", resets_at_once, Failure.TLS_HANDSHAKE, R, Failure.CONNECT, tls="raw")


BEHAVIOURS: tuple[Behaviour, ...] = tuple(_table())
