"""One request and its answer, between the connection and the application (`application.py`).

`request_state.py` has the states of its body and of its answer, which alone say what the application receives and how
what it answers is written.
"""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Protocol

from signalpost.listener.answering import Answering
from signalpost.listener.application import Answer, BrokenBody, Head, send_body
from signalpost.listener.request_state import ANSWERS, BODIES, AnswerInput, AnswerState, BodyInput, BodyState

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}" for status in HTTPStatus}
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
_MORE_WAS_ANNOUNCED = (ARRIVING, BodyState.BROKEN)
_ALL_IS_TOLD = (WHOLE_AND_LAST, BodyState.BROKEN)
_STREAMED = (AnswerState.CHUNKED, AnswerState.UNTIL_CLOSE)


class ResponseWriter(Protocol):
    """What a cycle needs of its connection."""

    is_flowing: bool
    """Whether the client reads fast enough for more to be written."""

    async def flow(self) -> None:
        """Wait until it does, or is gone."""

    def write(self, data: bytes) -> None: ...

    def read_on(self) -> None:
        """The application has read all of the body that had arrived."""

    def is_persistent(self) -> bool:
        """Whether the connection stays open for another request, as far as it knows."""

    def answered(self) -> None:
        """The answer is complete."""

    def abort(self) -> None:
        """The rest of the answer will not come."""

    def ended(self, cycle: "RequestCycle") -> None:
        """The application is done with the request."""


class RequestCycle(Answering):
    """Towards the application it is the request's `ArrivingBody`."""

    def __init__(
        self,
        writer: ResponseWriter,
        head: Head,
        default_headers: Sequence[str],
    ) -> None:
        """`default_headers` are the lines that every answer begins with, after its status."""
        self._writer = writer
        self._default_headers = default_headers
        self._is_head = head.method == "HEAD"
        self._takes_chunks = head.http_1_1
        self._body = HELD_BACK if head.expects_continue else ARRIVING
        self._answer = NONE
        self._has_news = False
        self._news: asyncio.Event | None = None
        """Set with `_has_news`, once the application has waited for that."""
        self._held = bytearray()
        self._head = b""
        """The head of an answer that is sent in parts, until the first of them."""
        self._left = 0
        """Bytes that are still to be sent of an answer with a content-length."""

    @property
    def held_bytes(self) -> int:
        """Bytes of the body that the application has not read yet."""
        return len(self._held)

    # --- Called by the connection -------------------------------------------------------------------------------------

    def take(self, body: bytes) -> None:
        """A part of the body has arrived."""
        if self._answer is not OVER:
            self._held += body
            self._body = BODIES[self._body][ARRIVE]
            self._tell()

    def take_last(self, body: bytes) -> None:
        """The last part of the body has arrived."""
        if self._answer is not OVER:
            self._held += body
            self._body = BODIES[BODIES[self._body][ARRIVE]][END_OF_BODY]
            self._tell()

    def end_body(self) -> None:
        self._body = BODIES[self._body][END_OF_BODY]
        self._tell()

    def break_off(self) -> None:
        """The rest of the body will not arrive, or is malformed. An answer can still be sent."""
        self._body = BODIES[self._body][BodyInput.BREAK_OFF]
        self._tell()

    def leave(self) -> None:
        """The client sends nothing more. An answer can still be sent, but an application that has read the whole body
        and waits for the client to be gone need not wait longer."""
        self._body = BODIES[self._body][BodyInput.LEAVE]
        self._tell()

    def lose(self) -> None:
        """The client is gone: nothing more is written. The application learns of it by `tell_of_loss`."""
        self._answer = ANSWERS[self._answer][END_ANSWER]

    def tell_of_loss(self) -> None:
        self._tell()

    def _tell(self) -> None:
        self._has_news = True
        if self._news is not None:
            self._news.set()

    # --- The request's body -------------------------------------------------------------------------------------------

    def whole(self) -> bytes | None:
        """See `ArrivingBody`."""
        return self._read() if self._body in (WHOLE, WHOLE_AND_LAST) and self._answer is not OVER else None

    async def part(self) -> tuple[bytes, bool]:
        """See `ArrivingBody`."""
        if not await self._follows():
            raise BrokenBody
        return self._read(), self._body in _MORE_WAS_ANNOUNCED

    async def gone(self) -> None:
        """See `ArrivingBody`."""
        while await self._follows():
            self._read()

    async def _follows(self) -> bool:
        """Wait for news of the client. Returns False if it sends nothing more."""
        if self._body is HELD_BACK:
            if self._answer is NONE:
                self._writer.write(_CONTINUE)
            self._body = BODIES[HELD_BACK][BodyInput.ASK]
        if not self._has_news:
            if self._news is None:
                self._news = asyncio.Event()
            await self._news.wait()
        return self._answer is not OVER and (self._body not in _NOTHING_FOLLOWS or bool(self._held))

    def _read(self) -> bytes:
        if self._body not in _ALL_IS_TOLD:
            self._has_news = False
            if self._news is not None:
                self._news.clear()
        self._body = BODIES[self._body][READ]
        part, self._held = bytes(self._held), bytearray()
        self._writer.read_on()
        return part

    # --- The answer ---------------------------------------------------------------------------------------------------

    def _is_at_hand(self) -> bool:
        return self._writer.is_flowing

    def _send_short(self, answer: Answer, body: bytes) -> None:
        self._write(self._begun(answer), body, is_last=True)

    async def _send_long(self, answer: Answer) -> None:
        self._head = self._begun(answer)
        if self._answer in _STREAMED:
            await self._put(b"", is_last=False)
        await send_body(answer, self._put)

    def _ended(self) -> None:
        if self._answer is not OVER:
            self._answer = ANSWERS[self._answer][END_ANSWER]
            self._writer.abort()
        self._writer.ended(self)

    async def _put(self, part: bytes, *, is_last: bool) -> None:
        """See `SendPart`. The head is one write with the first part, unless that may be long in coming."""
        if part or is_last or self._answer in _STREAMED:
            head, self._head = self._head, b""
            self._write(head, part, is_last=is_last)
        await self._flow()

    async def _flow(self) -> None:
        if not self._writer.is_flowing and self._answer is not OVER:
            await self._writer.flow()

    def _begun(self, answer: Answer) -> bytes:
        """The head of an answer, which begins now; empty if the client is gone."""
        if self._answer is OVER:
            return b""
        given = [*map(": ".join, answer.headers)]
        length = dict(answer.headers).get("content-length")
        if self._is_head or answer.status in _BODILESS:
            begun = AnswerInput.BEGIN_SILENT
        elif length is not None:
            begun = AnswerInput.BEGIN_SIZED
            self._left = int(length)
        else:
            begun = AnswerInput.BEGIN_CHUNKED if self._takes_chunks else AnswerInput.BEGIN_UNTIL_CLOSE
        state = ANSWERS[NONE][begun]
        # A client that still sends when the whole answer is there would not know how much of its request was read. If
        # the answer is streamed, the client finishes sending first.
        if not self._writer.is_persistent() or not (self._body >= WHOLE or state in _STREAMED):
            given.append("connection: close")
        if state is CHUNKED:
            given.insert(len(answer.headers), "transfer-encoding: chunked")
        lines = "".join(given)
        if "\n" in lines or "\r" in lines:
            raise RuntimeError("a header of an answer has a line end in it")
        head = "\r\n".join((_STATUS_LINES[answer.status], *self._default_headers, *given, "", "")).encode("latin-1")
        self._answer = state
        return head

    def _write(self, head: bytes, body: bytes = b"", *, is_last: bool = False) -> None:
        answer = self._answer
        if answer is OVER:
            return
        if answer is SILENT:
            body = b""
        elif answer is CHUNKED:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"0\r\n\r\n" if is_last else b"")
        elif answer is SIZED:
            self._left -= len(body)
            if self._left < 0 or (is_last and self._left):
                raise RuntimeError("an answer is not as long as it says")
        if head or body:
            self._writer.write(head + body)  # one packet, if both are short
        if is_last:
            self._answer = ANSWERS[answer][END_ANSWER]
            self._writer.answered()
