"""What the listener asks an application, and how it is answered.

An application is called with the head of a request and its body, and is a generator: it yields what it has to wait
for, is given the result, and returns the answer. So a request that waits for nothing is answered within the call
that brought its last byte, and one that waits for a future, as for its commit, goes on as soon as that is done. Only
what waits for more becomes a task, in which what was yielded is awaited.

    head, body ──▶ steps ──returns──▶ answer
                     └──yields──▶ awaitable ──result──▶ the next step

`asgi.py` has programs with servers of their own call an application by ASGI.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, Final, Protocol

from msgspec import Struct

from signalpost.domain.errors import CallerError, Unavailable

SLICE_BYTES: Final = 64 * 1024
"""A larger body is sent in slices of this size."""
Turn = Callable[[], Awaitable[None]]
"""Waits until the next slice of something long may be done."""
next_round: Final[Turn] = partial(asyncio.sleep, 0)


class Head(Struct, frozen=True, kw_only=True):
    """The head of a request."""

    method: str
    path: str
    """With its escapes resolved."""
    raw_path: bytes
    """The path with its escapes."""
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    """In their order, names in lower case, without the content-length."""
    named: Mapping[bytes, str]
    """Their values by name. If a header is repeated, the first one counts."""
    length: int | None
    """How many bytes of body are announced; None if only the end of the body will tell."""
    http_1_1: bool = True
    expects_continue: bool = False
    """Whether the client sends the body only once it is asked for it."""
    client: str | None = None
    """The address of the other end of the connection, a client or a proxy; None if that is not known."""
    scheme: str = "http"
    root_path: str = ""
    """The path under which a program has mounted the application, with which `path` then begins."""
    refusal: CallerError | Unavailable | None = None
    """The error with which the application is to answer, because the listener refuses the request."""


class ArrivingBody(Protocol):
    """The body of a request, which may still be on its way."""

    def whole(self) -> bytes | None:
        """What was not read yet, if all of the body has arrived."""

    async def part(self) -> tuple[bytes, bool]:
        """The next part, and whether more follows. Raises BrokenBody if it ends too early."""

    async def gone(self) -> None:
        """Wait until the client is gone. What it still sends is dropped."""


async def stay() -> None:
    """Wait for a client that never goes."""
    await asyncio.get_running_loop().create_future()


class WholeBody:
    """The body of a request that was made in this process: all of it is here."""

    def __init__(self, content: bytes, gone: Callable[[], Awaitable[None]] = stay) -> None:
        """`gone` waits until the client for which the request is made is gone."""
        self._content: bytes | None = content
        self._gone = gone

    def whole(self) -> bytes | None:
        """See `ArrivingBody`."""
        content, self._content = self._content, None
        return content

    async def part(self) -> tuple[bytes, bool]:
        """See `ArrivingBody`."""
        return self.whole() or b"", False

    async def gone(self) -> None:
        """See `ArrivingBody`."""
        await self._gone()


class BrokenBody(Exception):
    """A body ended too early, or is malformed."""


class Answer(Struct, frozen=True):
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes | AsyncGenerator[bytes, None] = b""
    """The body, or the parts of one that goes out while the request may still come in."""
    turn: Turn = next_round
    """Waited for before each slice of a large body but the first."""
    at_end: Callable[[], None] | None = None
    """Called when the answer is over, even if nothing could be sent."""


Steps = Generator[Awaitable[Any], Any, Answer]
App = Callable[[Head, ArrivingBody], Steps]


async def answer_of(steps: Generator[Awaitable[Any], Any, Any], awaited: Awaitable[Any] | None = None) -> Any:
    """Goes through the steps, as from a task, and returns what they do. `awaited` was yielded already."""
    step: Callable[[], Awaitable[Any]] = partial(next, steps)
    try:
        while True:
            if awaited is None:
                awaited = step()
            try:
                result = await awaited
            except BaseException as error:  # whatever it is: it is for the steps, as a cancellation is
                step = partial(steps.throw, error)
            else:
                step = partial(steps.send, result)
            awaited = None
    except StopIteration as ended:
        return ended.value


class SendPart(Protocol):
    """Sends a part of a body, once the client has read enough of those before it."""

    async def __call__(self, part: bytes, *, is_last: bool) -> None: ...


async def send_body(answer: Answer, send: SendPart) -> None:
    """Sends the body of an answer, a large one in slices or parts."""
    if isinstance(answer.body, bytes):
        await _send_slices(answer.body, answer.turn, send)
    else:
        await _send_parts(answer.body, send)


async def _send_slices(body: bytes, turn: Turn, send: SendPart) -> None:
    """After each slice the client is waited for, if it has not read enough, and others have their turn: to hand the
    kernel 4 MiB in one piece took up to 0.1 s."""
    sent = 0
    while len(body) - sent > SLICE_BYTES:
        await send(body[sent : sent + SLICE_BYTES], is_last=False)
        sent += SLICE_BYTES
        await turn()
    await send(body[sent:], is_last=True)


async def _send_parts(parts: AsyncGenerator[bytes, None], send: SendPart) -> None:
    """Sends the parts, and the end of the answer. At a stop this is cancelled, mostly while it waits for a client that
    reads slowly: then the generator of the parts is told, may add a last one, and the answer still ends whole."""
    following: Callable[[], Awaitable[bytes]] = partial(anext, parts)
    with suppress(StopAsyncIteration, asyncio.CancelledError):
        async with aclosing(parts):
            while True:
                part = await following()
                following = partial(anext, parts)
                try:
                    await send(part, is_last=False)
                except asyncio.CancelledError:
                    following = partial(parts.athrow, asyncio.CancelledError())
    await send(b"", is_last=True)
