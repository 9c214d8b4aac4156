import os
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path

import psycopg
import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.cli.command import SIGNALPOST, Run, environment, json_of
from gateway.tests.patience import PATIENCE
from gateway.tests.postgres import server

from signalpost.cli.client import CommandError
from signalpost_bench.command import judge
from signalpost_bench.postgres_place import NAMED
from signalpost_bench.results import Figures
from signalpost_bench.scenes import SCENES

pytestmark = pytest.mark.slow
ISOLATION = ("hostile", "overload", "recovery", "flapping", "hot-document")
"""See `test_bench_isolation.py`; `bench/tests` has the scene `one-bad-caller`."""
SLOWEST = (
    "backlog", "endpoints", "retention", "hostile", "overload", "recovery", "ladder", "memory", "expiry", "tls",
)  # fmt: skip
"""What `make scenes` measures too: their preparations take longest."""
SMALL = ["--runs", "1", "--events", "400", "--duration", "1", "--documents", "50"]


def test_every_scene_is_measured_and_checked(run: Run) -> None:
    found = json_of(run("bench", *SMALL, "--json"))
    scenes = found["scenes"]
    assert len(scenes) >= 6
    for title, measured in scenes.items():
        assert measured["rate"] > 0, title
        assert measured["cpu_us"] > 0, title
    latency = scenes["latency at 100 a second"]
    assert 0 < latency["p50_ms"] <= latency["p99_ms"] <= latency["worst_ms"]
    assert found["machine"]["cores"] >= 1


def asking_for(names: Iterable[str]) -> list[str]:
    """The options that ask for these scenes; without the slowest where `make scenes` does not want them."""
    return [
        word for name in names if name not in SLOWEST or os.environ.get("SCENES") == "all" for word in ("--scene", name)
    ]


def test_scenes_beside_the_table_are_measured_and_checked_when_asked_for(run: Run) -> None:
    asked = asking_for(
        name
        for name, scene in SCENES.items()
        if not scene.in_table and "sqlite" in scene.on and name not in (*ISOLATION, "one-bad-caller")
    )
    found = json_of(run("bench", *SMALL, "--backlog", "1000", *asked, "--json"))["scenes"]
    assert found["publishing to 100 subscriptions, against to 1"]["ratio"] > 0
    for title in ("live lane, nobody catching up", "live lane, 100 lanes catching up at once"):
        assert found[title]["p99_ms"] > 0
    if "backlog" in asked:
        beside = found["engine alone, beside a backlog, against flat out"]
        assert beside["more"]["awaiting retry or failed"] == 200
        assert found["a gateway's start with a backlog, nothing cached"]["more"]["first delivery s"] > 0
    if "tls" in asked:
        assert found["TLS, a new connection each"]["more"]["CPU µs a handshake"] > 0
    if "memory" in asked:
        assert found["memory, with nothing to do"]["memory_mb"] > 20
        assert found["memory, flat out, the last third, against the first"]["ratio"] > 0


def test_a_table_says_what_share_of_the_limit_a_rate_is(run: Run) -> None:
    shown = run("bench", *SMALL, "--scene", "limit", "--scene", "engine", "--fan-out", "3", "--tls").stdout
    assert "of limit" in shown
    assert "100.0%" in shown
    assert "Every event arrived once, verified, in the order of its document." in shown


def test_on_a_postgresql_what_the_server_spends_is_measured_too_and_its_databases_are_removed(run: Run) -> None:
    url = server().loopback_url()
    found = json_of(run("bench", *SMALL, "--scene", "engine", "--database-url", url, "--json"))["scenes"]
    assert found["engine alone, flat out"]["more"]["WAL B"] > 500
    assert databases_of_a_bench(url) == set()


def databases_of_a_bench(url: str) -> set[str]:
    """Other tests make databases of their own on this server meanwhile."""
    with psycopg.connect(url) as connection:
        names = {str(name) for (name,) in connection.execute("SELECT datname FROM pg_database")}
    return {name for name in names if name.startswith(NAMED)}


def test_what_a_database_cannot_do_is_said_before_anything_starts(run: Run) -> None:
    assert (
        "is not measured on postgresql"
        in run("bench", "--scene", "backlog", "--database-url", "postgresql:", code=2).stderr
    )


def test_databases_are_made_where_the_url_says_and_removed(run: Run, tmp_path: Path) -> None:
    run("bench", *SMALL, "--scene", "engine", "--database-url", f"sqlite:///{tmp_path}")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_told_to_stop_leaves_no_process_and_no_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}"
    bench = subprocess.Popen(
        [SIGNALPOST, "bench", "--scene", "api", "--events", "10000000", "--database-url", url],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(),
    )  # fmt: skip
    until(lambda: any(tmp_path.glob("*/data/address")))
    bench.send_signal(signal.SIGTERM)
    assert bench.wait(PATIENCE) == 130
    assert list(tmp_path.iterdir()) == []
    assert not [name for name in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path) in _read(name)]


def test_a_bound_that_was_not_held_is_an_error() -> None:
    judge({"one": Figures(rate=1), "another": Figures(rate=2)})
    with pytest.raises(CommandError, match="it was late; it was lost"):
        judge({"one": Figures(broken=("it was late",)), "another": Figures(broken=("it was lost",))})


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # the process ended meanwhile
        return ""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--tenants", "2", "--scene", "import"), "--scene engine"),
        (("--scene", "nothing"), "choose from limit, engine,"),
        (("--database-url", "mysql://localhost"), "sqlite:///FOLDER"),
        (("--database-url", "sqlite:///is-not-there"), "make it first"),
        *((each, "Must be") for each in (("--runs", "0"), ("--events", "0"), ("--duration", "0"), ("--fan-out", "0"))),
        *((each, "Must be") for each in (("--tenants", "0"), ("--documents", "0"), ("--backlog", "0"))),
    ],
)
def test_what_cannot_be_measured_is_said(run: Run, options: tuple[str, ...], told: str) -> None:
    assert told in run("bench", *options, code=2).stderr
