"""The database that has been in use: as a gateway would have left it."""

import asyncio
import json
from pathlib import Path
from subprocess import run
from sys import executable
from typing import Any

import pytest

from signalpost.gateway import Gateway
from signalpost_bench.aged_database import LIVE, build_database, exceptions_of, point
from signalpost_bench.data_directory import bench_settings, connect
from signalpost_bench.embedded_api import EmbeddedApi
from signalpost_bench.workload import Workload

EVENTS = 2_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bench") / "aged"
    build_database(made, EVENTS, Workload())
    return made


def value(folder: Path, statement: str) -> int:
    connection = connect(folder)
    ((found,),) = connection.execute(statement)
    connection.close()
    return int(found)


def test_it_has_what_was_asked_for_and_nothing_wrong(folder: Path) -> None:
    command = [
        executable,
        "-c",
        "from signalpost.cli.main import main; main()",
        "db",
        "check",
        "--data-dir",
        str(folder),
    ]
    checked = run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    counts = {table: value(folder, f"SELECT count(*) FROM {table}") for table in ("event", "delivery", "document")}
    assert counts == {"event": EVENTS, "delivery": exceptions_of(EVENTS), "document": EVENTS}
    assert value(folder, "SELECT count(*) FROM sqlite_master WHERE name = 'event_document'") == 1


def test_a_gateway_finds_each_of_its_events_by_number_id_and_document(folder: Path) -> None:
    async def ask() -> tuple[Any, Any, Any]:
        async with Gateway(bench_settings(folder, "http://127.0.0.1:1", None)) as gateway:
            api = EmbeddedApi(gateway.app, gateway.operator_key)
            (listed,) = (await api.call("GET", "/v1/events?after=1233&limit=1"))["data"]
            event = listed["event"]
            document_id = event["data"]["document"]["externalId"]
            found = await api.call("GET", f"/v1/events/{event['id']}")
            return listed, found, await api.call("GET", f"/v1/documents/{document_id}")

    listed, found, document = asyncio.run(ask())
    assert listed["sequence"] == 1234
    assert json.dumps(listed["event"]) in json.dumps(found)
    assert document["externalId"] == listed["event"]["data"]["document"]["externalId"]


def test_what_a_run_left_is_taken_away_before_the_next(folder: Path) -> None:
    for number in range(2):
        point(folder, f"http://127.0.0.1:{number + 1}", "paused", 10)
    assert value(folder, "SELECT max(number) FROM subscription") == LIVE
    assert value(folder, f"SELECT head FROM lane WHERE subscription_number = {LIVE}") == EVENTS - 10


def test_it_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "aged.draft").mkdir()
    (tmp_path / "aged.draft" / "left over").touch()
    build_database(tmp_path / "aged", 20, Workload())
    assert [file.name for file in tmp_path.iterdir()] == ["aged"]
