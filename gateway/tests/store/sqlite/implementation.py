"""SQLite, for the tests of the store that run on every database."""

from pathlib import Path

import apsw
from gateway.tests.store.implementation import Implementation

from signalpost.store.open import default_url, sqlite_file


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


SQLITE = Implementation(default_url, _add_tenant, _meddle, _content)
