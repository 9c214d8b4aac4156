"""The schema of a database file, and what cannot be opened as one."""

import stat
from pathlib import Path
from typing import Any

import apsw
import pytest

from signalpost.domain.errors import StartError
from signalpost.store.sqlite.connect import connect
from signalpost.store.sqlite.schema import migrate

MIGRATIONS = sorted((Path(connect.__code__.co_filename).parent / "migrations").glob("*.sql"))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "signalpost.db"


def changed(database: Path, statement: str, bindings: tuple[object, ...] = ()) -> None:
    connection = apsw.Connection(str(database))
    connection.execute(statement, bindings)
    connection.close()


def start(database: Path) -> None:
    connection = connect(database)
    try:
        migrate(connection, 0)
    finally:
        connection.close()


def test_every_migration_is_applied_once_and_in_order(database: Path) -> None:
    start(database)
    start(database)
    connection = connect(database, read_only=True)
    found = connection.execute("SELECT number, name FROM migration ORDER BY rowid").fetchall()
    connection.close()
    assert [f"{number:04d}_{name}.sql" for number, name in found] == [path.name for path in MIGRATIONS]
    assert [number for number, _ in found] == list(range(1, len(found) + 1))


def test_a_migration_that_was_altered_since_is_told(database: Path) -> None:
    start(database)
    changed(database, "UPDATE migration SET checksum = 'another' WHERE number = 1")
    with pytest.raises(StartError, match=r"Migration 1 .* differs"):
        start(database)


def test_a_database_of_a_newer_version_is_told(database: Path) -> None:
    start(database)
    changed(database, "INSERT INTO migration VALUES (9999, 'from_the_future', 'x', 0, 9999)")
    with pytest.raises(StartError, match=r"9999 \(from_the_future\).*as new as"):
        start(database)


def test_a_database_that_is_behind_gets_what_it_lacks(database: Path) -> None:
    start(database)
    connection = connect(database)
    connection.execute("UPDATE tenant SET last_sequence = 7")
    before = connection.execute("SELECT * FROM migration").fetchall()
    migrate(connection, 1)
    assert connection.execute("SELECT * FROM migration").fetchall() == before
    assert connection.execute("SELECT DISTINCT last_sequence FROM tenant").fetchall() == [(7,)]
    connection.close()


def test_a_migration_that_fails_leaves_nothing_of_itself(database: Path) -> None:
    changed(database, "CREATE TABLE lane (x)")
    with pytest.raises(StartError, match=r"signalpost\.db .*table lane already exists.*nothing"):
        start(database)
    connection = connect(database)
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert tables == {"lane", "migration"}
    assert connection.execute("SELECT count(*) FROM migration").fetchall() == [(0,)]
    connection.close()


def test_what_is_no_database_is_told(database: Path) -> None:
    database.write_bytes(b"certainly no database, but long enough to be looked at" * 100)
    with pytest.raises(StartError, match=r"cannot be opened"):
        start(database)


def test_a_file_in_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"cannot be opened"):
        connect(tmp_path / "nowhere" / "signalpost.db")


class ReadOnly(apsw.VFS):
    """The system's files, as a process that may not write them gets them."""

    def __init__(self) -> None:
        super().__init__("read-only", "unix")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        if flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            flags[:] = [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY] * 2
        return apsw.VFSFile("unix", name, flags)


def test_a_database_that_may_only_be_read_is_told_at_once(database: Path) -> None:
    start(database)
    vfs = ReadOnly()
    with pytest.raises(StartError, match=r"signalpost\.db cannot be written"):
        connect(database, vfs="read-only")
    vfs.unregister()


def test_a_new_database_is_its_owners_alone_whatever_folder_it_is_in(database: Path) -> None:
    database.parent.chmod(0o755)
    connection = connect(database)
    migrate(connection, 0)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in database.parent.iterdir()}
    connection.close()
    assert modes == {f"signalpost.db{suffix}": 0o600 for suffix in ("", "-wal", "-shm")}


def test_commits_are_durable_before_they_are_told(database: Path) -> None:
    """`synchronous=FULL` in a WAL: the log is synced at every commit."""
    connection = connect(database)
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("synchronous") == 2
    connection.close()
