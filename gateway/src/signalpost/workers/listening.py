"""A worker's listener: it speaks HTTP with clients, and has the gateway answer them.

To the server of `listener/` it is the application. So a request comes here once its head has come, mostly with its
body, and all that a listener decides by itself is decided in this process.
"""

import asyncio
import socket
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from signalpost.listener.answering import BrokenAnswer
from signalpost.listener.application import Answer, ArrivingBody, BrokenBody, Head, Steps
from signalpost.listener.certificate import Certificate
from signalpost.listener.server import Server
from signalpost.runtime.logger import log
from signalpost.runtime.tasks import Tasks
from signalpost.workers.frames import (
    AnswerBegun,
    AnswerBroken,
    AnswerPart,
    BeginListening,
    BodyBroken,
    BodyPart,
    CallCancelled,
    CallFrame,
    CallOver,
    ClientGone,
    EndListening,
    ListenFor,
    ListenNoMoreFor,
    NoMoreCalls,
    OriginFrame,
    PartTaken,
    ToGateway,
    ToWorker,
    WantEnd,
    WantPart,
)
from signalpost.workers.origins import OriginsToSend, refusal_of

LISTEN_AGAIN_SECONDS: Final = 0.5


class _OpenCall:
    """A call that the gateway has not answered whole."""

    def __init__(self, number: int, body: ArrivingBody) -> None:
        self.number = number
        self.body = body
        self.answer: AnswerBegun | AnswerBroken | None = None
        self.parts: deque[AnswerPart | AnswerBroken] = deque()
        self.waiting: asyncio.Future[None] | None = None
        """What waits for the answer, or for its next part."""
        self.asked: set[asyncio.Task[None]] = set()
        """What the gateway wants to know of the body."""

    def tell(self) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)

    def news(self) -> "asyncio.Future[None]":
        self.waiting = asyncio.get_running_loop().create_future()
        return self.waiting


class Listening:
    """Belongs to one event loop."""

    def __init__(
        self,
        begin: BeginListening,
        sockets: Sequence[socket.socket],
        put: Callable[[ToGateway], None],
        now: Callable[[], float],
    ) -> None:
        """`put` tells the gateway something. `now` is the certificate's clock."""
        self._sockets = sockets
        self._put = put
        self._calls: dict[int, _OpenCall] = {}
        self._last_number = 0
        self._origins = OriginsToSend()
        tls = begin.tls
        certificate = None if tls is None else Certificate(Path(tls.cert), Path(tls.key), now, tls.good)
        self._server = Server(
            self.answer,
            sockets[begin.place],
            begin.settings,
            certificate,
        )
        self._more = Tasks()
        self._covered: set[int] = set()
        """The further places on whose sockets to listen."""
        self._serving = asyncio.ensure_future(self._serve())

    async def _serve(self) -> None:
        await self._server.serve()
        self._put(NoMoreCalls())

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return self._server.connections

    def close(self) -> None:
        """Cut off everything that is left."""
        self._more.cancel()
        self._server.abort()
        self._serving.cancel()

    def take(self, item: ToWorker) -> None:
        """The gateway says something."""
        match item:
            case AnswerBegun() | AnswerBroken() if (call := self._calls.get(item.number)) is not None:
                if call.answer is None:
                    call.answer = item
                elif isinstance(item, AnswerBroken):
                    call.parts.append(item)
                call.tell()
            case AnswerPart() if (call := self._calls.get(item.number)) is not None:
                call.parts.append(item)
                call.tell()
            case WantPart(number):
                self._ask(number, self._read_part)
            case WantEnd(number):
                self._ask(number, self._see_end)
            case ListenFor(place):
                self._covered.add(place)
                self._more.start(self._listen_for(place))
            case ListenNoMoreFor(place):
                self._covered.discard(place)
                self._server.listen_no_more(self._sockets[place])
            case EndListening():
                self._covered.clear()
                self._server.stop()

    async def _listen_for(self, place: int) -> None:
        """Listen on the socket of another place, too, as soon as there are not too many open files for that. Its
        clients wait meanwhile."""
        while place in self._covered:
            try:
                await self._server.listen_also(self._sockets[place])
            except OSError as error:
                log.warning("cannot listen in place of another worker; trying again", error=str(error))
                await asyncio.sleep(LISTEN_AGAIN_SECONDS)
            else:
                return

    # --- What the server calls ----------------------------------------------------------------------------------------

    def answer(self, head: Head, body: ArrivingBody) -> Steps:
        """The application of this process: whatever the gateway answers."""
        call = self._hand_over(head, body)
        try:
            while (begun := call.answer) is None:
                try:
                    yield call.news()
                except asyncio.CancelledError:  # this server stops; what the gateway still answers is sent
                    self._put(CallCancelled(call.number))
        except BaseException:
            self._end(call)
            raise
        if isinstance(begun, AnswerBegun) and not begun.is_whole:
            return Answer(begun.status, begun.headers, self._parts(call), at_end=partial(self._end_parts, call))
        self._end(call)
        if isinstance(begun, AnswerBroken):
            raise BrokenAnswer
        return Answer(begun.status, begun.headers, begun.body)

    def _hand_over(self, head: Head, body: ArrivingBody) -> _OpenCall:
        content = body.whole()
        origin = OriginFrame(tuple(head.headers), head.client, head.scheme, head.http_1_1, head.expects_continue)
        number, new_origin = self._origins.number(origin)
        self._last_number += 1
        call = self._calls[self._last_number] = _OpenCall(self._last_number, body)
        self._put(
            CallFrame(
                call.number,
                head.method,
                head.path,
                head.raw_path,
                head.query,
                head.length,
                number,
                b"" if content is None else content,
                content is not None,
                new_origin,
                refusal_of(head.refusal),
            )
        )
        if content is None and not head.expects_continue:
            self._ask(call.number, self._read_part)  # see `CallFrame`
        return call

    async def _parts(self, call: _OpenCall) -> AsyncGenerator[bytes, None]:
        while True:
            try:
                while not call.parts:
                    await call.news()
                item = call.parts.popleft()
                if isinstance(item, AnswerBroken):
                    raise BrokenAnswer
                if item.part:
                    yield item.part
            except asyncio.CancelledError:  # this server stops; the gateway may add a last part
                self._put(CallCancelled(call.number))
                continue
            self._put(PartTaken(call.number, len(item.part)))
            if item.is_last:
                return

    def _end_parts(self, call: _OpenCall) -> None:
        self._end(call)
        self._put(CallOver(call.number))

    def _end(self, call: _OpenCall) -> None:
        del self._calls[call.number]
        for task in call.asked:
            task.cancel()

    # --- What the gateway wants to know -------------------------------------------------------------------------------

    def _ask(self, number: int, ask: Callable[[_OpenCall], Any]) -> None:
        if (call := self._calls.get(number)) is not None:
            task = asyncio.get_running_loop().create_task(ask(call))
            call.asked.add(task)
            task.add_done_callback(call.asked.discard)

    async def _read_part(self, call: _OpenCall) -> None:
        try:
            part, follows = await call.body.part()
        except BrokenBody:
            self._put(BodyBroken(call.number))
        else:
            self._put(BodyPart(call.number, part, follows))

    async def _see_end(self, call: _OpenCall) -> None:
        await call.body.gone()
        self._put(ClientGone(call.number))
