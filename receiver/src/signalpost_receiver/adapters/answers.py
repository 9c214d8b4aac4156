"""What all adapters share: reading no more of a body than is allowed, and the answer to a request."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable
from typing import NamedTuple

from signalpost_receiver.errors import InProgress, Refusal
from signalpost_receiver.handling import Result

CHUNK = 65536


class Answer(NamedTuple):
    """What to answer a request with."""

    status: int
    headers: dict[str, str]
    body: str


def accepted(result: Result) -> Answer:
    """The answer to a request that was received."""
    return Answer(result.status, {}, "")


def refused(refusal: Refusal) -> Answer:
    """The answer to a request that was not: its message tells the sender's owner what to look for."""
    headers = {"content-type": "text/plain; charset=utf-8"}
    if isinstance(refusal, InProgress):
        headers["retry-after"] = str(refusal.retry_after)
    return Answer(refusal.status, headers, str(refusal))


def read(read_some: Callable[[int], bytes], cap: int) -> bytes:
    """The body that `read_some` gives in parts; of a longer one than `cap` bytes a little more than that."""
    parts, length = [], 0
    while length <= cap and (part := read_some(min(CHUNK, cap + 1 - length))):
        parts.append(part)
        length += len(part)
    return b"".join(parts)


async def read_stream(stream: AsyncIterable[bytes], cap: int) -> bytes:
    """The body that `stream` gives in parts; of a longer one than `cap` bytes a little more than that."""
    parts, length = [], 0
    async for part in stream:
        parts.append(part)
        length += len(part)
        if length > cap:
            break
    return b"".join(parts)
