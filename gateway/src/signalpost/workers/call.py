"""A client's request at a worker, as the gateway has it answered.

It ends once, by what comes first: its answer, which may have to wait for the client to read it, or the loss of its
worker. Then its client is gone, and what the application still answers is dropped.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from signalpost.listener.answering import Answering
from signalpost.listener.application import SLICE_BYTES, Answer, App, BrokenBody, Head, send_body
from signalpost.workers.frames import (
    AnswerBegun,
    AnswerBroken,
    AnswerPart,
    BodyBroken,
    BodyPart,
    CallCancelled,
    CallOver,
    CallProgress,
    ClientGone,
    PartTaken,
    ToWorker,
    WantEnd,
    WantPart,
)

WINDOW_BYTES: Final = 128 * 1024
"""How much of an answer may be on its way to a client that has not read it yet."""


class HandedCall(Answering):
    """Towards the application it is the request's `Body`."""

    def __init__(
        self,
        number: int,
        content: bytes,
        put: Callable[[ToWorker], None],
        over: Callable[[int], object],
        *,
        whole: bool,
        comes: bool,
    ) -> None:
        """`content` is the beginning of the body, and all of it if `whole`; if it `comes`, the next part need not be
        asked for. `put` tells the worker something. `over` is called with the number once the application is done with
        it."""
        self._number = number
        self._content: bytes | None = content if content or whole else None
        """What came with the call and was not read yet."""
        self._is_whole = whole
        self._put = put
        self._over = over
        self._is_cancelled = self._is_lost = self._is_answered = False
        self._part: asyncio.Future[tuple[bytes, bool] | None] | None = None
        """The part that is on its way; None in it if the body is broken."""
        if comes:
            self._part = asyncio.get_running_loop().create_future()
        self._goes: asyncio.Future[None] | None = None
        """Done once the client is gone."""
        self._untaken = 0
        """Bytes of the answer's parts that the client has not taken yet."""
        self._is_taken: asyncio.Event | None = None
        """Set when it takes something, once a task waits for that."""

    def begin(self, app: App, head: Head) -> None:
        """See `Answering`. It may be cancelled before its turn comes."""
        super().begin(app, head)
        if self._is_cancelled:
            self._cancel_soon()

    def _cancel_soon(self) -> None:
        # A task that has not taken its first step would end without a word, and the client without an answer.
        asyncio.get_running_loop().call_soon(self.cancel)

    # --- What the worker says -----------------------------------------------------------------------------------------

    def hear(self, item: CallProgress) -> None:
        match item:
            case BodyPart(_, part, follows):
                self._come((part, follows))
            case BodyBroken():
                self._come(None)
            case ClientGone():
                self._go()
            case PartTaken(_, length):
                self._untaken -= length
                self._tell_taken()
            case CallCancelled():
                self._is_cancelled = True
                self._cancel_soon()
            case CallOver():
                self.lose()

    def lose(self) -> None:
        """Nothing more can be said to the client, nor will it say anything."""
        self._is_lost = True
        self._come(None)
        self._go()
        self._tell_taken()

    def _come(self, part: tuple[bytes, bool] | None) -> None:
        if self._part is not None and not self._part.done():
            self._part.set_result(part)

    def _go(self) -> None:
        if self._goes is not None and not self._goes.done():
            self._goes.set_result(None)

    def _tell_taken(self) -> None:
        if self._is_taken is not None:
            self._is_taken.set()

    # --- The request's body -------------------------------------------------------------------------------------------

    def whole(self) -> bytes | None:
        """See `Body`."""
        if not self._is_whole:
            return None
        content, self._content = self._content, None
        return content

    async def part(self) -> tuple[bytes, bool]:
        """See `Body`."""
        if self._content is not None:
            content, self._content = self._content, None
            return content, not self._is_whole
        if self._is_lost:
            raise BrokenBody
        if self._part is None:
            self._part = asyncio.get_running_loop().create_future()
            self._put(WantPart(self._number))
        await asyncio.wait([self._part])  # who waits may give up and come again
        part, self._part = self._part.result(), None
        if part is None:
            raise BrokenBody
        return part

    async def gone(self) -> None:
        """See `Body`."""
        if self._is_lost:
            return
        if self._goes is None:
            self._goes = asyncio.get_running_loop().create_future()
            self._put(WantEnd(self._number))
        await asyncio.wait([self._goes])

    # --- The answer ---------------------------------------------------------------------------------------------------

    def _is_at_hand(self) -> bool:
        return True

    def _send_short(self, answer: Answer, body: bytes) -> None:
        self._is_answered = True
        if not self._is_lost:
            self._put(AnswerBegun(self._number, answer.status, tuple(answer.headers), body, is_whole=True))

    async def _send_long(self, answer: Answer) -> None:
        if isinstance(answer.body, bytes) and len(answer.body) <= SLICE_BYTES:
            self._send_short(answer, answer.body)
            return
        if not self._is_lost:
            self._put(AnswerBegun(self._number, answer.status, tuple(answer.headers), b"", is_whole=False))
        await send_body(answer, self._put_part)

    async def _put_part(self, part: bytes, *, is_last: bool) -> None:
        """See `SendPart`. The last is over once the client has taken everything."""
        if self._is_lost:
            return
        self._is_answered = is_last
        self._untaken += len(part)
        self._put(AnswerPart(self._number, part, is_last))
        while self._untaken >= (1 if is_last else WINDOW_BYTES) and not self._is_lost:
            if self._is_taken is None:
                self._is_taken = asyncio.Event()
            self._is_taken.clear()
            await self._is_taken.wait()

    def _ended(self) -> None:
        if not (self._is_answered or self._is_lost):
            self._put(AnswerBroken(self._number))
        self._over(self._number)
