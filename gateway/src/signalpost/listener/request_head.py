"""Parses the head of a request, and refuses requests that two servers could understand differently. Pure: bytes in, a
value or an error out.

The parser behind it (llhttp, strict) decides what is HTTP. This module decides what is accepted: one way to say where a
body ends, one value for each header that matters, a path and not a whole URL. It never guesses what a proxy in front
may have understood.
"""

import re
from collections import Counter

from msgspec import Struct

from signalpost.domain.errors import HeadTooLarge, Unparseable

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 100
END = b"\r\n\r\n"

_REQUEST_LINE = re.compile(rb"([A-Z-]{1,20}) (/[^ #]*) HTTP/1\.([01])")
_BEGINNING = re.compile(rb"[A-Z-]{1,20}(?: .*)?", re.DOTALL)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_ONCE = frozenset(
    (b"authorization", b"content-length", b"content-type", b"expect", b"host", b"idempotency-key", b"if-match",
     b"signalpost-tenant", b"transfer-encoding")
)  # fmt: skip
"""Headers that must not be repeated: the first would count here, and perhaps the last elsewhere."""


class RequestHead(Struct, frozen=True):
    method: str
    path: bytes
    """The path as it was sent, with its percent-encoding."""
    query: bytes
    http_1_1: bool
    headers: list[tuple[bytes, bytes]]
    """Names in lower case."""
    length: int | None
    """The body's length in bytes; None for a chunked body."""
    expects_continue: bool


def fault_of_beginning(begun: bytes | bytearray) -> Unparseable | HeadTooLarge | None:
    """Why these bytes, a whole head or its beginning, cannot be valid. An invalid beginning is refused at once."""
    if not _BEGINNING.fullmatch(begun):
        return Unparseable("not_http", "This is not an HTTP/1.1 request.")
    if begun.count(b"\n") != begun.count(b"\r\n"):
        return Unparseable("malformed_head", "The lines of a request's head end with CR and LF.")
    if len(begun) > MAX_HEAD_BYTES:
        return HeadTooLarge("head_too_large", f"The head of a request can have at most {MAX_HEAD_BYTES} bytes.")
    return None


def read_head(head: bytes) -> RequestHead:
    """A head, with the empty line that ends it. Raises Unparseable, HeadTooLarge."""
    if (fault := fault_of_beginning(head)) is not None:
        raise fault
    first, *lines = head[: -len(END)].split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(first)
    if match is None:
        raise _bad_request_line(first)
    if len(lines) > MAX_HEADERS:
        raise HeadTooLarge("head_too_large", f"A request can have at most {MAX_HEADERS} headers.")
    headers = []
    for writer in lines:
        name, _, value = writer.partition(b":")
        headers.append((name.lower(), value.strip(b" \t")))
    named = dict(headers)
    if len(named) != len(headers):
        _check_repeated(headers)
    method, target, minor = match.groups()
    if minor == b"1" and b"host" not in named:
        raise Unparseable("no_host", "An HTTP/1.1 request has a `host` header.")
    path, _, query = target.partition(b"?")
    return RequestHead(
        method=method.decode("ascii"),
        path=path,
        query=query,
        http_1_1=minor == b"1",
        headers=headers,
        length=_length(named, http_1_1=minor == b"1"),
        expects_continue=minor == b"1" and named.get(b"expect", b"").lower() == b"100-continue",
    )


def _length(named: dict[bytes, bytes], *, http_1_1: bool) -> int | None:
    """Where the body ends. The head must say so in exactly one unambiguous way."""
    length, coding = named.get(b"content-length"), named.get(b"transfer-encoding")
    if coding is None:
        if length is None:
            return 0
        if _LENGTH.fullmatch(length):
            return int(length)
        raise Unparseable("bad_length", "`content-length` must be one whole number.")
    if length is not None:
        raise Unparseable("bad_length", "Send `content-length` or `transfer-encoding`, not both.")
    if coding.lower() != b"chunked" or not http_1_1:
        raise Unparseable("bad_length", "The only `transfer-encoding` taken is `chunked`, with HTTP/1.1.")
    return None


def _check_repeated(headers: list[tuple[bytes, bytes]]) -> None:
    times = Counter(name for name, _ in headers)
    repeated = sorted(name.decode("ascii") for name in _ONCE if times[name] > 1)
    if repeated:
        raise Unparseable("repeated_header", f"Send these headers once: {', '.join(repeated)}.")


def _bad_request_line(writer: bytes) -> Unparseable:
    _, _, target = writer.rpartition(b" ")[0].partition(b" ")
    if writer.endswith((b" HTTP/1.1", b" HTTP/1.0")) and not target.startswith((b"/", b" ")):
        return Unparseable("bad_target", "Send the path of the address alone, beginning with `/`: this is no proxy.")
    return Unparseable("not_http", "This is not an HTTP/1.1 request.")
