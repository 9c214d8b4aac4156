"""Gathers commands while the last commit runs, and commits them together, one batch at a time, in the order of
`commands/command_queues.py`.

A command's answer is given after its commit and not before; if the commit's outcome is unknown, the caller is told so.
"""

import asyncio
from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

from signalpost.commands.command_queues import MAX_BACKGROUND_OF_TENANT, MOST, CommandQueues, Queue
from signalpost.commands.overlay import Answer, Command
from signalpost.domain.errors import SignalpostError, Stopping, Unavailable
from signalpost.engine.counts import Counts
from signalpost.runtime.logger import log
from signalpost.store.store import Published, Store

MAX_BATCH = 256


class _Waiting(NamedTuple):
    command: Command
    answer: asyncio.Future[Answer]
    is_background: bool
    number: int
    """In the order in which they came."""


class Committer:
    def __init__(self, store: Store, counts: Counts, on_published: Callable[[Published], None]) -> None:
        self._store = store
        self._counts = counts
        self._on_published = on_published
        self._intake: CommandQueues[_Waiting] = CommandQueues()
        self._came = 0
        self._lines = asyncio.Semaphore(MOST[Queue.BACKGROUND])
        self._lines_of: dict[int, asyncio.Semaphore] = {}
        """Room for lines of imports; whoever waited longest gets the next."""
        self._running: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """Commands that wait for their commit to begin."""
        return self._intake.waiting

    def check(self, tenant_id: int, queue: Queue, most: int | None = None) -> None:
        """Raises TooMany where one more may not wait; see `CommandQueues.check`."""
        self._intake.check(tenant_id, queue, most)

    async def submit(self, command: Command) -> Answer:
        """The command's answer, once it is durable. Raises CallerError if it is refused (TooMany at once, where too
        many wait), Unavailable if it could not be committed."""
        queue = Queue.CONTROL if command.document_id is None else Queue.DOCUMENT
        self._intake.check(command.tenant_id, queue)
        return await self._enqueue(command, queue)

    async def enqueue_background(self, command: Command) -> asyncio.Future[Answer]:
        """The answer to a line of an import (or to what the gateway does of itself), once it is durable; the line waits
        here until there is room for it. Raises Unavailable where nothing can be taken."""
        tenant_id = command.tenant_id
        of_tenant = self._lines_of.get(tenant_id)
        if of_tenant is None:
            of_tenant = self._lines_of[tenant_id] = asyncio.Semaphore(MAX_BACKGROUND_OF_TENANT)
        await of_tenant.acquire()
        try:
            await self._lines.acquire()
        except BaseException:
            of_tenant.release()
            raise
        try:
            return self._enqueue(command, Queue.BACKGROUND)
        except Unavailable:
            self._release_line(tenant_id)
            raise

    def _enqueue(self, command: Command, queue: Queue) -> asyncio.Future[Answer]:
        if self._closed:
            raise Stopping
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._intake.add(command.tenant_id, queue, _Waiting(command, answer, queue is Queue.BACKGROUND, self._came))
        self._came += 1
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return answer

    def _release_line(self, tenant_id: int) -> None:
        self._lines.release()
        self._lines_of[tenant_id].release()

    async def close(self) -> None:
        """Take nothing more, finish what is waiting."""
        self._closed = True
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        try:
            while self._intake.waiting:
                # Whose turn it is decides who is in the batch; in it what came first is decided first.
                batch = sorted(self._intake.take(MAX_BATCH), key=_came)
                for waiting in batch:
                    if waiting.is_background:
                        self._release_line(waiting.command.tenant_id)
                await self._commit(batch)
        finally:
            self._running = None

    async def _commit(self, batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            published = await self._store.publish([waiting.command for waiting in batch])
        except Exception as error:
            if not isinstance(error, SignalpostError):
                log.exception("a batch could not be committed")
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            return
        self._counts.commit_seconds.add(loop.time() - began)
        # Clients first: their answers are then written before the deliveries that follow take the loop.
        for waiting, result in zip(batch, published.results, strict=True):
            if waiting.answer.done():
                continue  # the client is gone
            if isinstance(result, Answer):
                waiting.answer.set_result(result)
            else:
                waiting.answer.set_exception(result)
        try:
            self._on_published(published)
        except Exception:
            # What is committed is answered as such, whatever becomes of it here: a restart reads it from the store.
            log.exception("a commit could not be followed up")


_came = attrgetter("number")
