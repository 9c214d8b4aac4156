"""One request and its answer, as the application receives and sends them through ASGI.

`request_state.py` has the states of its body and of its answer, which alone say what the application receives and how
what it sends is written.
"""

import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from typing import Protocol

from signalpost.listener.request_head import END
from signalpost.listener.request_state import ANSWERS, BODIES, AnswerInput, AnswerState, BodyInput, BodyState
from signalpost.runtime.asgi import App, Message, Scope
from signalpost.runtime.logger import log

Headers = Iterable[tuple[bytes, bytes]]

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}".encode() for status in HTTPStatus}
_BODILESS = frozenset((204, 304))

# Every request uses these. As names of this module they are found faster than members of their classes.
HELD_BACK, ARRIVING, WHOLE, WHOLE_AND_LAST = (
    BodyState.HELD_BACK,
    BodyState.ARRIVING,
    BodyState.WHOLE,
    BodyState.WHOLE_AND_LAST,
)
NONE, SILENT, SIZED, CHUNKED, OVER = (
    AnswerState.NONE,
    AnswerState.SILENT,
    AnswerState.SIZED,
    AnswerState.CHUNKED,
    AnswerState.OVER,
)
ARRIVE, END_OF_BODY, READ, END_ANSWER = BodyInput.ARRIVE, BodyInput.END, BodyInput.READ, AnswerInput.END
_NOTHING_FOLLOWS = (BodyState.BROKEN, BodyState.READ_AND_LAST)
_STREAMED = (AnswerState.CHUNKED, AnswerState.UNTIL_CLOSE)


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
        self._body = HELD_BACK if expects_continue else ARRIVING
        self._answer = NONE
        self._news = asyncio.Event()
        self._held = bytearray()
        self._head = b""
        """The answer's head, held back until the first part of its body, so that both are one write."""
        self._left = 0
        """Bytes that are still to be sent of an answer with a content-length."""

    @property
    def held_bytes(self) -> int:
        """Bytes of the body that the application has not read yet."""
        return len(self._held)

    def has_arrived(self) -> bool:
        """Whether the whole body has arrived."""
        return self._body >= WHOLE

    # --- Called by the connection -------------------------------------------------------------------------------------

    def take(self, body: bytes) -> None:
        """A part of the body has arrived."""
        if self._answer is not OVER:
            self._held += body
            self._body = BODIES[self._body][ARRIVE]
            self._news.set()

    def end_body(self) -> None:
        self._body = BODIES[self._body][END_OF_BODY]
        self._news.set()

    def break_off(self) -> None:
        """The rest of the body will not arrive, or is malformed. An answer can still be sent."""
        self._body = BODIES[self._body][BodyInput.BREAK_OFF]
        self._news.set()

    def leave(self) -> None:
        """The client sends nothing more. An answer can still be sent, but an application that has read the whole body
        and waits for the client to be gone need not wait longer."""
        self._body = BODIES[self._body][BodyInput.LEAVE]
        self._news.set()

    def lose(self) -> None:
        """The client is gone: nothing more is written. The application learns of it by `tell_of_loss`."""
        self._answer = ANSWERS[self._answer][END_ANSWER]

    def tell_of_loss(self) -> None:
        self._news.set()

    # --- Called by the application ------------------------------------------------------------------------------------

    async def run(self, app: App, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._send)
        except Exception:
            log.exception("an answer ended halfway with an error")
        finally:
            if self._answer is not OVER:
                self._answer = ANSWERS[self._answer][END_ANSWER]
                self._writer.abort()

    async def _receive(self) -> Message:
        if self._body is HELD_BACK:
            if self._answer is NONE:
                self._writer.write(_CONTINUE)
            self._body = BODIES[HELD_BACK][BodyInput.ASK]
        if not self._news.is_set():
            await self._news.wait()
        if self._answer is OVER or self._body in _NOTHING_FOLLOWS:
            return {"type": "http.disconnect"}
        if self._body is not WHOLE_AND_LAST:
            self._news.clear()
        self._body = BODIES[self._body][READ]
        part, self._held = bytes(self._held), bytearray()
        self._writer.read_on()
        return {"type": "http.request", "body": part, "more_body": self._body is ARRIVING}

    async def _send(self, message: Message) -> None:
        if self._answer is OVER:
            return
        if message["type"] == "http.response.start":
            self._begin(message["status"], message.get("headers", ()))
        else:
            self._go_on(message.get("body", b""), last=not message.get("more_body", False))
        if not self._writer.flowing.is_set() and self._answer is not OVER:
            await self._writer.flowing.wait()

    def _begin(self, status: int, headers: Headers) -> None:
        if self._answer is not NONE:
            raise RuntimeError("an answer began twice")
        given = (*self._default_headers, *headers)
        length = dict(given).get(b"content-length")
        if self._is_head_request or status in _BODILESS:
            begun = AnswerInput.BEGIN_SILENT
        elif length is not None:
            begun = AnswerInput.BEGIN_SIZED
            self._left = int(length)
        else:
            begun = AnswerInput.BEGIN_CHUNKED if self._takes_chunks else AnswerInput.BEGIN_UNTIL_CLOSE
        self._answer = answer = ANSWERS[NONE][begun]
        lines = [_STATUS_LINES[status], *map(b": ".join, given)]
        if answer is CHUNKED:
            lines.append(b"transfer-encoding: chunked")
        streamed = answer in _STREAMED
        # A client that still sends when the whole answer is there would not know how much of its request was read. If
        # the answer is streamed, the client finishes sending first.
        if not self._writer.is_persistent() or not (self._body >= WHOLE or streamed):
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
        answer = self._answer
        if answer is NONE:
            raise RuntimeError("an answer has no head")
        if answer is SILENT:
            body = b""
        elif answer is CHUNKED:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"0\r\n\r\n" if last else b"")
        elif answer is SIZED:
            self._left -= len(body)
            if self._left < 0 or (last and self._left):
                raise RuntimeError("an answer is not as long as it says")
        if self._head:
            body = self._head + body  # one packet, if both are short
            self._head = b""
        if body:
            self._writer.write(body)
        if last:
            self._answer = ANSWERS[answer][END_ANSWER]
            self._writer.answered()
