"""Connections to PostgreSQL, and statements on them.

A trip sends statements together and waits once (a pipeline). Unless they begin a transaction, those of one trip are
one. Nothing is ever set for a whole session, so a pooler may give each transaction another connection to the server.
"""

import asyncio
import os
import select
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import AsyncConnection

from signalpost.domain.errors import StartError
from signalpost.store.postgres.pipeline import Pipeline

Row = tuple[Any, ...]
OLDEST_SERVER: Final = 150000
CONNECTS_WITHIN: Final = 5
ANSWERS_WITHIN: Final = 40.0
"""After how many seconds without an answer a connection counts as lost: longer than the server lets any statement take.
A server that hangs, or a proxy that swallows everything, keeps a connection alive for ever."""
CANCELS_WITHIN: Final = 5.0
"""For how many seconds the server is asked to go no further with what nobody waits for any more."""
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


class DatabaseConnection(AsyncConnection[Row]):
    """A connection on which statements are asked by `trip`."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.own_pipeline = Pipeline(self.pgconn)


async def connect(url: str) -> DatabaseConnection:
    """A new connection. Raises psycopg's OperationalError where there is none to be had, and StartError where the URL
    or the server's version or the database's encoding is wrong."""
    try:
        connection = await DatabaseConnection.connect(
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
        connection.own_pipeline.prepares = not await is_pooled(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


async def is_pooled(connection: DatabaseConnection) -> bool:
    """Whether a pooler answers in the server's place: then neither prepared statements nor notifications work. It tells
    a number of its own for the server's process."""
    [[(process,)]] = await trip(connection, [Statement("SELECT pg_backend_pid()::bigint")])
    return bool(process != connection.info.backend_pid)


async def trip(
    connection: DatabaseConnection, statements: Sequence[Statement], within: float | None = ANSWERS_WITHIN
) -> list[list[Row]]:
    """The rows of each statement; no rows for one that returns none. Raises psycopg's Error of the first that failed;
    then those after it were not carried out, and the connection is closed. It is lost where no answer comes `within` so
    many seconds."""
    loop = asyncio.get_running_loop()
    deadline = None if within is None else loop.call_later(within, _hang_up, connection)
    try:
        try:
            return await connection.own_pipeline.ask(statements)
        except asyncio.CancelledError:
            with suppress(psycopg.Error):
                await connection.cancel_safe(timeout=CANCELS_WITHIN)
            raise
    except BaseException:
        await connection.close()
        raise
    finally:
        if deadline is not None:
            deadline.cancel()


def was_ended(connection: DatabaseConnection) -> bool:
    """Whether the server has closed an idle connection. On one that does not listen it sends nothing unasked, except
    that it closes it."""
    if connection.closed:
        return True
    unread = select.poll()
    unread.register(connection.pgconn.socket, select.POLLIN)
    return bool(unread.poll(0))


def _hang_up(connection: DatabaseConnection) -> None:
    """End a connection on this side: whoever waits for an answer learns that it is lost. To cancel the wait would ask
    the server to cancel the statement, and wait for that."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.pgconn.socket)) as mine:
        mine.shutdown(socket.SHUT_RDWR)
