"""What a reader of an outbox would take, on any database."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from gateway.tests.acceptance.client import until

from signalpost_connect import APPLIED, Batch
from signalpost_connect.outbox.reader import Outbox

T = TypeVar("T")


class OutboxPlatform(Protocol):
    def source(self, tenant: str = "default") -> Outbox: ...

    def has_readers(self) -> bool:
        """Whether the server has a reader of the outbox as a client."""
        ...


def with_source(platform: OutboxPlatform, act: Callable[[Outbox], Awaitable[T]], tenant: str = "default") -> T:
    async def run() -> T:
        source = platform.source(tenant)
        try:
            return await act(source)
        finally:
            await source.close()

    result = asyncio.run(run())
    # The server notices a moment later that its client is gone, and has the lock until then.
    until(lambda: not platform.has_readers())
    return result


def taken(platform: OutboxPlatform, tenant: str = "default") -> list[Any]:
    """The bodies of what the reader would take, with their versions."""

    async def take(source: Outbox) -> Batch:
        return await source.take(500, 0)

    return [(json.loads(each.body), each.version) for each in with_source(platform, take, tenant).messages]


def sizes_of_batches(platform: OutboxPlatform) -> list[int]:
    """How many messages each batch has, until nothing is left."""

    async def take_all(source: Outbox) -> list[int]:
        found = []
        while (batch := await source.take(500, 0)).messages:
            found.append(len(batch.messages))
            await source.settle(batch, [APPLIED] * len(batch.messages))
        return found

    return with_source(platform, take_all)


def titles(platform: OutboxPlatform) -> list[str]:
    return ["deleted" if body.get("deleted") else body["title"] for body, _ in taken(platform)]
