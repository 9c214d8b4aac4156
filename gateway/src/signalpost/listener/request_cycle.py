"""One request and its answer, as the application receives and sends them through ASGI.

The body arrives as the client sends it (`take`); it is *whole*, *broken* off, or still arriving. The answer begins,
continues, and is *over* when it is complete or when the client is gone, whichever comes first; what the application
sends after that is dropped. Both are independent: an import is answered while it arrives, and a request without a key
before its body has arrived.
"""

import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from typing import Protocol

from signalpost.listener.request_head import END
from signalpost.runtime.asgi import App, Message, Scope
from signalpost.runtime.logger import log

Headers = Iterable[tuple[bytes, bytes]]

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}".encode() for status in HTTPStatus}
_BODILESS = frozenset((204, 304))


class ResponseWriter(Protocol):
    """What a cycle needs of its connection."""

    flowing: asyncio.Event
    """Set while the client reads fast enough for more to be written."""

    def write(self, data: bytes) -> None: ...

    def read_on(self) -> None:
        """The application has read all of the body that had arrived."""

    def is_persistent(self) -> bool:
        """Whether the connection stays open for another request, as far as it knows."""

    def answered(self) -> None:
        """The answer is complete."""

    def abort(self) -> None:
        """The rest of the answer will not come."""


class RequestCycle:
    def __init__(
        self,
        writer: ResponseWriter,
        scope: Scope,
        default_headers: Headers,
        *,
        expects_continue: bool = False,
    ) -> None:
        """`default_headers` are added to every answer."""
        self._writer = writer
        # The scope is not kept: it leads back here (`ARRIVED`), and whatever goes in a circle waits for the collector.
        self._is_head_request = scope["method"] == "HEAD"
        self._takes_chunks = scope["http_version"] == "1.1"
        self._default_headers = default_headers
        self._owes_continue = expects_continue
        self._news = asyncio.Event()
        self._body = bytearray()
        self.whole = False
        """The whole body has arrived."""
        self._is_read = False
        """The application has read the whole body."""
        self._broken = False
        """The rest of the body will not arrive."""
        self._has_left = False
        """The client sends nothing more, not even another request. It may still read an answer."""
        self.over = False
        """The answer is complete, or the client is gone."""
        self._head: bytes | None = None
        """The answer's head, held back until the first part of its body, so that both are one write."""
        self._begun = self._chunked = self._silent = False
        self._left: int | None = None
        """Bytes that are still to be sent of an answer with a content-length."""

    @property
    def held_bytes(self) -> int:
        """Bytes of the body that the application has not read yet."""
        return len(self._body)

    # --- Called by the connection -------------------------------------------------------------------------------------

    def take(self, body: bytes) -> None:
        """A part of the body has arrived."""
        if not self.over:
            self._body += body
            self._news.set()

    def end_body(self) -> None:
        self.whole = True
        self._news.set()

    def break_off(self) -> None:
        """The rest of the body will not arrive, or is malformed. An answer can still be sent."""
        self._broken = True
        self._news.set()

    def leave(self) -> None:
        """The client sends nothing more. An answer can still be sent, but an application that has read the whole body
        and waits for the client to be gone need not wait longer."""
        self._has_left = True
        self._news.set()

    def lose(self) -> None:
        """The client is gone."""
        self.over = True
        self._news.set()

    # --- Called by the application ------------------------------------------------------------------------------------

    async def run(self, app: App, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._send)
        except Exception:
            log.exception("an answer ended halfway with an error")
        finally:
            if not self.over:
                self.over = True
                self._writer.abort()

    async def _receive(self) -> Message:
        if self._owes_continue and not self._news.is_set() and not self._begun:
            self._writer.write(_CONTINUE)
        self._owes_continue = False
        if not self._news.is_set():
            await self._news.wait()
        if self._broken or self.over or (self._has_left and self._is_read):
            return {"type": "http.disconnect"}
        if not self._has_left:
            self._news.clear()
        body, self._body = bytes(self._body), bytearray()
        self._writer.read_on()
        self._is_read = self.whole
        return {"type": "http.request", "body": body, "more_body": not self.whole}

    async def _send(self, message: Message) -> None:
        if self.over:
            return
        if message["type"] == "http.response.start":
            self._begin(message["status"], message.get("headers", ()))
        else:
            self._go_on(message.get("body", b""), last=not message.get("more_body", False))
        if not self._writer.flowing.is_set() and not self.over:
            await self._writer.flowing.wait()

    def _begin(self, status: int, headers: Headers) -> None:
        if self._begun:
            raise RuntimeError("an answer began twice")
        self._begun = True
        given = (*self._default_headers, *headers)
        lines = [_STATUS_LINES[status], *map(b": ".join, given)]
        if (length := dict(given).get(b"content-length")) is not None:
            self._left = int(length)
        self._silent = self._is_head_request or status in _BODILESS
        streamed = self._left is None and not self._silent
        if streamed and self._takes_chunks:
            self._chunked = True
            lines.append(b"transfer-encoding: chunked")
        # A client that still sends when the whole answer is there would not know how much of its request was read. If
        # the answer is streamed, the client finishes sending first.
        if not self._writer.is_persistent() or not (self.whole or streamed):
            lines.append(b"connection: close")
        written = b"".join(lines)
        if b"\n" in written or b"\r" in written:
            raise RuntimeError("a header of an answer has a line end in it")
        head = b"\r\n".join(lines) + END
        if streamed:
            self._writer.write(head)
        else:
            self._head = head

    def _go_on(self, body: bytes, *, last: bool) -> None:
        if not self._begun:
            raise RuntimeError("an answer has no head")
        if self._silent:
            body = b""
        elif self._chunked:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"0\r\n\r\n" if last else b"")
        elif self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (last and self._left):
                raise RuntimeError("an answer is not as long as it says")
        if self._head is not None:
            body = self._head + body  # one packet, where both are short
            self._head = None
        if body:
            self._writer.write(body)
        if last:
            self.over = True
            self._writer.answered()
