"""Connections to a database file, and how statements are run on them."""

import contextlib
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import apsw

from signalpost.domain.errors import StartError
from signalpost.store.store import PAGE_BYTES

SAFE_SINCE = (3, 51, 3)
"""Earlier versions can corrupt a database when a WAL is reset while another connection checkpoints."""
BUSY_TIMEOUT_MS = 5_000
WAL_KEPT_BYTES = 64 * 1024 * 1024
"""What the WAL file may keep on disk once it was written back."""


def connect(path: Path, *, read_only: bool = False, vfs: str | None = None) -> apsw.Connection:
    """A connection for one thread at a time."""
    if not read_only:
        make_private(path)
    flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    try:
        connection = apsw.Connection(str(path), flags=flags, vfs=vfs)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        if not read_only:
            if connection.readonly("main"):
                raise StartError(f"The database {path} cannot be written: this user may only read it.")
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", "full")
            connection.pragma("wal_autocheckpoint", 0)
            connection.pragma("journal_size_limit", WAL_KEPT_BYTES)
            # What is removed is overwritten, so that an erasure need not look for what was removed before it.
            connection.pragma("secure_delete", "on")
        connection.pragma("cache_size", -32_000)
        connection.pragma("temp_store", "memory")
    except apsw.Error as error:
        raise StartError(f"The database {path} cannot be opened: {reason(error)}.") from None
    return connection


def make_private(path: Path) -> None:
    """Make an empty file that its owner alone reads, if there is none: SQLite would let all read what it makes, and it
    gives a WAL the mode of its database. Whatever is wrong with the path, SQLite will say."""
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def is_shortage(error: apsw.Error) -> bool:
    """Whether there was no room for the database, its WAL, or the WAL's index, which SQLite calls an I/O error."""
    return isinstance(error, apsw.FullError) or getattr(error, "extendedresult", None) == apsw.SQLITE_IOERR_SHMSIZE


def reason(error: apsw.Error) -> str:
    return "there is no room on its disk" if is_shortage(error) else str(error)


def check_version() -> None:
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if version < SAFE_SINCE:
        raise StartError(
            f"SQLite {apsw.sqlite_lib_version()} can corrupt a WAL database: install apsw 3.51.3 or newer."
        )


def rows(connection: apsw.Connection, statement: str, bindings: Any = ()) -> list[Any]:
    """Every row of a statement, read to the end: no read cursor outlives a call, so none holds the WAL back."""
    return connection.execute(statement, bindings).fetchall()


def rows_within(
    connection: apsw.Connection, statement: str, bindings: Any, size: Callable[[Any], int]
) -> tuple[list[Any], bool]:
    """The rows of a statement until their sizes add up to `PAGE_BYTES`, and whether there may be more."""
    found: list[Any] = []
    total = 0
    cursor = connection.execute(statement, bindings)
    for row in cursor:
        found.append(row)
        total += size(row)
        if total >= PAGE_BYTES:
            cursor.close()  # no read cursor outlives a call
            return found, True
    return found, False


def rows_of_many(connection: apsw.Connection, statement: str, bindings: Collection[Any]) -> list[Any]:
    """Every row of a statement that is run once for each of the bindings, in their order."""
    return connection.executemany(statement, bindings).fetchall() if bindings else []


def write_many(connection: apsw.Connection, statement: str, bindings: Collection[Any]) -> None:
    """Run a statement that returns nothing once for each of the bindings, in their order. Most batches have none for
    most statements, and a cursor for nothing costs as much as a row."""
    if bindings:
        connection.executemany(statement, bindings)
