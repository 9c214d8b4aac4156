"""A database on PostgreSQL as its operator handles it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from gateway.tests.store.postgres.implementation import POSTGRES

from signalpost.cli.commands import db
from signalpost.commands.audit import told_of
from signalpost.commands.versions import AddVersion
from signalpost.domain.access.api_key import ApiKey, Role
from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.documents.version import StoredFile
from signalpost.domain.errors import StartError
from signalpost.domain.timestamps import DAY
from signalpost.store.open import find_database
from signalpost.store.postgres.database import PostgresDatabase
from signalpost.store.postgres.partitions import day_of, name_of
from signalpost.store.postgres.sessions import EVERY

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

FILE = StoredFile("ab" * 16, 100, bytes(32), "application/pdf")


@pytest.fixture
def database(play: "Play", make: "type[Tools]", tmp_path: Path) -> PostgresDatabase:
    """Four days of three events, the last delivery of each of which failed."""

    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        for day in range(4):
            await shop.publish(*(make.put(n, None, f"{day} {n}") for n in range(3)))
            last = day * 3 + 3
            row = Row(last, make.document_id(2), State.AWAITING_RETRY, shop.now, 1, 4, 0, None)
            await shop.record(make.flush(subscription, day, last, rows=[row], open=(last - 1,)))
            shop.now += DAY
        version = AddVersion(tenant_id=1, document_id=make.document_id(1), file=FILE, publish=False, by="app")
        await shop.do(version)

    play(scenario)
    found = find_database(POSTGRES.url(tmp_path))
    assert isinstance(found, PostgresDatabase)
    return found


def execute(tmp_path: Path, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(POSTGRES.url(tmp_path)) as connection:
        connection.execute("SELECT set_config('signalpost.tenants', %s, true)", (EVERY,))
        cursor = connection.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ("UPDATE tenant SET documents = 99", "a tenant whose documents are miscounted"),
        ("UPDATE lane SET head = 99", "a lane beyond its log"),
        ("UPDATE lane SET failed = 1", "a lane whose exception rows are miscounted"),
        ("DELETE FROM event WHERE sequence = 5", "a log with a gap"),
        ("UPDATE audit SET content = '{}'", "in the audit"),
    ],
)
def test_a_check_finds_what_does_not_fit(database: PostgresDatabase, tmp_path: Path, damage: str, fault: str) -> None:
    assert database.check() == []
    POSTGRES.meddle(POSTGRES.url(tmp_path), damage)
    assert any(fault in sentence for sentence in database.check())


def test_pruning_removes_days_and_says_what_is_lost(database: PostgresDatabase, tmp_path: Path) -> None:
    [(newest,)] = execute(tmp_path, "SELECT last_at FROM tenant WHERE id > 0")
    told: list[tuple[int, int]] = []
    pruned = database.prune(newest + 1, 2 * DAY, lambda done, total: told.append((done, total)))
    assert pruned.removed["event"] == told[-1][0] == told[-1][1] > 0
    assert pruned.removed["delivery"] == len(range(3, told[-1][0] + 1, 3))
    assert sum(pruned.lost.values()) == pruned.removed["delivery"] + 0
    assert database.check() == []
    [(oldest,)] = execute(tmp_path, "SELECT min(at) FROM event")
    assert name_of("event", day_of(oldest)) in {name for (name,) in execute(tmp_path, "SELECT relname FROM pg_class")}


def test_what_postgresql_does_itself_is_left_to_it(database: PostgresDatabase, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with pytest.raises(StartError, match=r"archive its WAL.*docs/guides/erase-and-restore\.md"):
        database.back_up(copy, 0)
    assert database.since_backup() is None
    with pytest.raises(StartError, match=r"archive its WAL.*docs/guides/erase-and-restore\.md"):
        database.check_backup(copy)
    with pytest.raises(StartError, match=r"archive its WAL.*docs/guides/erase-and-restore\.md"):
        database.restore(copy, "replaced", 0)
    with pytest.raises(StartError, match="VACUUM FULL"):
        database.compact()


def test_nobody_prunes_while_a_node_is_at_work(database: PostgresDatabase, tmp_path: Path) -> None:
    with database.claim():
        pass
    execute(
        tmp_path,
        "INSERT INTO node (beat, beat_at, role, program, schema)"
        " VALUES (1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, 'all', '1', 1)",
    )
    with pytest.raises(StartError, match="1 nodes are running"), database.claim():
        pass


def test_a_key_is_added_and_the_next_start_tells_of_it(
    database: PostgresDatabase, play: "Play", tmp_path: Path
) -> None:
    key = ApiKey(
        number=0, tenant_id=1, id="00000000-0000-7000-a000-000000000001", name="recovered", role=Role.OPERATOR,
        hash=bytes(32), created_at=1,
    )  # fmt: skip
    database.add_key(key, told_of(key))

    async def scenario(shop: "Shop") -> None:
        assert [known.name for known in await shop.store.access.keys()] == ["recovered"]

    play(scenario)


def test_sizes_name_every_table_and_files_those_of_versions(
    database: PostgresDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {part.name: part for part in database.sizes()}
    assert sizes["event"].rows is not None
    assert sizes["event"].bytes > 0
    assert sizes["delivery_state"].rows is None
    assert database.space().total > sizes["event"].bytes
    with database.files() as register:
        assert register.total() == (1, 100)
        assert [version.file for version in register.versions()] == [FILE]
        assert register.is_known(FILE.name)
        assert not register.is_known("cd" * 16)
    db.sizes(database_url=POSTGRES.url(tmp_path))
    db.check(database_url=POSTGRES.url(tmp_path))
    said = capsys.readouterr()
    assert "Files of versions, stored outside the database: 1 with 100 bytes." in said.out + said.err
    assert "The database is sound." in said.out + said.err
