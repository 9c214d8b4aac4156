"""PostgreSQL, for the tests of the store that run on every database."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from gateway.tests.postgres import OWNER, emptied_database, new_database, past_everything
from gateway.tests.store.implementation import Implementation
from psycopg.rows import dict_row

from signalpost_bench.postgres_server import SUPERUSER

_OF_FOLDERS: dict[Path, str] = {}
"""The database that the current test's folder has. The one of the test before is the same, emptied."""


def _url(folder: Path) -> str:
    if folder not in _OF_FOLDERS:
        _OF_FOLDERS.clear()
        _OF_FOLDERS[folder] = emptied_database()
    return _OF_FOLDERS[folder]


def use_new_database(folder: Path, suffix: str) -> None:
    """Have the next store in this folder begin with a database that no other test has used."""
    _OF_FOLDERS.clear()
    _OF_FOLDERS[folder] = new_database(suffix)


def _add_tenant(url: str) -> int:
    assert urlsplit(url).scheme == "postgresql"
    with psycopg.connect(url.replace(f"{OWNER}@", f"{SUPERUSER}@")) as connection:
        added = connection.execute("INSERT INTO tenant (name) VALUES (gen_random_uuid()) RETURNING id").fetchone()
    assert added is not None
    return int(added[0])


def _meddle(url: str, statement: str) -> None:
    with psycopg.connect(past_everything(url)) as connection:
        connection.execute(statement.encode())


def _content(folder: Path) -> bytes:
    """Every row of every table, in the form in which its values are kept."""
    parts: list[bytes] = []
    with psycopg.connect(_url(folder).replace(f"{OWNER}@", f"{SUPERUSER}@")) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        for (table,) in tables:
            with connection.cursor().copy(f"COPY {table} TO STDOUT (FORMAT binary)".encode()) as copied:
                parts += map(bytes, copied)
    return b"".join(parts)


def _rows(folder: Path) -> dict[str, list[dict[str, Any]]]:
    with psycopg.connect(_url(folder).replace(f"{OWNER}@", f"{SUPERUSER}@"), row_factory=dict_row) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
            " AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        return {table: connection.execute(f"SELECT * FROM {table}".encode()).fetchall() for table in map(_name, tables)}


def _name(row: dict[str, Any]) -> str:
    return str(row["relname"])


POSTGRES = Implementation(_url, _add_tenant, _meddle, _content, _rows)
