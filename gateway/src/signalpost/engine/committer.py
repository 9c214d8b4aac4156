"""Gathers commands while the last commit runs, and commits them together, one batch at a time, in the order of
`sharing/command_queues.py`.

A caller gets its command's result only after the commit. If the commit's outcome is unknown, the caller is told so.
"""

import asyncio
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from msgspec import Struct

from signalpost.commands.command import Command, CommandOutcome, Result, repeat_lines
from signalpost.domain.errors import SignalpostError, Stopping
from signalpost.engine.counts import Counts
from signalpost.runtime.logger import log
from signalpost.sharing.command_queues import MAX_BACKGROUND_OF_TENANT, MAX_WAITING, CommandQueues, Queue
from signalpost.store.store import PublishedBatch, Store

MAX_BATCH = 256
GATHERING_SECONDS = 0.01
"""How long background commands wait for more, unless something else is to be committed, they fill a batch, or no more
come. An import is read in slices with rests between them, and takes 6 % more CPU if each has a commit of its own."""


class _WaitingCommand(Struct, frozen=True):
    command: Command[Any]
    outcome: asyncio.Future[CommandOutcome[Any]]
    number: int
    """Counts up in the order of arrival."""


class Committer:
    def __init__(self, store: Store, counts: Counts, on_published: Callable[[PublishedBatch, float], None]) -> None:
        """`on_published` is told of each commit, and how many seconds it took."""
        self._store = store
        self._counts = counts
        self._on_published = on_published
        self._queues: CommandQueues[_WaitingCommand] = CommandQueues()
        self.check = self._queues.check
        """Raises TooMany if a tenant may not add another command; see `CommandQueues.check`."""
        self._arrived = 0
        self._background = asyncio.Semaphore(MAX_WAITING[Queue.BACKGROUND])
        self._background_of: dict[int, asyncio.Semaphore] = {}
        """Room for background commands of all tenants, and of each tenant. The command that waited longest gets the
        next place."""
        self._gathering: asyncio.TimerHandle | None = None
        """Begins a commit of background commands; None if a commit runs, or nothing waits."""
        self._running: asyncio.Task[None] | None = None
        self._is_whole = False
        """Whether the background commands behind the present commit wait for no more of them."""
        self._closed = False

    @property
    def waiting(self) -> int:
        """Commands that wait for their commit to begin."""
        return self._queues.waiting

    def begin(self, command: Command[Result]) -> asyncio.Future[CommandOutcome[Result]]:
        """The future of the outcome of a command, which is not a background one: CallerError if it is refused,
        Unavailable if it could not be committed. Raises TooMany if too many are waiting."""
        assert command.queue is not Queue.BACKGROUND
        self._queues.check(command.tenant_id, command.queue)
        return self._add(command)

    async def submit(self, command: Command[Result]) -> CommandOutcome[Result]:
        """Waits until a command is committed. Raises as `begin` and the future that it returns do."""
        return await self.begin(command)

    async def enqueue(self, command: Command[Result]) -> asyncio.Future[CommandOutcome[Result]]:
        """Waits until there is room for a background command, and returns the future of its outcome. Raises
        Unavailable when the gateway is stopping."""
        assert command.queue is Queue.BACKGROUND
        of_tenant = self._background_of.get(command.tenant_id)
        if of_tenant is None:
            of_tenant = self._background_of[command.tenant_id] = asyncio.Semaphore(MAX_BACKGROUND_OF_TENANT)
        await of_tenant.acquire()
        try:
            await self._background.acquire()
        except BaseException:
            of_tenant.release()
            raise
        return self._add(command)

    def wait_for_no_more(self) -> None:
        """Commit the background commands that wait, now or after the present commit: of an import, the last is among
        them."""
        if self._running is not None:
            self._is_whole = True
        elif self._gathering is not None:
            self._begin()

    def _add(self, command: Command[Result]) -> asyncio.Future[CommandOutcome[Result]]:
        if self._closed:
            if command.queue is Queue.BACKGROUND:
                self._leave_place(command)
            raise Stopping
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[CommandOutcome[Result]] = loop.create_future()
        self._queues.add(command.tenant_id, command.queue, _WaitingCommand(command, outcome, self._arrived))
        self._arrived += 1
        if self._running is None:
            if self._is_due():
                self._begin()
            elif self._gathering is None:
                self._gathering = loop.call_later(GATHERING_SECONDS, self._begin)
        return outcome

    def _is_due(self) -> bool:
        """Whether what waits is committed now: a client waits for it, it fills a batch, no more comes, or the gateway
        stops."""
        waiting, at_once = self._queues.waiting, self._is_whole or self._closed
        return waiting >= MAX_BATCH or self._queues.background < waiting or (at_once and waiting > 0)

    def _begin(self) -> None:
        """Begin to commit what waits."""
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        self._running = asyncio.create_task(self._run())

    def _leave_place(self, command: Command[Any]) -> None:
        """The next background command gets the place of this one."""
        self._background.release()
        self._background_of[command.tenant_id].release()

    async def close(self) -> None:
        """Takes no more commands, and commits what is waiting."""
        self._closed = True
        if self._gathering is not None:
            self._begin()
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        try:
            is_due = True
            while is_due:
                # Turns decide which commands are in the batch. Within it, they are decided in the order of arrival.
                batch = sorted(self._queues.take(MAX_BATCH), key=_arrival)
                for waiting in batch:
                    if waiting.command.queue is Queue.BACKGROUND:
                        self._leave_place(waiting.command)
                await self._commit(batch)
                if self._queues.waiting and self._store.commits_on_a_thread:
                    # Clients that were just answered go first: beside that thread, each would wait for the interpreter
                    # again and again. What comes in meanwhile is committed with it.
                    await asyncio.sleep(0)
                is_due = self._is_due()
        finally:
            self._running = None
            self._is_whole = False
        if self._queues.waiting:
            self._gathering = asyncio.get_running_loop().call_later(GATHERING_SECONDS, self._begin)

    async def _commit(self, batch: list[_WaitingCommand]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            published = await self._store.publish([waiting.command for waiting in batch])
        except Exception as error:
            self._counts.failed_commits += 1
            repeat_lines(waiting.command for waiting in batch)
            if not isinstance(error, SignalpostError):
                log.exception("a batch could not be committed")
            for waiting in batch:
                if not waiting.outcome.done():
                    waiting.outcome.set_exception(error)
            return
        took = loop.time() - began
        self._counts.commit_seconds.add(took)
        # Clients come first: their responses are written before the deliveries that follow keep the loop busy.
        for waiting, result in zip(batch, published.results, strict=True):
            if waiting.outcome.done():
                continue  # the client is gone
            if isinstance(result, Exception):
                waiting.outcome.set_exception(result)
            else:
                waiting.outcome.set_result(result)
        try:
            self._on_published(published, took)
        except Exception:
            # The commands are committed, and their callers were told so. A restart reads what the engine missed.
            log.exception("lanes and directory could not follow a commit")


_arrival = attrgetter("number")
