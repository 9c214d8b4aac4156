"""The schema of a database file, and what cannot be opened as one."""

import stat
from pathlib import Path
from typing import Any

import apsw
import pytest
from gateway.tests.vaults import sealed_before_data_keys

from signalpost.domain.errors import StartError
from signalpost.store.packing.subscriptions import SUBSCRIPTION_COLUMNS, unpack_subscription
from signalpost.store.sqlite import schema
from signalpost.store.sqlite.codec import unpack_uuid
from signalpost.store.sqlite.connect import connect
from signalpost.store.sqlite.schema import migrate
from signalpost.store.vault import MasterKeys, Vault

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
    changed(
        database, "INSERT INTO migration (number, name, checksum, applied_at) VALUES (9999, 'from_the_future', 'x', 0)"
    )
    with pytest.raises(StartError, match=r"9999 \(from_the_future\).*as new as"):
        start(database)


def test_a_database_that_is_behind_gets_what_it_lacks(database: Path) -> None:
    start(database)
    connection = connect(database)
    connection.execute("UPDATE tenant SET last_sequence = 7")
    before = connection.execute("SELECT * FROM migration").fetchall()
    migrate(connection, 1)
    assert connection.execute("SELECT * FROM migration").fetchall() == before
    assert connection.execute("SELECT last_sequence FROM tenant").fetchall() == [(7,)]
    connection.close()


def test_lists_find_what_a_database_had_before_it_had_lists(database: Path) -> None:
    """Migration 2: documents and exception rows get what they are listed by, and nothing is lost or renumbered."""
    connection = connect(database)
    connection.execute(MIGRATIONS[0].read_text())
    body = b'{"type":"N\xc3\x84","status":"paused","ownerEmail":"o@x","referenceId":%s}'
    connection.executemany(
        "INSERT INTO document (rowid, tenant_id, external_id, version, source_version, updated_at, deleted_at, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (7, 1, b"a" * 16, 2, 9, 1000, None, body % b'"R"'),
            (3, 1, b"b" * 16, 1, None, 2000, None, body % b"null"),
            (9, 1, b"c" * 16, 5, None, 3000, 3000, b""),
        ],
    )
    connection.execute("INSERT INTO tenant (name) VALUES ('other')")
    connection.executemany(
        "INSERT INTO subscription VALUES (?, ?, ?, 1, ?, x'', x'')",
        [(1, b"s", 1, None), (2, b"t", 2, None), (3, b"u", 2, 5)],
    )
    rows = [
        (1, 5, b"a" * 16, 3, 10, 1, 4, 0, None),
        (2, 4, b"b" * 16, 1, 20, 2, 4, 1, 8),
        (3, 1, b"", 2, 0, 0, 4, 0, None),
    ]
    connection.executemany("INSERT INTO delivery VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.execute(MIGRATIONS[1].read_text())
    assert connection.execute("SELECT * FROM document ORDER BY number").fetchall() == [
        (3, 1, b"b" * 16, 1, None, 2000, None, "NÄ", "paused", None, "o@x", body % b"null"),
        (7, 1, b"a" * 16, 2, 9, 1000, None, "NÄ", "paused", "R", "o@x", body % b'"R"'),
        (9, 1, b"c" * 16, 5, None, 3000, 3000, None, None, None, None, b""),
    ]
    kept = connection.execute("SELECT * FROM delivery ORDER BY subscription_number").fetchall()
    assert kept == [(tenant, *row) for tenant, row in zip((1, 2, 2), rows, strict=True)]
    connection.close()


def test_an_earlier_database_gets_exact_counts_of_its_rows(database: Path) -> None:
    """Migration 8"""
    connection = connect(database)
    migrate(connection, 0, schema.MIGRATIONS[:7])
    connection.executemany("INSERT INTO lane VALUES (?, 3, 90, x'', x'', x'')", [(1,), (2,), (3,)])
    rows = [(1, 1), (1, 1), (1, 2), (1, 3), (3, 3), (3, 3)]
    connection.executemany(
        "INSERT INTO delivery VALUES (1, ?, ?, x'', ?, 0, 1, 4, 0, NULL)",
        [(number, sequence, state) for sequence, (number, state) in enumerate(rows, 1)],
    )
    connection.execute(schema.MIGRATIONS[7].script)
    counts = "SELECT subscription_number, awaiting_retry, blocked, failed FROM lane ORDER BY 1"
    assert connection.execute(counts).fetchall() == [(1, 2, 1, 1), (2, 0, 0, 0), (3, 0, 0, 2)]
    connection.close()


def test_a_database_from_before_connectors_works_on(database: Path) -> None:
    """Migration 9: earlier events are known to have changed nothing, and subscriptions are webhooks."""
    vault = Vault(MasterKeys([bytes(32)]))
    connection = connect(database)
    migrate(connection, 0, schema.MIGRATIONS[:8])
    connection.execute(
        "INSERT INTO event (tenant_id, sequence, at, id, type, document_id, body) VALUES (1, 1, 5, ?, 2, ?, ?)",
        (bytes(16), bytes(16), b"{}"),
    )
    config = (
        b'{"name":"n","url":"https://example.com/","status":"active","ordering":"loose","rate_limit":null,'
        b'"retry_delays":[10],"starts_after":0,"filters":[[0,7]],"skip_to":0,"created_at":1,"updated_at":1}'
    )
    row = f"subscription {unpack_uuid(bytes(16))}"
    sealed = sealed_before_data_keys(b'{"secret":"12345678","headers":{}}', row)
    connection.execute("INSERT INTO subscription VALUES (1, ?, 1, 1, NULL, ?, ?)", (bytes(16), config, sealed))
    migrate(connection, 0)
    assert connection.execute("SELECT before FROM event").fetchall() == [(None,)]
    columns = connection.execute(f"SELECT {SUBSCRIPTION_COLUMNS} FROM subscription").get
    found = unpack_subscription(columns, vault, unpack_uuid)
    assert (found.kind, found.connection_id, found.when, found.after) == ("webhook", None, None, None)
    assert (found.secret, found.disabled_because) == ("12345678", None)
    connection.close()


def test_titles_of_an_earlier_database_are_found(database: Path) -> None:
    """Migration 33"""
    connection = connect(database)
    migrate(connection, 0, schema.MIGRATIONS[:32])
    connection.executemany(
        "INSERT INTO document (tenant_id, external_id, version, updated_at, deleted_at, body)"
        " VALUES (1, ?, 1, 1, ?, ?)",
        [
            (b"a" * 16, None, f'{{"type":"NDA","title":"An \u00c4 {"x" * 70}"}}'.encode()),
            (b"b" * 16, 5, b""),
        ],
    )
    migrate(connection, 0)
    keys = connection.execute("SELECT title_key FROM document ORDER BY external_id").fetchall()
    assert keys == [(f"an \u00c4 {'x' * 59}",), (None,)]
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
    """The system's files, as whoever may not write them gets them."""

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
