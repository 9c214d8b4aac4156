"""Upgrades: what a new version does to the database of an older one, and how an operator goes back."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import apsw
import pytest
from gateway.tests.captured_log import captured_log

from signalpost.domain.errors import StartError
from signalpost.store.migration import Migration
from signalpost.store.sqlite.connect import connect
from signalpost.store.sqlite.database import SqliteDatabase
from signalpost.store.sqlite.nouns.file_register import SqliteFileRegister
from signalpost.store.sqlite.schema import MIGRATIONS, migrate

NEWEST = MIGRATIONS[-1].number


def added(number: int, script: str = "", *, breaks_before: int | None = None) -> Migration:
    return Migration(number, f"number_{number}", script, number if breaks_before is None else breaks_before)


NOTE = added(NEWEST + 1, "CREATE TABLE note (x INTEGER) STRICT;", breaks_before=NEWEST)
"""A migration that leaves everything that this version uses as it was."""
THIS = MIGRATIONS
"""This version."""
NEXT = (*THIS, NOTE)
"""A later version."""


def start(database: Path, version: tuple[Migration, ...], **given: Any) -> None:
    connection = connect(database)
    try:
        migrate(connection, 0, version, **given)
    finally:
        connection.close()


def mark(database: Path, name: str) -> None:
    """Leave something in the database by which it is known again."""
    connection = apsw.Connection(str(database))
    connection.execute("INSERT INTO tenant (name) VALUES (?)", (name,))
    connection.close()


def marks(database: Path) -> set[str]:
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return {name for (name,) in connection.execute("SELECT name FROM tenant WHERE id > 0")}
    finally:
        connection.close()


def schema(database: Path) -> int:
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return int(connection.execute("SELECT max(number) FROM migration").get)
    finally:
        connection.close()


def beside(database: Path) -> set[str]:
    """What is there besides the database and its WAL."""
    own = {f"{database.name}{ending}" for ending in ("", "-wal", "-shm")}
    return {path.name for path in database.parent.iterdir()} - own


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "signalpost.db"


@pytest.fixture
def copy(database: Path) -> Path:
    """Where an upgrade from this version to the next keeps its copy."""
    return database.with_name(f"signalpost.db.before-migration-{NOTE.number}")


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with captured_log() as found:
        yield found


# --- The copy ---------------------------------------------------------------------------------------------------------


def test_the_database_of_before_an_upgrade_is_kept_beside_it(database: Path, copy: Path) -> None:
    start(database, THIS)
    mark(database, "before")
    start(database, NEXT)
    assert (schema(database), schema(copy)) == (NOTE.number, NEWEST)
    assert "before" in marks(copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert beside(database) == {copy.name}


def test_an_upgrade_says_from_where_it_goes_to_where_and_where_the_copy_is(
    database: Path, copy: Path, logs: list[Any]
) -> None:
    start(database, THIS)
    start(database, NEXT)
    steps = [{key: value for key, value in line.items() if key != "level"} for line in logs]
    assert [line.pop("message") for line in steps] == [
        "the database is copied before it is upgraded",
        "the database is upgraded",
    ]
    for line in steps:
        assert line == {"from_schema": NEWEST, "to_schema": NOTE.number, "copy": str(copy)}


def test_neither_a_new_database_nor_one_that_is_up_to_date_is_copied(database: Path, logs: list[Any]) -> None:
    start(database, NEXT)
    start(database, NEXT)
    assert beside(database) == set()
    assert logs == []


def test_an_upgrade_that_is_tried_again_keeps_one_copy_and_that_is_of_the_last_try(database: Path, copy: Path) -> None:
    start(database, THIS)
    for name in ("first", "second"):
        mark(database, name)
        with pytest.raises(StartError):
            start(database, (*THIS, added(NOTE.number, "not SQL")))
    start(database, NEXT)
    assert marks(copy) == {"default", "first", "second"}
    assert beside(database) == {copy.name}


def test_an_upgrade_over_several_versions_keeps_one_copy(database: Path, copy: Path) -> None:
    start(database, THIS)
    start(database, (*NEXT, added(NEWEST + 2), added(NEWEST + 3)))
    assert beside(database) == {copy.name}


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(database: Path) -> None:
    """What the migrations before the failing one did is undone too: the old version can start again at once."""
    start(database, THIS)
    mark(database, "before")
    with pytest.raises(StartError, match=r"nothing was changed"):
        start(database, (*NEXT, added(NEWEST + 2, "CREATE TABLE other (x INTEGER); not SQL")))
    assert schema(database) == NEWEST
    start(database, THIS)
    assert "before" in marks(database)


def test_without_room_for_the_copy_nothing_is_changed(database: Path, copy: Path) -> None:
    start(database, THIS)
    size = database.stat().st_size
    with pytest.raises(StartError) as refused:
        start(database, NEXT, free_bytes=lambda folder: 1_000 if folder == database.parent else size)
    assert f"{size:,} bytes" in str(refused.value)
    assert "1,000" in str(refused.value)
    assert str(database.parent) in str(refused.value)
    assert schema(database) == NEWEST
    assert beside(database) == set()
    start(database, NEXT, free_bytes=lambda _folder: size)
    assert schema(copy) == NEWEST


def test_where_the_disk_is_full_after_all_nothing_is_changed(database: Path) -> None:
    start(database, THIS)
    connection = apsw.Connection(str(database))
    connection.execute("CREATE TABLE filling AS SELECT randomblob(1000000) AS x")
    connection.close()
    upgraded = dedent(
        """
        import resource, signal, sys
        from pathlib import Path
        from signalpost.domain.errors import StartError
        from signalpost.store.sqlite.connect import connect
        from signalpost.store.migration import Migration
        from signalpost.store.sqlite.schema import MIGRATIONS, migrate
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        more = Migration(MIGRATIONS[-1].number + 1, "more", "", 1)
        connection = connect(Path(sys.argv[1]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
        try:
            migrate(connection, 0, (*MIGRATIONS, more))
        except StartError as error:
            print(error)
        """
    )
    told = subprocess.run([sys.executable, "-c", upgraded, str(database)], capture_output=True, text=True, check=True)
    assert "could not be copied before its upgrade" in told.stdout
    assert schema(database) == NEWEST
    assert beside(database) == set()


def test_an_operator_goes_back_with_the_copy(database: Path, copy: Path) -> None:
    start(database, THIS)
    mark(database, "before")
    start(database, NEXT)
    mark(database, "after")
    kept = SqliteDatabase(database).restore(copy, "replaced", 0).kept
    start(database, THIS)
    assert marks(database) == {"default", "before"}
    assert kept is not None
    assert marks(kept) == {"default", "before", "after"}, "what came after the upgrade is not lost either"


def test_an_upgrade_after_going_back_keeps_the_database_of_then(database: Path, copy: Path) -> None:
    start(database, THIS)
    start(database, NEXT)
    SqliteDatabase(database).restore(copy, "replaced", 0)
    mark(database, "later")
    start(database, NEXT)
    assert "later" in marks(copy)


# --- What a newer version left ----------------------------------------------------------------------------------------


def test_a_newer_migration_that_breaks_nothing_is_accepted_and_told(database: Path, logs: list[Any]) -> None:
    start(database, NEXT)
    logs.clear()
    start(database, THIS)
    assert logs == [
        {
            "message": "the database was used by a newer version, and this one can work with it",
            "level": "warning",
            "newest_migration": NOTE.number,
            "known_migration": NEWEST,
        }
    ]
    assert schema(database) == NOTE.number
    assert SqliteDatabase(database).check() == []
    SqliteFileRegister(database).close()
    assert beside(database) == set()


def test_a_newer_migration_that_breaks_this_version_is_told(database: Path) -> None:
    newer = (*NEXT, added(NEWEST + 2, breaks_before=NEWEST + 1), added(NEWEST + 3, breaks_before=1))
    start(database, newer)
    with pytest.raises(StartError) as refused:
        start(database, THIS)
    told = str(refused.value)
    assert f"migration {NEWEST + 2} (number_{NEWEST + 2})" in told
    assert "before-migration" in told
    assert SqliteDatabase(database).check() == [told]
    with pytest.raises(StartError, match="migration"):
        SqliteFileRegister(database)
    start(database, NEXT)


def test_a_newer_migration_that_says_nothing_breaks_every_older_version(database: Path) -> None:
    start(database, (*THIS, added(NEWEST + 1)))
    with pytest.raises(StartError, match=f"migration {NEWEST + 1} "):
        start(database, THIS)


def test_the_newer_version_goes_on_where_it_was(database: Path, logs: list[Any]) -> None:
    start(database, NEXT)
    start(database, THIS)
    logs.clear()
    start(database, NEXT)
    assert logs == []


# --- The files --------------------------------------------------------------------------------------------------------


def test_a_migration_says_in_its_first_line_which_versions_it_breaks() -> None:
    assert Migration.of("0009_notes.sql", "-- breaks_before: 7\nCREATE TABLE note (x);").breaks_before == 7
    assert Migration.of("0009_notes.sql", "-- Notes.\nCREATE TABLE note (x);").breaks_before == 9
    assert Migration.of("0009_notes.sql", "CREATE TABLE note (x); -- breaks_before: 7").breaks_before == 9


def test_no_migration_says_that_it_breaks_versions_that_are_newer() -> None:
    assert all(0 < each.breaks_before <= each.number for each in MIGRATIONS)
    assert [each.number for each in MIGRATIONS] == list(range(1, NEWEST + 1))
