"""Connections to PostgreSQL, and statements on them.

A trip sends statements together and waits once (a pipeline). Unless they begin a transaction, those of one trip are
one. Nothing is ever set for a whole session, so a pooler may give each transaction another connection to the server.
"""

import asyncio
import logging
import os
import select
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format
from psycopg.types.numeric import Int8BinaryDumper
from psycopg.types.string import StrBinaryDumper

from signalpost.domain.errors import StartError
from signalpost.store.postgres.columns import Column, ColumnDumper

# It tells of each statement that was not carried out because of an error before it, which is told anyway.
logging.getLogger("psycopg").setLevel(logging.ERROR)

Row = tuple[Any, ...]
OLDEST_SERVER: Final = 150000
CONNECTS_WITHIN: Final = 5
ANSWERS_WITHIN: Final = 40.0
"""After how many seconds without an answer a connection counts as lost: longer than the server lets any statement take.
A server that hangs, or a proxy that swallows everything, keeps a connection alive for ever."""
MAX_PREPARED: Final = 1_000
"""More statements than there are."""
_KEEPALIVES: Final[dict[str, Any]] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""How a dead peer is noticed: within some ten seconds (`tcp_user_timeout` in ms, the others in s)."""


class Statement(NamedTuple):
    """A statement, with parameters for its `$1`, `$2`, …"""

    sql: str
    parameters: Sequence[Any] = ()


class _UuidLoader(Loader):
    """Ids are strings everywhere else."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        text = bytes(data).hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


async def connect(url: str) -> AsyncConnection[Row]:
    """A new connection. Raises psycopg's OperationalError where there is none to be had, and StartError where the URL
    or the server's version or the database's encoding is wrong."""
    try:
        connection = await AsyncConnection.connect(
            url,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=CONNECTS_WITHIN,
            application_name="signalpost",
            **_KEEPALIVES,
        )
    except psycopg.ProgrammingError:
        # What is wrong with it may be in its password.
        raise StartError("A PostgreSQL database's URL must be postgresql://USER@HOST/DATABASE.") from None
    try:
        if connection.info.server_version < OLDEST_SERVER:
            raise StartError(f"PostgreSQL must be 15 or newer; this one is {connection.info.server_version // 10_000}.")
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise StartError(
                f"The database's encoding must be UTF8; this one's is {encoding}. Create another one with "
                "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0."
            )
        adapters = connection.adapters
        adapters.register_dumper(int, Int8BinaryDumper)
        adapters.register_dumper(str, StrBinaryDumper)
        adapters.register_dumper(Column, ColumnDumper)
        adapters.register_loader("uuid", _UuidLoader)
        if not await is_pooled(connection):
            connection.prepare_threshold = 0
            connection.prepared_max = MAX_PREPARED
    except BaseException:
        await connection.close()
        raise
    return connection


async def is_pooled(connection: AsyncConnection[Row]) -> bool:
    """Whether a pooler answers in the server's place: then neither prepared statements nor notifications work. It tells
    a number of its own for the server's process."""
    [[(process,)]] = await trip(connection, [Statement("SELECT pg_backend_pid()::bigint")])
    return bool(process != connection.info.backend_pid)


async def trip(
    connection: AsyncConnection[Row], statements: Sequence[Statement], within: float | None = ANSWERS_WITHIN
) -> list[list[Row]]:
    """The rows of each statement; no rows for one that returns none. Raises psycopg's Error of the first that failed;
    then those after it were not carried out, and the connection is closed: the driver cannot say any more which
    statements the server has prepared. It is lost where no answer comes `within` so many seconds."""
    loop = asyncio.get_running_loop()
    deadline = None if within is None else loop.call_later(within, _hang_up, connection)
    cursors = [AsyncRawCursor(connection) for _ in statements]
    try:
        async with connection.pipeline():
            for cursor, (sql, parameters) in zip(cursors, statements, strict=True):
                await cursor.execute(sql, parameters, binary=True)
    except psycopg.Error:
        await connection.close()
        raise
    finally:
        if deadline is not None:
            deadline.cancel()
    return [await cursor.fetchall() if cursor.description is not None else [] for cursor in cursors]


def was_ended(connection: AsyncConnection[Row]) -> bool:
    """Whether the server has closed an idle connection. On one that does not listen it sends nothing unasked, except
    that it closes it."""
    if connection.closed:
        return True
    unread = select.poll()
    unread.register(connection.pgconn.socket, select.POLLIN)
    return bool(unread.poll(0))


def _hang_up(connection: AsyncConnection[Row]) -> None:
    """End a connection on this side: whoever waits for an answer learns that it is lost. To cancel the wait would ask
    the server to cancel the statement, and wait for that."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.pgconn.socket)) as mine:
        mine.shutdown(socket.SHUT_RDWR)
