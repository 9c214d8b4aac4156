"""The connections of a node, each used by one task at a time.

They are made when they are first needed, and again where they were lost. What a transaction sees and may change is
limited to its tenant (`EVERY_TENANT` for what concerns the whole fleet). That is set for each transaction alone, as its
time-outs are: a pooler may give the same connection to another client right after.

A caller either has one statement, or *steps*: a generator that yields the statements of a trip, is sent the rows of
each, and returns the result. Steps are one transaction, and know nothing of connections.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import Any, Final, TypeVar

import psycopg

from signalpost.domain.errors import OutcomeUnknown, Stopping
from signalpost.runtime.histogram import Histogram
from signalpost.runtime.loop_thread import LoopThread
from signalpost.sharing.resting_turns import RESTS, RestingTurns
from signalpost.store.postgres.connect import ANSWERS_WITHIN, DatabaseConnection, trip, was_ended
from signalpost.store.postgres.errors import NOT_ALLOWED, NotOwner, as_told, is_lost, is_read_only
from signalpost.store.postgres.source import DatabaseSource
from signalpost.store.statements import Row, Statement

T = TypeVar("T")
Steps = Generator[Sequence[Statement], list[list[Row]], T]
READERS: Final = 3
WRITERS: Final = 2
"""How many connections a node reads with, and how many it writes with apart from batches and records."""
WAIT_SECONDS: Final = (0.0001, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
EVERY: Final = "{-1}"
"""Stands for all tenants."""
_LIMITS: Final = (
    "SELECT set_config('signalpost.tenants', $1, true), set_config('lock_timeout', $2, true),"
    " set_config('statement_timeout', $3, true), set_config('idle_in_transaction_session_timeout',"
    " coalesce(nullif(current_setting('signalpost.idle_within', true), ''), '2s'), true),"
    " CASE WHEN current_setting('server_version_num')::int >= 170000"
    " THEN set_config('transaction_timeout', $4, true) END"
)
"""A node that freezes between two trips loses its locks after two seconds, or after what the database's
`signalpost.idle_within` says. One that freezes in the middle of what it
sends is not idle to the server, which waits for the rest of it: only the end of the whole transaction helps, and only
servers from 17 on know that."""
LOCKS_WITHIN: Final = "2s"
READS_WITHIN: Final = "5s"
READ_ANSWERS_WITHIN: Final = 10.0
"""After how many seconds without an answer a connection that only reads counts as lost."""
UNBOUNDED: Final = "0"
"""For what an operator asks of a whole database."""
WRITES_WITHIN: Final = "30s"
ENDS_WITHIN: Final = "35s"
"""How long a transaction that locks what other nodes need may last, all in all."""


_AS_OWNER: Final = (
    b"SELECT set_config('role', pg_get_userbyid(relowner)::text, false) FROM pg_class"
    b" WHERE oid = 'event'::regclass AND relowner <> current_user::regrole"
)
"""For a connection of its own that does one thing; nothing else may be set for a session."""


def limits(tenants: Sequence[int] | None, within: str, ends_within: str = UNBOUNDED) -> Statement:
    """What a transaction begins with: the tenants whose rows it sees, all for None, and the time-outs of each statement
    and of all together."""
    seen = EVERY if tenants is None else "{" + ",".join(map(str, tenants)) + "}"
    return Statement(_LIMITS, (seen, LOCKS_WITHIN, within, ends_within))


class SessionPool:
    """Connections that are alike. A task that finds none idle waits for one."""

    def __init__(self, connect: Callable[[], Awaitable[DatabaseConnection]], count: int) -> None:
        self._connect = connect
        self._idle: asyncio.LifoQueue[DatabaseConnection | None] = asyncio.LifoQueue()
        for _ in range(count):
            self._idle.put_nowait(None)
        self._count = count
        self._closed = False
        self.waited = Histogram(WAIT_SECONDS)
        """How long tasks waited until a connection was free."""

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[DatabaseConnection]:
        """A connection outside any transaction. It is not kept where it is lost meanwhile, or left in one. Raises
        psycopg's Error, and Stopping once these are closed."""
        if self._closed:
            raise Stopping
        began = time.perf_counter()
        held = await self._idle.get()
        self.waited.add(time.perf_counter() - began)
        try:
            if held is not None and was_ended(held):
                await held.close()
            if held is None or held.closed:
                held = await self._connect()
            yield held
        finally:
            if held is not None and held.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                await held.close()
            self._idle.put_nowait(None if held is None or held.closed else held)

    async def run(self, begin: Sequence[Statement], steps: Steps[T], within: float | None = ANSWERS_WITHIN) -> T:
        """The result of the steps of a transaction, once it is committed; see `take`. Raises as `connection` does."""
        with closing(steps):  # which Python complains of where they are a coroutine's and there was no connection
            async with self.connection() as connection:
                result = await take(connection, begin, steps, within)
                await trip(connection, [Statement("COMMIT")])
                return result

    async def close(self) -> None:
        """Wait until no task uses a connection, and close all."""
        self._closed = True
        for _ in range(self._count):
            held = await self._idle.get()
            if held is not None:
                await held.close()


class ReadSessions:
    """What reads. Everything that one call reads is as of one moment.

    The connections belong to an event loop on a thread of its own, on which steps run and rows are unpacked: one page
    for people takes a dozen trips and hundreds of rows, and meanwhile the caller's loop delivers."""

    def __init__(
        self, source: DatabaseSource, count: int = READERS, cpu: Callable[[], float] = time.thread_time
    ) -> None:
        """`cpu` tells the seconds of CPU that the calling thread has spent, by which long reads rest."""
        self._sessions = SessionPool(source.connect, count)
        self._turns = RestingTurns(cpu)
        self._thread = LoopThread("reads")
        self._closed = False
        self.waited = self._sessions.waited

    unpack_id = staticmethod(str)

    async def rows(self, tenant_id: int | None, sql: str, *parameters: Any) -> list[Row]:
        """See `RowReader`."""
        if self._closed:
            raise Stopping
        return await self._thread.run(self._rows([limits(_only(tenant_id), READS_WITHIN), Statement(sql, parameters)]))

    async def together(self, asking: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of a coroutine that waits for nothing but what it reads here. It runs on the thread."""
        if self._closed:
            raise Stopping
        return await self._thread.run(asking())

    async def all(self, tenant_id: int | None, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `RowReader`."""
        return await self.run(tenant_id, _trip(statements))

    async def run(self, tenant_id: int | None, steps: Steps[T], within: str = READS_WITHIN) -> T:
        """The result of steps that only read. Raises Unavailable if the database cannot be read now."""
        self._check_open(steps)
        return await self._thread.run(self._run(tenant_id, steps, within))

    async def run_in_turn(self, tenant_id: int, steps: Steps[T], rests: int = RESTS) -> T:
        """The same for what may read megabytes: one of them at a time, in turns between tenants, so that the other
        connections are left to what is short. It rests so many times as long as it took."""
        self._check_open(steps)
        return await self._thread.run(self._run_in_turn(tenant_id, steps, rests))

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._thread.run(self._sessions.close())
            await self._thread.close()

    def _check_open(self, steps: Steps[Any]) -> None:
        if self._closed:
            steps.close()
            raise Stopping

    # --- On the thread ------------------------------------------------------------------------------------------------

    async def _rows(self, asked: Sequence[Statement]) -> list[Row]:
        try:
            return (await self._again_if_lost(asked))[1]
        except psycopg.Error as error:
            raise as_told(error) from None

    async def _run(self, tenant_id: int | None, steps: Steps[T], within: str = READS_WITHIN) -> T:
        begin = [
            Statement("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            limits(_only(tenant_id), within),
        ]
        try:
            return await self._sessions.run(begin, steps, None if within == UNBOUNDED else READ_ANSWERS_WITHIN)
        except psycopg.Error as error:
            raise as_told(error) from None

    async def _run_in_turn(self, tenant_id: int, steps: Steps[T], rests: int) -> T:
        with closing(steps):  # as in `SessionPool.run`, where there was no turn
            return await self._turns.run_here(tenant_id, partial(self._run, tenant_id, steps), rests)

    async def _again_if_lost(self, asked: Sequence[Statement]) -> list[list[Row]]:
        """An idle connection may be lost without anybody having noticed yet."""
        try:
            async with self._sessions.connection() as connection:
                return await trip(connection, asked, READ_ANSWERS_WITHIN)
        except psycopg.Error as error:
            if not is_lost(error):
                raise
        async with self._sessions.connection() as connection:
            return await trip(connection, asked, READ_ANSWERS_WITHIN)


class Writers:
    """What writes, apart from batches of commands and records of lanes."""

    def __init__(self, source: DatabaseSource, count: int = WRITERS) -> None:
        self._source = source
        self._sessions = SessionPool(source.connect, count)
        self.waited = self._sessions.waited

    async def rows(self, tenant_id: int | None, sql: str, *parameters: Any) -> list[Row]:
        """The rows of one statement, once it is committed. Raises Unavailable."""
        [rows] = await self.all(tenant_id, [Statement(sql, parameters)])
        return rows

    async def all(self, tenant_id: int | None, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `RowWriter`."""
        try:
            async with self._sessions.connection() as connection:
                return (await trip(connection, [limits(_only(tenant_id), WRITES_WITHIN, ENDS_WITHIN), *statements]))[1:]
        except psycopg.Error as error:
            raise _written(error) from None

    async def run(self, tenant_id: int | None, steps: Steps[T]) -> T:
        """The result of steps, once they are committed. Raises Unavailable."""
        begin = [Statement("BEGIN"), limits(_only(tenant_id), WRITES_WITHIN, ENDS_WITHIN)]
        try:
            return await self._sessions.run(begin, steps)
        except psycopg.Error as error:
            raise _written(error) from None

    async def apart(self, sql: str) -> None:
        """Carry out a statement that must be in no transaction with others, such as VACUUM, on a connection of its own,
        as the user that owns the tables. It waits for locks of others no longer than they do. Raises NotOwner,
        Unavailable."""
        try:
            connection = await self._source.connect()
            try:
                await connection.execute(f"SET lock_timeout = '{LOCKS_WITHIN}'".encode(), prepare=False)
                await connection.execute(_AS_OWNER, prepare=False)
                await connection.execute(sql.encode(), prepare=False)
            finally:
                await connection.close()
        except psycopg.Error as error:
            raise NotOwner if error.sqlstate == NOT_ALLOWED else as_told(error) from None

    async def close(self) -> None:
        await self._sessions.close()


async def take(
    connection: DatabaseConnection,
    begin: Sequence[Statement],
    steps: Steps[T],
    within: float | None = ANSWERS_WITHIN,
) -> T:
    """The result of the steps of a transaction, which begins with the first trip. See `trip` for `within`."""
    try:
        asked = [*begin, *next(steps)]
        skipped = len(begin)
        while True:
            found = await trip(connection, asked, within)
            asked = [*steps.send(found[skipped:])]
            skipped = 0
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]


def _trip(statements: Sequence[Statement]) -> Steps[list[list[Row]]]:
    return (yield statements)


def _written(error: psycopg.Error) -> Exception:
    if is_lost(error) and not is_read_only(error):
        return OutcomeUnknown("The database was lost during the commit. Repeat with the same Idempotency-Key.")
    return as_told(error)


def _only(tenant_id: int | None) -> Sequence[int] | None:
    return None if tenant_id is None else (tenant_id,)
