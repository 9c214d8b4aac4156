"""The connections that commit, and what happened to a commit whose answer was lost.

Each connection has a row in `committer` with the number of its last transaction, which every transaction moves on by
one. If the connection is lost during a COMMIT, the node connects again and reads the row under its lock. That waits
until the former connection's transaction has ended on the server, and then the row says whether it was committed. Where
it has a lower number than it once had, the database itself lost commits, and nothing can be said.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import Final, TypeVar

import psycopg

from signalpost.domain.errors import OutcomeUnknown, Stopping, Unavailable
from signalpost.runtime.histogram import Histogram
from signalpost.runtime.logger import log
from signalpost.store.postgres.connect import DatabaseConnection, trip
from signalpost.store.postgres.errors import NO_PARTITION, NOT_AS_IT_WAS, as_told, is_conflict, is_lost
from signalpost.store.postgres.partitions import Partitions
from signalpost.store.postgres.sessions import ENDS_WITHIN, WAIT_SECONDS, WRITES_WITHIN, limits
from signalpost.store.postgres.source import HISTORY_NOW, DatabaseSource
from signalpost.store.statements import EVERY_TENANT, Row, Statement

T = TypeVar("T")
TRIES: Final = 5
"""How often a transaction is tried if others are in its way."""

BY_INDEX: Final = (
    ", set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),"
    " set_config('enable_mergejoin', 'off', true)"
)
"""Every row is found by an index. A plan that was made while a table was small would read through it for ever."""
ASKS_WITHIN: Final = 10.0
"""Seconds to find out what happened to a commit, before its clients get the answer that this is unknown."""
_ADD: Final = (
    "INSERT INTO committer (batch, used_at) VALUES (0, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
    " RETURNING id"
)
_MOVE_ON: Final = (
    "WITH moved AS (UPDATE committer SET batch = $2,"
    " used_at = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    " WHERE id = $1 AND batch = $2 - 1 RETURNING 1) SELECT 1 / count(*) FROM moved"
)
_FORGET: Final = (
    "DELETE FROM committer WHERE used_at < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 86400000000"
)
"""Rows of connections that are long gone."""


class CommitEnd(Enum):
    """What happened to a transaction."""

    COMMITTED = "committed"
    UNDONE = "undone"
    UNKNOWN = "unknown"


def beginning(tenants: Sequence[int] | None) -> list[Statement]:
    """What a transaction of a committer begins with; see `limits`."""
    limiting = limits(tenants, WRITES_WITHIN, ENDS_WITHIN)
    return [Statement("BEGIN"), limiting._replace(sql=f"{limiting.sql}{BY_INDEX}, {HISTORY_NOW}")]


class CommitConnection:
    """One connection that commits, with its row."""

    def __init__(self, source: DatabaseSource) -> None:
        self._source = source
        self._connection: DatabaseConnection | None = None
        self._id = 0
        self._batch = 0
        self._warnings: list[str] = []

    async def ready(self) -> None:
        """Connect, if there is no connection. Raises psycopg's Error."""
        await self._connected()

    async def trip(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """The rows of each statement. Raises psycopg's Error."""
        return await trip(await self._connected(), statements)

    async def begin(self, tenants: Sequence[int] | None, statements: Sequence[Statement]) -> list[list[Row]]:
        """Begin a transaction that sees the rows of these tenants. Returns the rows of each of its first statements.
        Raises psycopg's Error, also if the database went back to before what the node remembers."""
        _, [(*_, history)], *found = await self.trip([*beginning(tenants), *statements])
        self._source.check(history)
        return found

    async def commit(self, statements: Sequence[Statement]) -> None:
        """Carry these out as the last of the transaction, and commit it. Raises OutcomeUnknown, and psycopg's Error
        where all is undone."""
        self._warnings.clear()
        moving_on = Statement(_MOVE_ON, (self._id, self._batch + 1))
        try:
            await self.trip([*statements, moving_on, Statement("COMMIT")])
        except psycopg.Error as error:
            if error.sqlstate == NOT_AS_IT_WAS:
                self._id = self._batch = 0  # its row may have been removed, since it was not used for long
                raise
            if not is_lost(error) or await self._ended() is CommitEnd.UNDONE:
                raise
        self._batch += 1
        if self._warnings:
            # A synchronous standby did not confirm it, because somebody cancelled the wait.
            raise _unknown()

    async def undo(self) -> None:
        """Leave a transaction that has only read so far."""
        connection = self._connection
        if connection is not None and connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
            with suppress(psycopg.Error):
                await trip(connection, [Statement("ROLLBACK")])

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def _connected(self) -> DatabaseConnection:
        if self._connection is None or self._connection.closed:
            self._connection = await self._source.connect()
            self._connection.add_notice_handler(self._note)
        if not self._id:
            begin = limits(EVERY_TENANT, WRITES_WITHIN, ENDS_WITHIN)
            _, _, [(self._id,)] = await trip(self._connection, [begin, Statement(_FORGET), Statement(_ADD)])
        return self._connection

    def _note(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            self._warnings.append(diagnostic.message_primary or "")

    async def _ended(self) -> CommitEnd:
        """What happened to the transaction whose connection was lost during its commit. Raises OutcomeUnknown."""
        asking = Statement("SELECT batch FROM committer WHERE id = $1 FOR UPDATE", (self._id,))
        deadline = time.monotonic() + ASKS_WITHIN
        while time.monotonic() < deadline:
            try:
                _, found = await self.trip([limits(EVERY_TENANT, "5s"), asking])
            except (psycopg.Error, Unavailable):
                await asyncio.sleep(0.2)
                continue
            if found == [(self._batch + 1,)]:
                return CommitEnd.COMMITTED
            if found == [(self._batch,)]:
                return CommitEnd.UNDONE
            log.error("the database lost commits that it had confirmed", committer=self._id, batch=self._batch)
            break
        self._id = self._batch = 0
        raise _unknown()


def _unknown() -> OutcomeUnknown:
    return OutcomeUnknown("The database was lost during the commit. Repeat with the same Idempotency-Key.")


class Committers:
    """The connections that commit, each used by one transaction at a time."""

    def __init__(self, source: DatabaseSource, partitions: Partitions, count: int) -> None:
        self._partitions = partitions
        self._all = [CommitConnection(source) for _ in range(count)]
        self._idle: asyncio.LifoQueue[CommitConnection] = asyncio.LifoQueue()
        for each in self._all:
            self._idle.put_nowait(each)
        self._closed = False
        self.waited = Histogram(WAIT_SECONDS)
        """How long transactions waited until a connection was free."""

    async def run(self, work: Callable[[CommitConnection], Awaitable[T]]) -> T:
        """The result of `work`, which begins a transaction and commits it. Where others were in its way, it is tried
        again. Raises Unavailable, and psycopg's Error if the data is to blame; then nothing was changed."""
        for left in reversed(range(TRIES)):
            try:
                async with self._one() as committer:
                    return await work(committer)
            except psycopg.Error as error:
                if error.sqlstate == NO_PARTITION:
                    self._partitions.forget()
                elif not (left and is_conflict(error)):
                    raise as_told(error) from None
        raise Unavailable("The database could not do this now, and nothing was changed. Repeat the request.")

    @asynccontextmanager
    async def _one(self) -> AsyncIterator[CommitConnection]:
        """A connection outside any transaction, which it leaves again at the end."""
        if self._closed:
            raise Stopping
        began = time.perf_counter()
        committer = await self._idle.get()
        self.waited.add(time.perf_counter() - began)
        try:
            yield committer
        finally:
            await committer.undo()
            self._idle.put_nowait(committer)

    async def close(self) -> None:
        """Wait until nothing is committed any more, and close all connections."""
        self._closed = True
        for _ in self._all:
            await (await self._idle.get()).close()
