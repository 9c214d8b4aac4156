"""The connections that read. Each query runs on a thread and sees one snapshot of the database from its first statement
to its last.

`@reading` makes an asynchronous method of one that holds SQL: the method gets a connection as its first argument, the
caller awaits it without one. `@reading_in_turns` is for queries that may read megabytes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Executor
from contextvars import Context, copy_context
from functools import partial, wraps
from threading import local
from time import thread_time
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

import apsw

from signalpost.domain.errors import Stopping, Unavailable
from signalpost.runtime.logger import log
from signalpost.sharing.resting_turns import WALKS_REST, Rest, RestingTurns, no_rest
from signalpost.store.sqlite.codec import unpack_uuid
from signalpost.store.sqlite.statements import found_by
from signalpost.store.statements import Row, Statement

ROWS_IN_A_ROW: Final = 4
"""After so many rows a query may rest. To ask after each whether it should takes a quarter as long as to read a small
one, and four large ones take less than a millisecond."""
P = ParamSpec("P")
T = TypeVar("T")


class _ThreadConnection(local):
    """The connection on which the present thread is in the middle of several queries."""

    connection: apsw.Connection | None = None
    rest: Rest | None = None
    """For what may read megabytes, if what runs here has the turn for that."""


class Readers:
    """Queries wait for one of the executor's threads; there must be a connection for each of these."""

    unpack_id = staticmethod(unpack_uuid)

    def __init__(
        self, connections: Sequence[apsw.Connection], executor: Executor, cpu: Callable[[], float] = thread_time
    ) -> None:
        """`cpu` tells the seconds of CPU that the thread that calls it has spent."""
        self.connections = tuple(connections)
        self._idle = [*connections]
        self._executor = executor
        self._turns = RestingTurns(cpu)
        self._here = _ThreadConnection()
        self._closed = False

    async def run(self, query: Callable[[apsw.Connection], T]) -> T:
        """What the query returns. Raises Unavailable if the database cannot be read now."""
        if (connection := self._here.connection) is not None:
            return query(connection)
        loop = asyncio.get_running_loop()
        return await self._answered(lambda: loop.run_in_executor(self._executor, self._in_snapshot, query))

    @property
    def is_reading_together(self) -> bool:
        """Whether the present thread is in the middle of what is read together."""
        return self._here.connection is not None

    async def together(self, asking: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of a coroutine that waits for nothing but these readers: it runs on a thread, in one snapshot.
        Queries that take turns else take none within it, so it must ask them for little."""
        if self.is_reading_together:
            return await asking()
        return await self.run(partial(self._hold, asking, copy_context()))

    async def together_in_turn(self, tenant_id: int, asking: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The same for queries that take turns: all of it is one turn, and those may rest."""
        if self._here.rest is not None:
            return await asking()
        hold = partial(self._hold_turn, asking, copy_context())
        return await self._answered(lambda: self._turns.run(tenant_id, self._executor, hold))

    def _hold_turn(self, asking: Callable[[], Coroutine[Any, Any, T]], within: Context, rest: Rest) -> T:
        self._here.rest = rest
        try:
            return self._in_snapshot(partial(self._hold, asking, within))
        finally:
            self._here.rest = None

    def _hold(self, asking: Callable[[], Coroutine[Any, Any, T]], within: Context, connection: apsw.Connection) -> T:
        """`within` are the context variables of the caller."""
        self._here.connection = connection
        try:
            return within.run(at_once, asking())
        finally:
            self._here.connection = None

    async def rows(self, _tenant_id: int | None, sql: str, *parameters: Any) -> list[Row]:
        """See `RowReader`. Every tenant's rows are in the same file."""
        [found] = await self.all(_tenant_id, [Statement(sql, parameters)])
        return found

    async def all(self, _tenant_id: int | None, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `RowReader`."""
        return await self.run(lambda connection: [found_by(connection, each) for each in statements])

    async def run_in_turn(self, tenant_id: int, query: Callable[[apsw.Connection], T]) -> T:
        """The same for queries that may read megabytes: one of them at a time, in turns between tenants, so that the
        other threads are left to short ones. It may rest every few rows."""
        if (connection := self._here.connection) is not None:
            return _resting(query, self._here.rest or no_rest, connection)
        return await self._answered(
            lambda: self._turns.run(
                tenant_id, self._executor, lambda rest: self._in_snapshot(partial(_resting, query, rest))
            )
        )

    async def walk_in_turn(self, tenant_id: int, query: Callable[[apsw.Connection, Rest], T]) -> T:
        """The same for a page of a walk over a large part of a log, which itself says whenever it may rest."""
        return await self._answered(
            lambda: self._turns.run(
                tenant_id,
                self._executor,
                lambda rest: self._in_snapshot(lambda connection: query(connection, rest)),
                rests=WALKS_REST,
            )
        )

    async def _answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        if self._closed:
            raise Stopping
        try:
            return await ask()
        except apsw.BusyError:
            raise Unavailable("The database is busy. Repeat the request.") from None
        except apsw.IOError as error:
            log.error("the database could not be read", error=str(error))
            raise Unavailable("The disk could not be read. Repeat the request in a moment.") from None

    def _in_snapshot(self, query: Callable[[apsw.Connection], T]) -> T:
        connection = self._idle.pop()
        try:
            connection.execute("BEGIN")
            return query(connection)
        finally:
            if connection.in_transaction:  # an I/O error has ended it already
                connection.execute("ROLLBACK")
            self._idle.append(connection)

    async def close(self) -> None:
        """Let running queries end, and refuse further ones."""
        self._closed = True
        await asyncio.to_thread(self._executor.shutdown)
        for connection in self.connections:
            connection.close()


def _resting(query: Callable[[apsw.Connection], T], rest: Rest, connection: apsw.Connection) -> T:
    left = ROWS_IN_A_ROW

    def rest_after(_: apsw.Cursor, row: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            left = ROWS_IN_A_ROW
            rest()
        return row

    connection.row_trace = rest_after
    try:
        return query(connection)
    finally:
        connection.row_trace = None


def at_once(asking: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits, because everything that it asks for is available at once.

    What both databases do in the same way is written as coroutines. On SQLite they run within one query, on its thread.
    """
    try:
        asking.send(None)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]
    asking.close()
    raise RuntimeError("a query within SQLite waited for something")


class HasReaders(Protocol):
    _readers: Readers


S = TypeVar("S", bound=HasReaders)


def reading(
    query: Callable[Concatenate[S, apsw.Connection, P], T],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    @wraps(query)
    async def read(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._readers.run(lambda connection: query(self, connection, *args, **kwargs))

    return read


def reading_in_turns(
    query: Callable[Concatenate[S, apsw.Connection, int, P], T],
) -> Callable[Concatenate[S, int, P], Coroutine[Any, Any, T]]:
    """The same for a query that may read megabytes, of a tenant, which comes first."""

    @wraps(query)
    async def read(self: S, tenant_id: int, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._readers.run_in_turn(
            tenant_id, lambda connection: query(self, connection, tenant_id, *args, **kwargs)
        )

    return read
