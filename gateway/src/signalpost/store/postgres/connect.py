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
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo

from signalpost.domain.errors import StartError
from signalpost.runtime.logger import log
from signalpost.store.postgres.pipeline import Pipeline
from signalpost.store.statements import Row, Statement

OLDEST_SERVER: Final = 150000
CONNECTS_WITHIN: Final = 5
LOOKS_AGAIN_AFTER: Final = 0.5
"""After how many seconds a server that is starting is asked again."""
ANSWERS_WITHIN: Final = 40.0
"""After how many seconds without an answer a connection counts as lost: longer than the server lets any statement take.
A server that hangs, or a proxy that swallows everything, keeps a connection alive for ever."""
CANCELS_WITHIN: Final = 5.0
"""For how many seconds the server is asked to go no further with what no one waits for any more."""
_KEEPALIVES: Final[dict[str, Any]] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""How a dead peer is noticed: within some ten seconds (`tcp_user_timeout` in ms, the others in s)."""
_STOOD_STILL: Final = frozenset({"25P03", "25P04"})
"""Errors of a transaction that the server has ended because nothing more came in time: between two trips, or in all."""


class DatabaseConnection(AsyncConnection[Row]):
    """A connection on which statements are asked by `trip`."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.own_pipeline = Pipeline(self.pgconn)


async def connect(url: str) -> DatabaseConnection:
    """A new connection. Raises psycopg's OperationalError if there is none to be had, and StartError if the URL
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


async def until_started(url: str) -> None:
    """Wait as long as the server says that it is starting, which may take minutes after a crash. What else may be wrong
    the node finds out when it connects."""
    is_told = False
    while await asyncio.to_thread(_is_starting, url):
        if not is_told:
            log.warning("the database is starting, and takes no connections yet; waiting for it")
        is_told = True
        await asyncio.sleep(LOOKS_AGAIN_AFTER)


def _is_starting(url: str) -> bool:
    try:
        asked = make_conninfo(url, connect_timeout=CONNECTS_WITHIN)
    except psycopg.ProgrammingError:
        return False
    # A connection that is refused has only a text in the server's language.
    return psycopg.pq.PGconn.ping(asked.encode()) == psycopg.pq.Ping.REJECT


async def is_pooled(connection: DatabaseConnection) -> bool:
    """Whether a pooler answers in the server's place: then neither prepared statements nor notifications work. It tells
    a number of its own for the server's process."""
    [[(process,)]] = await trip(connection, [Statement("SELECT pg_backend_pid()::bigint")])
    return bool(process != connection.info.backend_pid)


async def trip(
    connection: DatabaseConnection, statements: Sequence[Statement], within: float | None = ANSWERS_WITHIN
) -> list[list[Row]]:
    """The rows of each statement; no rows for one that returns none. Raises psycopg's Error of the first that failed;
    then those after it were not carried out, and the connection is closed. It is lost if no answer comes `within` so
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
        except psycopg.Error as error:
            if error.sqlstate in _STOOD_STILL:
                _tell_stood_still(error)
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


def _tell_stood_still(error: psycopg.Error) -> None:
    """To a client this is at most a 503, and mostly nothing at all, because it is tried again. But others waited for
    the rows, and it comes again."""
    log.warning(
        "the database ended a transaction of this node, which had stood still in the middle of it; look at whether this"
        " process was frozen, short of CPU or swapped out, and at what it did just before",
        error=str(error).strip(),
    )


def _hang_up(connection: DatabaseConnection) -> None:
    """End a connection on this side: the task that waits for an answer learns that it is lost. To cancel the wait would
    ask the server to cancel the statement, and wait for that."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.pgconn.socket)) as mine:
        mine.shutdown(socket.SHUT_RDWR)
