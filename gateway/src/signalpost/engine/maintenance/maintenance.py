"""What a node does at times of its own, beside delivering: it removes what is old, expires what is due, makes room
ahead, and writes down what it noted in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

from signalpost.commands.workflow import ExpireSignatureRequest
from signalpost.engine.maintenance.expiry import Expiries
from signalpost.engine.maintenance.key_uses import KeyUses
from signalpost.engine.maintenance.preparation import Preparation
from signalpost.engine.maintenance.refused_calls import RefusedCalls
from signalpost.engine.maintenance.retention import Retention
from signalpost.engine.maintenance.searched_texts import SearchedTexts
from signalpost.runtime.clock import Clock
from signalpost.store.store import Store


class Maintenance:
    def __init__(
        self,
        retention: Retention,
        store: Store,
        clock: Clock,
        enqueue: Callable[[ExpireSignatureRequest], Awaitable[asyncio.Future[Any]]],
    ) -> None:
        """`enqueue` waits for a place in the queue instead of being refused."""
        self.retention = retention
        self.preparation = Preparation(store, clock)
        self.expiries = Expiries(store, clock, enqueue)
        self.key_uses = KeyUses(store, clock)
        self.refused_calls = RefusedCalls(store, clock)
        self.searched_texts = SearchedTexts(store)

    def works(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What runs for as long as the node does, each by itself."""
        yield self.retention.run()
        yield self.preparation.run()
        yield self.expiries.run()
        yield self.key_uses.run()
        yield self.refused_calls.run()
        yield self.searched_texts.run()

    async def write(self) -> None:
        """Write down what is only in memory, as far as the store can take it now."""
        await self.key_uses.write()
        await self.refused_calls.write()
