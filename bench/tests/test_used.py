"""The database that has been in use: as a gateway would have left it."""

from pathlib import Path

import pytest

from signalpost.store.sqlite import maintenance, reads
from signalpost.store.sqlite.database import FILE_NAME, connect, rows
from signalpost.store.vault import Vault
from signalpost_bench.aged_database import LIVE, build_database, exceptions_of, point
from signalpost_bench.workload import MASTER_KEY, Workload

EVENTS = 2_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bench") / "used"
    build_database(made, EVENTS, Workload())
    return made


def test_it_has_what_was_asked_for_and_nothing_wrong(folder: Path) -> None:
    assert maintenance.check(folder / FILE_NAME) == []
    connection = connect(folder / FILE_NAME, read_only=True)
    counts = {table: rows(connection, f"SELECT count(*) FROM {table}")[0][0] for table in ("event", "delivery")}
    assert counts == {"event": EVENTS, "delivery": exceptions_of(EVENTS)}
    assert rows(connection, "SELECT count(*) FROM sqlite_master WHERE name = 'event_document'") == [(1,)]
    connection.close()


def test_what_a_run_left_is_taken_away_before_the_next(folder: Path) -> None:
    for number in range(2):
        point(folder, f"http://127.0.0.1:{number + 1}", "active", 10)
    connection = connect(folder / FILE_NAME, read_only=True)
    live = reads.load(connection, Vault(MASTER_KEY)).subscriptions[-1]
    assert (live.number, live.url) == (LIVE, "http://127.0.0.1:2")
    assert rows(connection, "SELECT head FROM lane WHERE subscription_number >= ?", (LIVE,)) == [(EVENTS - 10,)]
    connection.close()


def test_it_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "used.draft").mkdir()
    (tmp_path / "used.draft" / "left over").touch()
    build_database(tmp_path / "used", 20, Workload())
    assert [file.name for file in tmp_path.iterdir()] == ["used"]
