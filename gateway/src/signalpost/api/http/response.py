"""Responses as handlers make them, and how they are sent (ASGI)."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import Final

from msgspec import Struct

from signalpost.runtime.asgi import Send

CONTENT_TYPE: Final = "content-type"
SLICE_BYTES: Final = 64 * 1024
_NO_SNIFFING: Final = (b"x-content-type-options", b"nosniff")
"""Browsers take an answer for what it says it is."""
_KEEP_NOTHING: Final = (b"cache-control", b"no-store")
"""Nobody between keeps an answer: nearly all hold something that is not for others, a document, a download link or a
secret."""
_JSON: Final = (b"content-type", b"application/json")
Turn = Callable[[], Awaitable[None]]
"""Waits until the next slice of something long may be done."""
next_round: Final[Turn] = partial(asyncio.sleep, 0)


class Response(Struct, frozen=True):
    """A response whose whole body is known."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Streamed(Struct, frozen=True):
    """A response that goes out in parts, while the request may still come in."""

    parts: AsyncGenerator[bytes, None]
    headers: tuple[tuple[str, str], ...]
    status: int = 200
    at_end: Callable[[], None] | None = None
    """Called when the answer is over, even if nothing could be sent."""


async def send_response(response: Response | Streamed, request_id: str, send: Send, turn: Turn = next_round) -> None:
    """Sends a response. Its body is JSON unless its headers say otherwise. `turn` is waited for before each slice of a
    large one but the first."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    given = dict(response.headers)
    if "x-content-type-options" not in given:
        headers.append(_NO_SNIFFING)
    if "cache-control" not in given:
        headers.append(_KEEP_NOTHING)
    headers.append((b"request-id", request_id.encode()))
    if isinstance(response, Streamed):
        try:
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            await _send_parts(response.parts, send)
        finally:
            if response.at_end is not None:
                response.at_end()
        return
    if response.status != 204:
        headers.append((b"content-length", b"%d" % len(response.body)))
    if response.body and CONTENT_TYPE not in given:
        headers.append(_JSON)
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await _send_body(response.body, send, turn)


async def _send_body(body: bytes, send: Send, turn: Turn) -> None:
    """Sends a large body in slices. After each the client is waited for, if it has not read enough, and others have
    their turn: to hand the kernel 4 MiB in one piece took up to 0.1 s."""
    sent = 0
    while len(body) - sent > SLICE_BYTES:
        await send({"type": "http.response.body", "body": body[sent : sent + SLICE_BYTES], "more_body": True})
        sent += SLICE_BYTES
        await turn()
    await send({"type": "http.response.body", "body": body[sent:]})


async def _send_parts(parts: AsyncGenerator[bytes, None], send: Send) -> None:
    """Sends the parts, and the end of the answer. At a stop this is cancelled, mostly while it waits for a client that
    reads slowly: then whoever makes the parts is told, may add a last one, and the answer still ends whole."""
    following: Callable[[], Awaitable[bytes]] = partial(anext, parts)
    with suppress(StopAsyncIteration, asyncio.CancelledError):
        async with aclosing(parts):
            while True:
                part = await following()
                following = partial(anext, parts)
                try:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                except asyncio.CancelledError:
                    following = partial(parts.athrow, asyncio.CancelledError())
    await send({"type": "http.response.body", "body": b"", "more_body": False})
