"""What an operator does with the database file, in whatever state it is."""

import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from signalpost.domain.errors import StartError
from signalpost.store.database import LastBackup, SinceBackup
from signalpost.store.sqlite import backup_mark
from signalpost.store.sqlite.connect import connect
from signalpost.store.sqlite.database import SqliteDatabase
from signalpost.store.sqlite.nouns.file_register import SqliteFileRegister
from signalpost.store.sqlite.schema import MIGRATIONS, migrate


def made(database: Path, last_sequence: int = 0) -> Path:
    """A database whose floor and last sequence say which one it is; the log between is empty."""
    connection = connect(database)
    migrate(connection, 0)
    connection.execute("UPDATE tenant SET last_sequence = ?, floor = ?", (last_sequence, last_sequence + 1))
    connection.close()
    return database


def made_by_an_earlier_version(database: Path, migrations: int) -> Path:
    connection = connect(database)
    migrate(connection, 0, MIGRATIONS[:migrations])
    connection.close()
    return database


def last_sequence(database: Path) -> int:
    connection = connect(database, read_only=True)
    try:
        return int(connection.execute("SELECT last_sequence FROM tenant WHERE id = 1").get)
    finally:
        connection.close()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "signalpost.db"


@pytest.mark.parametrize("content", [b"certainly no database" * 500, b""])
def test_a_backup_takes_the_place_of_what_is_no_database_any_more(
    database: Path, tmp_path: Path, content: bytes
) -> None:
    backup = made(tmp_path / "backup.db", 7)
    database.write_bytes(content)
    kept = SqliteDatabase(database).restore(backup, "replaced", 0).kept
    assert kept is not None
    assert kept.read_bytes() == content
    assert sorted(tmp_path.iterdir()) == sorted([backup, database, kept])
    assert last_sequence(database) == 7


def test_the_database_of_before_is_kept_with_all_that_only_its_wal_had(database: Path, tmp_path: Path) -> None:
    backup = made(tmp_path / "backup.db", 7)
    made(database, 1)
    killed = connect(database)
    killed.execute("UPDATE tenant SET last_sequence = 2, floor = 3")
    left = {path.name: path.read_bytes() for path in tmp_path.glob("signalpost.db*")}
    killed.close()
    for name, content in left.items():
        (tmp_path / name).write_bytes(content)
    kept = SqliteDatabase(database).restore(backup, "replaced", 0).kept
    assert kept is not None
    assert (last_sequence(database), last_sequence(kept)) == (7, 2)


def test_each_database_of_before_is_kept(database: Path, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        SqliteDatabase(database).restore(made(tmp_path / f"{number}.db", number), "replaced", 0)
    assert last_sequence(database) == 3
    assert [last_sequence(database.with_name(f"signalpost.db.before-{number}")) for number in (1, 2)] == [1, 2]


KILLED = """
import sys
from pathlib import Path
from signalpost.store.sqlite.copies import draft_of
with draft_of(Path(sys.argv[1])) as draft:
    draft.write_bytes(b"half of a copy")
    print("half", flush=True)
    sys.stdin.read()
"""


def half_of_a_backup(to: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(to)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    return process


def test_the_next_backup_removes_what_a_killed_one_left(database: Path, tmp_path: Path) -> None:
    made(database)
    folder = tmp_path / "backups"
    folder.mkdir()
    killed = half_of_a_backup(folder / "monday.db")
    killed.kill()
    killed.communicate()
    assert len(list(folder.iterdir())) == 1
    (folder / "film.mkv.part").write_bytes(b"another program's")
    SqliteDatabase(database).back_up(folder / "tuesday.db", 0)
    assert {path.name for path in folder.iterdir()} == {"tuesday.db", "film.mkv.part"}


def test_a_backup_leaves_one_alone_that_another_process_still_makes(database: Path, tmp_path: Path) -> None:
    made(database)
    process = half_of_a_backup(tmp_path / "monday.db")
    SqliteDatabase(database).back_up(tmp_path / "tuesday.db", 0)
    with pytest.raises(StartError, match=r"monday\.db failed"):
        SqliteDatabase(database).back_up(tmp_path / "monday.db", 0)
    process.communicate("")
    assert process.returncode == 0
    assert (tmp_path / "monday.db").read_bytes() == b"half of a copy"
    assert SqliteDatabase(tmp_path / "tuesday.db").check() == []


def test_a_backup_that_fails_leaves_nothing(database: Path, tmp_path: Path) -> None:
    made(database, 1)
    changed = connect(database)
    changed.execute("UPDATE tenant SET last_sequence = 5 WHERE id = 1")
    changed.close()
    with pytest.raises(StartError, match="a log with a gap"):
        SqliteDatabase(database).back_up(tmp_path / "copy.db", 0)
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == []


def test_a_backup_that_cannot_be_copied_changes_nothing(database: Path, tmp_path: Path) -> None:
    backup = made(tmp_path / "backup.db", 7)
    made(database, 1)
    (tmp_path / "signalpost.db.signalpost-part").mkdir()
    with pytest.raises(StartError, match="cannot be copied"):
        SqliteDatabase(database).restore(backup, "replaced", 0)
    assert last_sequence(database) == 1


@pytest.mark.parametrize("migrations", range(1, len(MIGRATIONS) + 1))
def test_a_database_of_an_earlier_version_is_sound_too(database: Path, migrations: int) -> None:
    made_by_an_earlier_version(database, migrations)
    assert SqliteDatabase(database).check() == []
    connection = connect(database)
    connection.execute("UPDATE tenant SET last_sequence = 5 WHERE id = 1")
    connection.close()
    assert SqliteDatabase(database).check() == ["There is a log with a gap: default."]


def test_what_reads_the_tables_says_how_to_bring_them_up_to_date(database: Path) -> None:
    connection = connect(made(database))
    connection.execute("DELETE FROM migration WHERE number = ?", (MIGRATIONS[-1].number,))
    connection.close()
    with pytest.raises(StartError, match="Start the gateway once"):
        SqliteFileRegister(database)


def test_another_programs_database_is_told(database: Path) -> None:
    connection = apsw.Connection(str(database))
    connection.execute("CREATE TABLE x (y)")
    connection.close()
    assert SqliteDatabase(database).check() == [f"{database} is another program's database."]
    with pytest.raises(StartError, match="another program's"):
        SqliteFileRegister(database)


def test_a_sound_copy_leaves_a_mark_that_says_when_and_where_it_was_made(database: Path, tmp_path: Path) -> None:
    made(database)
    assert backup_mark.last(database) is None
    monday, tuesday = tmp_path / "monday.db", tmp_path / "tuesday, the \xfc.db"
    SqliteDatabase(database).back_up(monday, 1_700_000_000_000_000)
    assert backup_mark.last(database) == LastBackup(1_700_000_000_000_000, monday)
    SqliteDatabase(database).back_up(tuesday, 900)
    assert backup_mark.last(database) == LastBackup(900, tuesday)
    with pytest.raises(StartError):
        SqliteDatabase(database).back_up(tmp_path / "nowhere" / "copy.db", 1_000)
    assert backup_mark.last(database) == LastBackup(900, tuesday)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if path.name.endswith("backed-up")} == {0o600}


def test_what_the_last_backup_lacks_is_counted(database: Path, tmp_path: Path) -> None:
    connection = connect(made(database))
    connection.execute("UPDATE tenant SET last_sequence = 5, floor = 2, last_at = 50 WHERE id = 1")
    connection.execute("INSERT INTO tenant (id, name, last_sequence, floor, last_at) VALUES (2, 'acme', 1, 1, 60)")
    for tenant_id, sequence, at in ((1, 2, 20), (1, 3, 30), (1, 4, 40), (1, 5, 50), (2, 1, 60)):
        connection.execute(
            "INSERT INTO event (tenant_id, sequence, at, type, cause, id, document_id, body)"
            " VALUES (?, ?, ?, 1, 0, randomblob(16), x'', x'')",
            (tenant_id, sequence, at),
        )
    connection.close()
    assert SqliteDatabase(database).since_backup() == SinceBackup(None, 5, 60), "all that are kept"
    SqliteDatabase(database).back_up(tmp_path / "copy.db", 40)
    last = LastBackup(40, tmp_path / "copy.db")
    assert SqliteDatabase(database).since_backup() == SinceBackup(last, 3, 60), "in every tenant"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for another user")
def test_what_root_makes_beside_the_database_belongs_to_the_user_whose_the_database_is(tmp_path: Path) -> None:
    """A gateway that runs as that user could not read the mark, nor write the database that was restored."""
    folder = tmp_path / "data"
    folder.mkdir()
    database, backup = made(folder / "signalpost.db", 7), tmp_path / "backup.db"
    for path in (folder, database):
        os.chown(path, 4711, 4712)
    SqliteDatabase(database).back_up(backup, 900)
    SqliteDatabase(database).restore(backup, "replaced", 0)
    left = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in folder.iterdir()}
    assert left.keys() >= {"signalpost.db", "signalpost.db.backed-up", "signalpost.db.before-1"}
    assert {*left.values()} == {(4711, 4712)}
    database.unlink()
    SqliteDatabase(database).restore(backup, "backup", 0)
    assert database.stat().st_uid == 4711, "also if there was none"


@pytest.mark.parametrize("content", [b"", b"yesterday", b"-5", b"1" * 5000, b"one /copy.db"])
def test_a_mark_that_says_nothing_is_none(database: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "signalpost.db.backed-up").write_bytes(content)
    assert backup_mark.last(database) is None


def test_nobodys_file_is_written_or_read_in_place_of_the_mark(database: Path, tmp_path: Path) -> None:
    made(database)
    theirs, mark = tmp_path / "theirs", tmp_path / "signalpost.db.backed-up"
    theirs.write_text("5 /theirs.db")
    mark.symlink_to(theirs)
    SqliteDatabase(database).back_up(tmp_path / "copy.db", 7)
    assert (theirs.read_text(), backup_mark.last(database)) == ("5 /theirs.db", None)
    mark.unlink()
    os.mkfifo(mark)
    assert backup_mark.last(database) is None
