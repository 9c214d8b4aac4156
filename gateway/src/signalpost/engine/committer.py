"""Gathers commands while the last commit runs, and commits them together: one at a time, turns between tenants.

A command's answer is given after its commit and not before; if the commit's outcome is unknown, the caller is told so.
"""

import asyncio
from collections import deque
from collections.abc import Callable

import structlog

from signalpost.domain.batch import Answer, Command
from signalpost.domain.errors import SignalpostError, Unavailable
from signalpost.engine.counts import Counts
from signalpost.store.store import Published, Store

BATCH_MOST = 256
WAITING_MOST = 10_000
log = structlog.get_logger()

_Waiting = tuple[Command, asyncio.Future[Answer]]


class Committer:
    def __init__(self, store: Store, counts: Counts, on_published: Callable[[Published], None]) -> None:
        self._store = store
        self._counts = counts
        self._on_published = on_published
        self._queues: dict[int, deque[_Waiting]] = {}
        """Tenants with something waiting; the first one has the next turn."""
        self.waiting = 0
        self._running: asyncio.Task[None] | None = None
        self._closed = False

    async def submit(self, command: Command) -> Answer:
        """The command's answer, once it is durable. Raises CallerError if it is refused, Unavailable if it could not
        be committed."""
        return await self.enqueue(command)

    def enqueue(self, command: Command) -> asyncio.Future[Answer]:
        """What `submit` waits for. Raises Unavailable where nothing can be taken."""
        if self._closed:
            raise Unavailable("Signalpost is stopping. Repeat the request in a moment.")
        if self.waiting >= WAITING_MOST:
            raise Unavailable("Too many changes are waiting. Repeat the request in a moment.")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(command.tenant_id, deque()).append((command, future))
        self.waiting += 1
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return future

    async def close(self) -> None:
        """Take nothing more, finish what is waiting."""
        self._closed = True
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        try:
            while self.waiting:
                batch = self._take()
                await self._commit(batch)
        finally:
            self._running = None

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        while self._queues and len(batch) < BATCH_MOST:
            tenant_id = next(iter(self._queues))
            queue = self._queues.pop(tenant_id)
            batch.append(queue.popleft())
            if queue:
                self._queues[tenant_id] = queue
        self.waiting -= len(batch)
        return batch

    async def _commit(self, batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            published = await self._store.publish([command for command, _ in batch])
        except Exception as error:
            if not isinstance(error, SignalpostError):
                log.exception("a batch could not be committed")
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        self._counts.commit_seconds.add(loop.time() - began)
        # Clients first: their answers are then written before the deliveries that follow take the loop.
        for (_, future), result in zip(batch, published.results, strict=True):
            if future.done():
                continue  # the client is gone
            if isinstance(result, Answer):
                future.set_result(result)
            else:
                future.set_exception(result)
        try:
            self._on_published(published)
        except Exception:
            # What is committed is answered as such, whatever becomes of it here: a restart reads it from the store.
            log.exception("a commit could not be followed up")
