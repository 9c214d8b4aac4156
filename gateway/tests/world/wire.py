"""What endpoints do with the bytes of a connection: every way in which an answer may come, or fail to come."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING

from gateway.tests.world.network import NEVER, Reply
from gateway.tests.world.sockets import FarEnd

if TYPE_CHECKING:
    from gateway.tests.world.socket_network import Arrival

MAX_INTERIM = 3
PIECE = 40
LONG_BODY = 70_000
"""Bytes of a body of which no one reads the end."""
REASON = {200: "OK", 201: "Created", 204: "No Content", 500: "Internal Server Error"}


class Conversation:
    """An arrived request, and the connection on which it is answered."""

    def __init__(self, far: FarEnd, arrival: "Arrival", reply: Reply, random: Random, now: Callable[[], float]) -> None:
        self.far = far
        self.arrival = arrival
        self.reply = reply
        self.random = random
        self._now = now

    @property
    def head(self) -> bytes:
        """The status line, and the headers that say nothing about the body's length."""
        status = self.reply.status
        lines = [f"HTTP/1.1 {status} {REASON.get(status or 0, 'Word')}", "server: far"]
        if self.reply.retry_after is not None:
            lines.append(f"retry-after: {self.reply.retry_after}")
        return "\r\n".join(lines).encode() + b"\r\n"

    @property
    def plain(self) -> bytes:
        """The whole answer with its length."""
        body = self.reply.body
        return self.head + f"content-length: {len(body)}\r\n\r\n".encode() + body

    @property
    def chunked(self) -> bytes:
        body = self.reply.body
        middle = len(body) // 2
        chunks = [part for part in (body[:middle], body[middle:]) if part]
        framed = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in chunks)
        return self.head + b"transfer-encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"

    async def write(self, data: bytes, *, is_final: bool = True) -> None:
        """Write a part of the answer, or of what comes before it."""
        self.arrival.has_answer_begun = True
        if is_final:
            self.arrival.status = self.reply.status
        await self.far.write(data)

    def is_whole(self) -> None:
        """The last byte of the answer was written."""
        self.arrival.whole_at = self._now()


Manner = Callable[[Conversation], Awaitable[None]]
"""Answers one request. It may close the connection; if not, another request can follow."""


async def at_once(talk: Conversation) -> None:
    await talk.write(talk.random.choice((talk.plain, talk.chunked)))
    talk.is_whole()


async def in_pieces(talk: Conversation) -> None:
    answer = talk.random.choice((talk.plain, talk.chunked))
    while answer:
        length = talk.random.randrange(1, PIECE)
        await talk.write(answer[:length])
        answer = answer[length:]
        if answer and talk.random.random() < 0.5:
            await asyncio.sleep(talk.random.choice((0.0, 0.001, 0.02)))
    talk.is_whole()


async def drip(talk: Conversation) -> None:
    """Byte by byte: in time, or far too slowly."""
    every = talk.random.choice((0.0005, 0.04, 0.5, 2.0))
    answer = talk.plain
    for at in range(len(answer) - 1):
        await talk.write(answer[at : at + 1])
        await asyncio.sleep(every)
    await talk.write(answer[-1:])
    talk.is_whole()


async def interim_first(talk: Conversation) -> None:
    """Some 1xx heads, then the answer."""
    for _ in range(talk.random.randrange(1, MAX_INTERIM + 1)):
        interim = talk.random.choice((b"100 Continue\r\n", b"102 Processing\r\n", b"103 Early Hints\r\nlink: </a>\r\n"))
        await talk.write(b"HTTP/1.1 " + interim + b"\r\n", is_final=False)
        await asyncio.sleep(talk.random.choice((0.0, 0.0, 0.01, 1.0)))
    await at_once(talk)


async def interim_for_ever(talk: Conversation) -> None:
    while True:
        await talk.write(b"HTTP/1.1 103 Early Hints\r\n\r\n", is_final=False)
        await asyncio.sleep(talk.random.choice((0.3, 1.0)))


async def until_the_end(talk: Conversation) -> None:
    """The body ends with the connection."""
    await talk.write(talk.head + b"connection: close\r\n\r\n" + talk.reply.body)
    await asyncio.sleep(talk.random.choice((0.0, 0.05)))
    talk.far.close()
    talk.is_whole()


async def then_close(talk: Conversation) -> None:
    """A whole answer, and the connection ends without a word about it."""
    await at_once(talk)
    await asyncio.sleep(talk.random.choice((0.0, 0.0, 0.001, 0.02)))
    talk.random.choice((talk.far.close, talk.far.reset))()


async def with_more_behind(talk: Conversation) -> None:
    """Bytes behind the answer that look like another one: at once, or while the connection is idle."""
    more = talk.random.choice(
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", b"\r\n", b"x",
        )
    )  # fmt: skip
    if talk.random.random() < 0.5:
        await talk.write(talk.plain + more)
        talk.is_whole()
        return
    await at_once(talk)
    await asyncio.sleep(talk.random.choice((0.001, 0.02, 1.0)))
    if not talk.far.has_unread:  # behind a request, they would be its answer
        await talk.far.write(more)


async def too_long(talk: Conversation) -> None:
    """A body of which the sender reads a part."""
    await talk.write(talk.head + f"content-length: {LONG_BODY}\r\n\r\n".encode() + bytes(LONG_BODY))
    talk.is_whole()


async def cut_short(talk: Conversation) -> None:
    """The connection ends in the middle of the answer, in the head or in the body."""
    answer = talk.random.choice((talk.plain, talk.chunked))
    await talk.write(answer[: talk.random.randrange(1, len(answer))])
    await asyncio.sleep(talk.random.choice((0.0, 0.01)))
    talk.random.choice((talk.far.close, talk.far.reset))()


async def cut_off(talk: Conversation) -> None:
    """The answer stops in the middle, and the connection goes on."""
    answer = talk.random.choice((talk.plain, talk.chunked))
    await talk.write(answer[: talk.random.randrange(1, len(answer))])
    await asyncio.sleep(NEVER)


async def no_answer(talk: Conversation) -> None:
    """The connection ends before a byte of an answer, though the request was received."""
    talk.random.choice((talk.far.close, talk.far.reset))()


async def garbage(talk: Conversation) -> None:
    said = talk.random.choice(
        (b"\x16\x03\x01\x02\x00", b"HTTP/2 200\r\n\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 101 Up\r\nupgrade: x\r\n\r\n")
    )
    await talk.write(said, is_final=False)


async def half_open(talk: Conversation) -> None:
    """The machine is gone, and no one says so."""
    await asyncio.sleep(NEVER)


ODD: tuple[Manner, ...] = (
    in_pieces, in_pieces, drip, interim_first, interim_first, interim_for_ever, until_the_end, then_close, then_close,
    with_more_behind, with_more_behind, too_long, cut_short, cut_off, no_answer, garbage, half_open,
)  # fmt: skip
