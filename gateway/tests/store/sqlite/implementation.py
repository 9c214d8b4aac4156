"""SQLite, for the tests of the store that run on every database."""

from pathlib import Path
from typing import Any

import apsw
from gateway.tests.store.implementation import Implementation
from gateway.tests.world.folder import with_tables

from signalpost.store.open import default_url, sqlite_file


def _url(folder: Path) -> str:
    """The URL of a database that has its tables already."""
    url = default_url(folder)
    if not (file := sqlite_file(url)).exists():
        with_tables().write(file)
    return url


def _add_tenant(url: str) -> int:
    connection = apsw.Connection(str(sqlite_file(url)))
    connection.execute("INSERT INTO tenant (name) VALUES (hex(randomblob(8)))")
    number = connection.last_insert_rowid()
    connection.close()
    return number


def _meddle(url: str, statement: str) -> None:
    connection = apsw.Connection(str(sqlite_file(url)))
    connection.execute(statement)
    connection.close()


def _content(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def _rows(folder: Path) -> dict[str, list[dict[str, Any]]]:
    connection = apsw.Connection(str(sqlite_file(default_url(folder))), flags=apsw.SQLITE_OPEN_READONLY)
    found: dict[str, list[dict[str, Any]]] = {}
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        table = str(name)
        cursor = connection.execute(f"SELECT * FROM {table}")
        found[table] = [dict(zip([name for name, *_ in cursor.getdescription()], row, strict=True)) for row in cursor]
    connection.close()
    return found


SQLITE = Implementation(_url, _add_tenant, _meddle, _content, _rows)
