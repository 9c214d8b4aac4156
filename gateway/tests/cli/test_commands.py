"""Every command, as a person runs it: the real binary against a real gateway on this machine."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import apsw
import pytest

SIGNALPOST = Path(sys.executable).parent / "signalpost"
NOWHERE = "http://127.0.0.1:9"
"""Allowed as a target; nothing listens there."""

Run = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("gateway") / "data"
    process = subprocess.Popen(
        [SIGNALPOST, "serve", "--data-dir", folder, "--port", "0", "--allow-targets", NOWHERE, "--log-level", "error"],
        stdout=subprocess.PIPE, text=True, env=_environment(),
    )  # fmt: skip
    assert process.stdout is not None
    assert "listens on" in process.stdout.readline()
    yield folder
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    process.stdout.close()
    assert not (folder / "address").exists(), "a stopped gateway leaves no address behind"


@pytest.fixture
def run(data_dir: Path) -> Run:
    def run(*arguments: str, code: int = 0, stdin: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [SIGNALPOST, *arguments], input=stdin, capture_output=True, text=True, timeout=30,
            env=_environment(**{"SIGNALPOST_DATA_DIR": str(data_dir), **environment}),
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


def _environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SIGNALPOST_")} | more


def _json(done: "subprocess.CompletedProcess[str]") -> Any:
    return json.loads(done.stdout)


def _create(run: Run, title: str = "Mutual NDA") -> str:
    made = run("documents", "create", "--type", "NDA", "--title", title, "--owner", "me@example.com", "--json")
    return str(_json(made)["externalId"])


def test_a_document_is_created_shown_changed_and_deleted(run: Run) -> None:
    document = _create(run)
    changed = _json(run("documents", "update", document, "--set", "contractValue=12.5", "--set", "title=New", "--json"))
    assert (changed["contractValue"], changed["title"]) == (12.5, "New")
    assert "12.5" in run("documents", "get", document).stdout
    assert run("documents", "delete", document).stdout == f"Deleted {document}.\n"
    assert "no document" in run("documents", "get", document, code=1).stderr


def test_a_snapshot_is_imported_from_a_file_or_standard_input(run: Run, tmp_path: Path) -> None:
    example = Path(__file__).parents[3] / "examples" / "page" / "documentCreated.json"
    snapshot = json.loads(example.read_text())["data"]["document"]
    file = tmp_path / "snapshot.json"
    file.write_text(json.dumps(snapshot))
    assert run("documents", "import", str(file), "--source-version", "1").stdout.startswith("Imported.")
    again = run("documents", "import", "-", "--source-version", "1", stdin=file.read_text())
    assert again.stdout.startswith("Nothing changed.")
    assert "must be a JSON object" in run("documents", "import", "-", stdin="[]", code=1).stderr


def test_what_is_wrong_is_named_field_by_field(run: Run) -> None:
    wrong = run("documents", "update", _create(run), "--set", "titel=x", "--set", "ownerEmail=nobody", code=1)
    assert "/titel: There is no such field here" in wrong.stderr
    assert "/ownerEmail: This must be an e-mail address" in wrong.stderr


def test_a_title_is_never_taken_for_markup(run: Run) -> None:
    assert "[red]NDA[/red]" in run("documents", "get", _create(run, "[red]NDA[/red]")).stdout


def test_a_subscription_is_made_listed_paused_resumed_changed_and_deleted(run: Run) -> None:
    made = _json(run("subscriptions", "create", NOWHERE, "--event", "documentCreated", "--header", "x-a: b", "--json"))
    subscription = made["id"]
    assert made["secret"].startswith("whsec_")
    assert subscription in run("subscriptions", "list").stdout
    assert run("subscriptions", "pause", subscription).stdout.startswith("Paused.")
    assert _json(run("subscriptions", "get", subscription, "--json"))["status"] == "paused"
    assert run("subscriptions", "resume", subscription, "--skip-backlog").stdout.startswith("Resumed from now on.")
    changed = _json(
        run("subscriptions", "update", subscription, "--name", "Ours", "--event", "documentDeleted", "--json")
    )
    assert (changed["name"], changed["eventTypes"]) == ("Ours", ["documentDeleted"])
    assert "secret" not in run("subscriptions", "get", subscription).stdout
    assert run("subscriptions", "delete", subscription).stdout == f"Deleted {subscription}.\n"
    assert "no subscription" in run("subscriptions", "get", subscription, code=1).stderr


def test_a_failing_delivery_is_found_explained_and_retried(run: Run) -> None:
    subscription = _json(run("subscriptions", "create", NOWHERE, "--json"))["id"]
    _create(run)
    found = _json(run("deliveries", "list", subscription, "--json"))
    assert len(found) == 1
    event = found[0]["eventId"]
    assert run("deliveries", "retry", subscription, event).stdout.startswith("It is sent again now.")
    assert "The endpoint refused the connection." in run("deliveries", "get", subscription, event).stdout
    assert event in run("deliveries", "list", subscription, "--status", "retrying").stdout
    assert run("deliveries", "list", subscription, "--status", "failed").stdout == "No such deliveries.\n"


def test_events_are_listed_and_shown(run: Run) -> None:
    document = _create(run)
    found = _json(run("events", "list", "--document", document, "--json"))
    assert [entry["event"]["type"] for entry in found] == ["documentCreated"]
    event = found[0]["event"]["id"]
    assert document in run("events", "get", event).stdout
    assert event in run("events", "list", "--after", str(found[0]["sequence"] - 1), "--limit", "1").stdout


def test_events_tail_follows_what_comes_and_nothing_before(run: Run, data_dir: Path) -> None:
    _create(run, "before")
    tail = subprocess.Popen(
        [SIGNALPOST, "events", "tail", "--json"], stdout=subprocess.PIPE, text=True,
        env=_environment(SIGNALPOST_DATA_DIR=str(data_dir)),
    )  # fmt: skip
    assert tail.stdout is not None
    try:
        time.sleep(2)  # it says nothing when it is ready
        _create(run, "after")
        assert json.loads(tail.stdout.readline())["event"]["data"]["document"]["title"] == "after"
    finally:
        tail.send_signal(signal.SIGINT)
        assert tail.wait(10) == 130
        tail.stdout.close()


def test_the_database_is_checked_measured_backed_up_beside_the_gateway_and_restored(run: Run, tmp_path: Path) -> None:
    document = _create(run)
    assert run("db", "check").stdout == "The database is sound.\n"
    assert "event" in {entry["name"] for entry in _json(run("db", "sizes", "--json"))}
    copy = tmp_path / "copy.db"
    assert "the copy is sound" in run("db", "backup", str(copy)).stdout
    assert copy.stat().st_mode & 0o777 == 0o600
    assert "exists" in run("db", "backup", str(copy), code=1).stderr
    assert "Another Signalpost" in run("db", "restore", str(copy), code=1).stderr, "not under a running gateway"
    elsewhere = tmp_path / "elsewhere"
    assert run("db", "restore", str(copy), "--data-dir", str(elsewhere)).stdout.startswith("Restored")
    assert run("db", "check", "--data-dir", str(elsewhere)).stdout == "The database is sound.\n"
    assert document.replace("-", "") in copy.read_bytes().hex()


def test_the_settings_are_shown_with_where_they_are_from_and_nothing_is_started(run: Run, tmp_path: Path) -> None:
    unused = tmp_path / "unused"
    environment = {"SIGNALPOST_DATA_DIR": str(unused), "SIGNALPOST_OPERATOR_KEY": "sp_" + "k" * 43}
    shown = run("serve", "--show-settings", "--port", "1", **environment).stdout
    assert re.search(r"PORT +1 +flag +The port to listen on, 0 to 65535", shown)
    assert re.search(r"RETENTION_DAYS +30 +default ", shown)
    assert re.search(r"OPERATOR_KEY +set +environment ", shown)
    listed = run("serve", "--show-settings", "--json", **environment)
    assert {each["name"]: each["source"] for each in _json(listed)}["data_dir"] == "environment"
    assert "kkk" not in shown + listed.stdout
    assert not unused.exists()
    assert "SIGNALPOST_PORT must be" in run("serve", "--show-settings", code=1, SIGNALPOST_PORT="x").stderr
    assert "--show-settings" in run("serve", "--json", code=1, **environment).stderr


def test_what_is_past_the_retention_is_pruned_while_the_gateway_is_stopped(run: Run, tmp_path: Path) -> None:
    assert "Another Signalpost" in run("db", "prune", code=1).stderr, "not under a running gateway"
    for number in range(5):
        _create(run, f"{number} {'x' * 500}")
    run("db", "backup", str(tmp_path / "copy.db"))
    stopped = ("--data-dir", str(tmp_path / "stopped"))
    run("db", "restore", str(tmp_path / "copy.db"), *stopped)
    database = apsw.Connection(str(tmp_path / "stopped" / "signalpost.db"))
    before: Any = database.execute("SELECT count(*) FROM event").fetchall()
    database.execute("UPDATE event SET at = at - 2 * 86400 * 1000000 WHERE sequence <= 3")
    database.close()

    assert _json(run("db", "prune", "--json", *stopped))["removed"]["event"] == 0, "30 days are kept"
    pruned = run("db", "prune", "--retention-days", "1", *stopped)
    assert re.search(r"event +3 ", pruned.stdout)
    assert re.search(r"Kept the last 1 days. Of the file's [0-9,]+ bytes [0-9,]+ are free", pruned.stdout)
    assert run("db", "check", *stopped).stdout == "The database is sound.\n"
    compacted = _json(run("db", "prune", "--retention-days", "1", "--compact", "--json", *stopped))
    assert (compacted["removed"]["event"], compacted["free"]) == (0, 0)
    assert run("db", "check", *stopped).stdout == "The database is sound.\n"
    assert {each["name"]: each["rows"] for each in _json(run("db", "sizes", "--json", *stopped))}["event"] == before[0][
        0
    ] - 3
    assert "--retention-days must be" in run("db", "prune", "--retention-days", "0", *stopped, code=1).stderr


def test_a_damaged_backup_is_refused_and_changes_nothing(run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    run("db", "backup", str(copy))
    content = bytearray(copy.read_bytes())
    content[4096 * 3 : 4096 * 6] = bytes(4096 * 3)
    copy.write_bytes(content)
    target = tmp_path / "target"
    assert "faults, nothing was changed" in run("db", "restore", str(copy), "--data-dir", str(target), code=1).stderr
    assert not target.exists()


def test_metrics_on_a_port_of_their_own_are_nowhere_else(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [SIGNALPOST, "serve", "--data-dir", tmp_path / "data", "--port", "0", "--metrics-port", "0"],
        stdout=subprocess.PIPE, text=True, env=_environment(),
    )  # fmt: skip
    assert process.stdout is not None
    try:
        main, metrics = (re.search(r"127\.0\.0\.1:\d+", process.stdout.readline()) for _ in range(2))
        assert main is not None
        assert metrics is not None
        statuses = [_status(port[0], path) for port in (main, metrics) for path in ("/metrics", "/health/live")]
        assert statuses == [404, 200, 200, 404]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        process.stdout.close()


def _status(address: str, path: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def test_without_a_gateway_a_command_says_how_to_get_one(run: Run, tmp_path: Path) -> None:
    none = run("events", "list", code=1, SIGNALPOST_DATA_DIR=str(tmp_path))
    assert "Start one with `signalpost serve`" in none.stderr
    away = run("events", "list", code=1, SIGNALPOST_URL="http://127.0.0.1:9", SIGNALPOST_KEY="sp_x")
    assert "No gateway answers at http://127.0.0.1:9" in away.stderr
    assert "There is no database" in run("db", "check", code=1, SIGNALPOST_DATA_DIR=str(tmp_path)).stderr


def test_a_wrong_key_is_told_apart(run: Run) -> None:
    assert "Set SIGNALPOST_KEY" in run("events", "list", code=1, SIGNALPOST_KEY="sp_wrong").stderr


@pytest.mark.parametrize("group", ["documents", "subscriptions", "deliveries", "events", "db"])
def test_every_command_explains_itself_with_an_example(run: Run, group: str) -> None:
    for name in import_module(f"signalpost.cli.{group}").app:
        if not name.startswith("-"):
            assert f"Example: signalpost {group} {name}" in " ".join(run(group, name, "--help").stdout.split())


def test_the_top_level_help_names_every_group(run: Run) -> None:
    shown = run("--help").stdout
    for name in ("serve", "documents", "subscriptions", "deliveries", "events", "db"):
        assert name in shown
