"""Parses the head of a request, and refuses requests that two servers could understand differently. Pure: bytes in, a
value or an error out.

The parser behind it (llhttp, strict) decides what is HTTP. This module decides what is accepted: one way to say where a
body ends, one value for each header that matters, a path and not a whole URL. It never guesses what a proxy in front
may have understood.
"""

import re
from collections import Counter
from typing import Self
from urllib.parse import unquote

from msgspec import Struct

from signalpost.domain.errors import HeadTooLarge, Unparseable
from signalpost.listener.application import Head

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 100
END = b"\r\n\r\n"
_END_BYTES = len(END)
UNKNOWN_METHOD = "?"

_REQUEST_LINE = re.compile(rb"([A-Z-]{1,20}) (/[^ #]*) HTTP/1\.([01])")
_BEGINNING = re.compile(rb"[A-Z-]{1,20}(?: .*)?", re.DOTALL)
_USUAL_LINE = re.compile(
    rb"(GET|PUT|POST|PATCH|DELETE) (/[A-Za-z0-9/._~%:@!$&'()*+,;=-]*)"
    rb"(?:\?([A-Za-z0-9/._~%:@!$&'()*+,;=?-]*))? HTTP/1\.1(?=\r\n)"
)
_USUAL_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: ([0-9]{1,9})(?=\r\n)")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_ONCE = frozenset(
    (b"authorization", b"content-length", b"content-type", b"expect", b"host", b"idempotency-key", b"if-match",
     b"signalpost-tenant", b"transfer-encoding")
)  # fmt: skip
"""Headers that must not be repeated: the first would count here, and perhaps the last elsewhere."""


class HeadFinder:
    """Takes one head after the other from what a client sent."""

    def __init__(self) -> None:
        self._searched = 0
        """The position in the unread bytes up to which no head ends."""

    def take(self, unread: bytearray) -> bytes | None:
        """The next complete head, or None. Raises Unparseable or HeadTooLarge if there cannot be one."""
        while unread.startswith(b"\r\n"):
            del unread[:2]
        end = unread.find(END, self._searched)
        if end < 0:
            self._searched = max(0, len(unread) - _END_BYTES + 1)
            if len(unread) > unread.startswith(b"\r") and (fault := _fault_of_beginning(unread)) is not None:
                raise fault
            return None
        self._searched = 0
        end += _END_BYTES
        head = bytes(unread[:end])
        del unread[:end]
        return head


class KnownHeaders(Struct, frozen=True):
    """The headers of a request that was taken, by which the next head on its connection is recognised. Clients that
    keep a connection mostly send the same ones again, but for the content-length."""

    raw: bytes
    """Their lines as they came, without the content-length."""
    first: Head

    @classmethod
    def of(cls, head: Head, raw: bytes) -> Self | None:
        """The headers of a head that was parsed; None if there is anything unusual about it."""
        usual = _usual(raw)
        if usual is None or head.length is None or head.expects_continue or len(head.headers) == MAX_HEADERS:
            return None
        lines = usual[2]
        # A content-length that is written otherwise is still among them, and must stay the only one.
        return None if b"content-length" in lines.lower() else cls(lines, head)

    def recognise(self, raw: bytes) -> Head | None:
        """The head, if its headers are these. Its path then has no character about which two parsers could differ."""
        usual = _usual(raw)
        if usual is None or usual[2] != self.raw:
            return None
        line, length, _ = usual
        method, path, query = line.groups()
        return Head(
            method=method.decode("ascii"),
            path=_path(path),
            raw_path=path,
            query=query or b"",
            headers=self.first.headers,
            named=self.first.named,
            length=0 if length is None else int(length[1]),
            client=self.first.client,
            scheme=self.first.scheme,
        )


def _usual(head: bytes) -> tuple[re.Match[bytes], re.Match[bytes] | None, bytes] | None:
    """The request line of a usual head, its content-length, and the lines of its other headers."""
    line = _USUAL_LINE.match(head)
    if line is None or len(head) > MAX_HEAD_BYTES:
        return None
    begin = line.end()
    length = _USUAL_LENGTH.search(head, begin)
    if length is None:
        return line, None, head[begin:]
    left, right = length.span()
    return line, length, head[begin:left] + head[right:]


def _fault_of_beginning(begun: bytes | bytearray) -> Unparseable | HeadTooLarge | None:
    """Why these bytes, a whole head or its beginning, cannot be valid. An invalid beginning is refused at once."""
    if not _BEGINNING.fullmatch(begun):
        return Unparseable("not_http", "This is not an HTTP/1.1 request.")
    if begun.count(b"\n") != begun.count(b"\r\n"):
        return Unparseable("malformed_head", "The lines of a request's head end with CR and LF.")
    if len(begun) > MAX_HEAD_BYTES:
        return HeadTooLarge("head_too_large", f"The head of a request can have at most {MAX_HEAD_BYTES} bytes.")
    return None


def read_head(head: bytes, client: str | None, scheme: str) -> Head:
    """A head, with the empty line that ends it. `client` and `scheme` are those of the connection. Raises Unparseable,
    HeadTooLarge."""
    if (fault := _fault_of_beginning(head)) is not None:
        raise fault
    first, *lines = head[: -len(END)].split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(first)
    if match is None:
        raise _bad_request_line(first)
    if len(lines) > MAX_HEADERS:
        raise HeadTooLarge("head_too_large", f"A request can have at most {MAX_HEADERS} headers.")
    headers = []
    for line in lines:
        name, _, value = line.partition(b":")
        headers.append((name.lower(), value.strip(b" \t")))
    named = dict(headers)
    if len(named) != len(headers):
        _check_repeated(headers)
    method, target, minor = match.groups()
    if minor == b"1" and b"host" not in named:
        raise Unparseable("no_host", "An HTTP/1.1 request has a `host` header.")
    path, _, query = target.partition(b"?")
    return Head(
        method=method.decode("ascii"),
        path=_path(path),
        raw_path=path,
        query=query,
        headers=[each for each in headers if each[0] != b"content-length"],
        named={name: value.decode("latin-1") for name, value in reversed(headers) if name != b"content-length"},
        length=_length(named, http_1_1=minor == b"1"),
        http_1_1=minor == b"1",
        expects_continue=minor == b"1" and named.get(b"expect", b"").lower() == b"100-continue",
        client=client,
        scheme=scheme,
    )


def unknown_head(client: str | None, scheme: str) -> Head:
    """Stands for the head of a request that cannot be read."""
    return Head(
        method=UNKNOWN_METHOD, path="/", raw_path=b"/", query=b"", headers=(), named={}, length=0, client=client,
        scheme=scheme,
    )  # fmt: skip


def _path(raw: bytes) -> str:
    path = raw.decode("latin-1")
    return unquote(path) if "%" in path else path


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
