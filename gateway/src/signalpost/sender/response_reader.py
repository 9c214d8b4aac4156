"""Parses HTTP/1.1 answers from pieces as they arrive, within limits. Pure: bytes in, a verdict out.

An answer goes through three states: its head (interim 1xx heads are read and forgotten before the final one),
its body, and over. Two readers share the work. This one is the authority on where a head ends and how long
anything may get: it holds a head back until the empty line has come, so that no header grows without bound
inside the parser, and no result depends on how the network cut the bytes. httptools (llhttp, strict) is the
authority on whether the bytes are HTTP and where the body ends; it gets each head whole, then the body, never
more than the cap.

An answer is over when it is complete, when it is not HTTP (`fault`), or when the body's cap is reached: then
its status decides, for the endpoint has said what it had to say. An answer that ends with the connection is
completed by `end()`. Only a complete answer with nothing behind it leaves the connection, and this reader,
fit for another (`reusable`).

Endpoints mostly answer the same each time, for a second at least, until their `date` is another. A short answer that
came in one piece and is, byte for byte, the one before it on its connection is not parsed again.
"""

import httptools
from msgspec import Struct

from signalpost.domain.delivery.outcome import ANSWER_KEPT_BYTES, Failure

MAX_HEADERS = 128
MAX_LINE_BYTES = 8 * 1024
MAX_HEADS_BYTES = 32 * 1024
"""Maximum bytes of all heads of one answer together, interim ones included."""
MAX_BODY_BYTES = 64 * 1024
"""Maximum bytes of a body on the wire. Chunk framing and trailers count, so that they cannot get around the cap."""

MAX_REMEMBERED_BYTES = 1024
"""The longest answer that is remembered. Thousands of connections remember one each."""

_END = b"\r\n\r\n"
_START = b"HTTP/1."


class _ReadAnswer(Struct, frozen=True, gc=False):
    """An answer that left its reader fit for another."""

    data: bytes
    kept_bytes: int
    status: int | None
    kept: bytes
    head: bytes


class AnswerReader:
    """Reads the answers of one connection, one after another."""

    __slots__ = (
        "_before",
        "_body_bytes",
        "_complete",
        "_head",
        "_head_read",
        "_heads_bytes",
        "_held",
        "_keep_alive",
        "_kept_bytes",
        "_parser",
        "_payload_bytes",
        "_tail",
        "began",
        "fault",
        "kept",
        "reusable",
        "status",
    )

    began: bool
    """Whether any byte has arrived."""
    status: int | None
    """The status code of the final head, once that is complete."""
    kept: bytes
    """The first bytes of the body, as many as `begin` was told to keep."""
    fault: str | None
    """A sentence why the bytes are not an answer that can be understood; None if they are."""
    reusable: bool

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._before: _ReadAnswer | None = None
        self.begin()

    def begin(self, kept_bytes: int = ANSWER_KEPT_BYTES) -> None:
        """Expect a new answer. Only on a fresh reader, or after one that was `reusable`."""
        self._kept_bytes = kept_bytes
        self.began = self.reusable = self._complete = self._head_read = self._keep_alive = False
        self.status = self.fault = None
        self.kept = self._held = self._head = self._tail = b""
        self._heads_bytes = self._body_bytes = self._payload_bytes = 0

    def feed(self, data: bytes) -> bool:
        """Read the next bytes. Returns True once the answer is over."""
        if self.began:
            return self._parse(data)
        self.began = True
        before = self._before
        if before is not None and data == before.data and self._kept_bytes == before.kept_bytes:
            self.status, self.kept, self._head = before.status, before.kept, before.head
            self.reusable = self._complete = True
            return True
        is_over = self._parse(data)
        if self.reusable and len(data) <= MAX_REMEMBERED_BYTES:
            self._before = _ReadAnswer(data, self._kept_bytes, self.status, self.kept, self._head)
        return is_over

    def _parse(self, data: bytes) -> bool:
        """Read bytes with both readers. Returns True once the answer is over."""
        if self.status is None:
            rest = self._feed_heads(data)
            if rest is None:
                return self.fault is not None
            data = rest
        if not self._complete:
            return bool(data) and self._feed_body(data)
        self.reusable = not data and self._is_persistent()
        return True

    def end(self) -> bool:
        """The connection ended in good order. Returns True if that completes the answer."""
        return self.status is not None and (self._complete or not _is_delimited(self._head))

    def verdict(self) -> tuple[Failure | None, str]:
        """The failure that an answer means once it is over, and a sentence about it; no failure if it was a success."""
        status = self.status
        if self.fault is not None or status is None:
            return Failure.PROTOCOL, self.fault or ""
        if 200 <= status < 300:
            return None, ""
        if 300 <= status < 400:
            return (
                Failure.REDIRECT,
                f"The endpoint answered {status}, a redirect; redirects are not followed.",
            )
        return Failure.STATUS, f"The endpoint answered {status}."

    def retry_after(self) -> str | None:
        """The `retry-after` header, if the status (429 or 503) makes it a delay."""
        if self.status not in (429, 503):
            return None
        values = _header(self._head, b"retry-after")
        return values[0].decode("latin-1") if values else None

    @property
    def head(self) -> bytes:
        """The head of the final answer, once it is complete."""
        return self._head

    def _feed_heads(self, data: bytes) -> bytes | None:
        """Read heads up to the final one. Returns the bytes after it, or None if it is incomplete or faulty."""
        if self._held:
            data = self._held + data
        while True:
            end = data.find(_END) + len(_END)
            if end < len(_END):
                self._hold(data)
                return None
            head = data[:end]
            self._heads_bytes += end
            self.fault = _head_fault(head, self._heads_bytes)
            if self.fault is not None or not self._parse_head(head):
                return None
            data = data[end:]
            status = self._parser.get_status_code()
            if status >= 200:
                self.status = status
                self._head = head
                return data
            if status <= 101 and status != 100:
                self.fault = f"The endpoint answered {status:03}, which answers nothing that was asked."
                return None
            self._complete = self._head_read = False

    def _hold(self, data: bytes) -> None:
        """Keep an incomplete head for later, if it can still become a valid one."""
        if not data.startswith(_START[: len(data)]):
            self.fault = "The endpoint's answer is not HTTP/1.1."
        elif self._heads_bytes + len(data) > MAX_HEADS_BYTES:
            self.fault = _TOO_LONG
        self._held = data

    def _parse_head(self, head: bytes) -> bool:
        self._held = b""
        try:
            self._parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            self.fault = "The endpoint wants to switch to another protocol."
        except httptools.HttpParserError:
            self.fault = "The head of the endpoint's answer is malformed."
        else:
            # Both readers must agree on where the head ends, else they would disagree on the body too.
            if self._head_read:
                return True
            self.fault = "The head of the endpoint's answer is malformed."
        return False

    def _feed_body(self, data: bytes) -> bool:
        piece = data[: MAX_BODY_BYTES - self._body_bytes]
        self._body_bytes += len(piece)
        self._tail = (self._tail + piece[-5:])[-5:]
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserError:
            # Behind a complete answer anything may follow: it only costs the connection.
            if not self._complete:
                self.fault = "The body of the endpoint's answer is malformed."
            return True
        if self._complete:
            self.reusable = len(piece) == len(data) and self._is_exact() and self._is_persistent()
            return True
        return self._body_bytes >= MAX_BODY_BYTES

    def _is_exact(self) -> bool:
        """Whether nothing arrived after a complete body. The parser reports everything except line ends, which it takes
        for the empty lines that may precede another answer."""
        if self._body_bytes == self._payload_bytes:
            return True
        chunked = bool(_header(self._head, b"transfer-encoding"))
        return chunked and self._tail.endswith(_END) and self._tail[:1] != b"\n"

    def _is_persistent(self) -> bool:
        # What HTTP/1.0 calls keep-alive is not worth trusting.
        return self._keep_alive and self._head.startswith(b"HTTP/1.1")

    # Called by the parser.

    def on_message_begin(self) -> None:
        if self._complete:
            raise ValueError("a second answer to one request")

    def on_headers_complete(self) -> None:
        self._head_read = True

    def on_body(self, body: bytes) -> None:
        self._payload_bytes += len(body)
        room = self._kept_bytes - len(self.kept)
        if room > 0:
            self.kept += body[:room]

    def on_message_complete(self) -> None:
        self._complete = True
        self._keep_alive = self._parser.should_keep_alive()


_TOO_LONG = f"The head of the endpoint's answer exceeds {MAX_HEADS_BYTES // 1024} KiB."


def _head_fault(head: bytes, heads_bytes: int) -> str | None:
    if not head.startswith(_START):
        return "The endpoint's answer is not HTTP/1.1."
    if heads_bytes > MAX_HEADS_BYTES:
        return _TOO_LONG
    # The status line and the empty line at the end count two.
    if head.count(b"\r\n") - 2 > MAX_HEADERS:
        return f"The endpoint's answer has more than {MAX_HEADERS} headers."
    if len(head) > MAX_LINE_BYTES and max(map(len, head.split(b"\r\n"))) > MAX_LINE_BYTES:
        return f"The endpoint's answer has a header of more than {MAX_LINE_BYTES // 1024} KiB."
    return None


def _header(head: bytes, name: bytes) -> list[bytes]:
    """The values of a header in a head that the parser has accepted."""
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return [value.strip() for key, _, value in lines if key.lower() == name]


def _is_delimited(head: bytes) -> bool:
    """Whether the body declares its end, so that a connection that ends earlier has truncated it."""
    codings = b",".join(_header(head, b"transfer-encoding"))
    if codings:
        return codings.rsplit(b",", 1)[-1].strip().lower() == b"chunked"
    return bool(_header(head, b"content-length"))
