"""Databases by URL: `sqlite:///PATH`, where PATH is relative, or absolute with a fourth slash; and `postgresql://…`, as
libpq knows it."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from signalpost.commands.batch import BatchContext
from signalpost.domain.errors import StartError
from signalpost.runtime.clock import SystemClock
from signalpost.store.database import Database
from signalpost.store.nouns.log import LogStore
from signalpost.store.sqlite.connect import connect
from signalpost.store.sqlite.database import SqliteDatabase
from signalpost.store.sqlite.nouns.log import SqliteLog
from signalpost.store.sqlite.readers import Readers
from signalpost.store.sqlite.store import SqliteStore, thread_executors
from signalpost.store.store import MAX_SCANNED, Store
from signalpost.store.vault import MasterKeys


def default_url(data_dir: Path) -> str:
    """The database of a gateway that keeps everything in one folder."""
    return f"sqlite:///{quote(os.fsencode(data_dir / 'signalpost.db'))}"


def find_database(url: str) -> Database:
    """Raises StartError if the URL names no database that this version can use. Nothing is opened yet."""
    if is_postgres(url):
        _check_driver()
        from signalpost.store.postgres.database import PostgresDatabase

        return PostgresDatabase(url)
    return SqliteDatabase(sqlite_file(url))


async def open_store(
    url: str,
    *,
    master_keys: MasterKeys,
    context: BatchContext,
    now: Callable[[], int] | None = None,
    on_broken: Callable[[BaseException], None],
    max_scanned: int = MAX_SCANNED,
) -> Store:
    """Open a database; it is made or upgraded first if that is needed. A SQLite file must have been claimed by this
    process; many may share a PostgreSQL.

    `now` says what the time is (µs); by default PostgreSQL does if that is the database, else the system's clock.
    `on_broken` is called, from any thread, when the disk failed and nothing more can be made durable. Raises
    StartError.
    """
    if is_postgres(url):
        _check_driver()
        from signalpost.store.postgres.store import open_postgres

        return await open_postgres(url, master_keys, context, now, max_scanned)
    return SqliteStore(
        sqlite_file(url),
        master_keys,
        context,
        now or SystemClock().wall,
        thread_executors(),
        on_broken,
        max_scanned=max_scanned,
    )


@asynccontextmanager
async def open_log(url: str, cpu: Callable[[], float]) -> AsyncIterator[LogStore]:
    """The log of a database that a gateway has open, for another process that reads nothing else. `cpu` tells the
    seconds of CPU that the calling thread has spent, by which long reads rest. Raises StartError."""
    log, close = _postgres_log(url, cpu) if is_postgres(url) else _sqlite_log(url, cpu)
    try:
        yield log
    finally:
        await close()


def _postgres_log(url: str, cpu: Callable[[], float]) -> tuple[LogStore, Callable[[], Awaitable[None]]]:
    _check_driver()
    from signalpost.store.postgres.nouns.log import PostgresLog
    from signalpost.store.postgres.sessions import ReadSessions
    from signalpost.store.postgres.source import DatabaseSource

    readers = ReadSessions(DatabaseSource(url), 1, cpu)
    return PostgresLog(readers, MAX_SCANNED), readers.close


def _sqlite_log(url: str, cpu: Callable[[], float]) -> tuple[LogStore, Callable[[], Awaitable[None]]]:
    readers = Readers([connect(sqlite_file(url), read_only=True)], ThreadPoolExecutor(1, "reader"), cpu)
    return SqliteLog(readers, MAX_SCANNED), readers.close


def _check_driver() -> None:
    """Raise StartError if the driver that only PostgreSQL needs is not installed."""
    if find_spec("psycopg") is None:
        raise StartError("PostgreSQL needs its driver: pip install 'signalpost[postgres]'.")


def is_postgres(url: str) -> bool:
    """Whether the URL names a PostgreSQL database."""
    return url.startswith(("postgresql://", "postgres://"))


def sqlite_file(url: str) -> Path:
    """Raises StartError."""
    scheme, _, quoted = url.partition(":///")
    path = Path(os.fsdecode(unquote_to_bytes(quoted)))
    if scheme != "sqlite" or not path.name:
        # What stands there may be a password.
        raise StartError("A database's URL must be sqlite:///PATH or postgresql://USER@HOST/DATABASE.")
    return path
