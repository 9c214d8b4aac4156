"""`signalpost audit`: who changed what, and whether anybody changed that."""

import re
from pathlib import Path
from typing import Any

import apsw
import pytest
from gateway.tests.cli import command
from gateway.tests.cli.command import NOWHERE, Run, json_of

pytestmark = pytest.mark.slow
MARK = re.compile(r"^Mark: (\d+:[0-9a-f]{64})$", re.MULTILINE)
END = re.compile(r"End: (\d+:[0-9a-f]{64}:[0-9a-f]{64})")


def subscribe(run: Run) -> str:
    made: str = json_of(run("subscriptions", "create", NOWHERE, "--name", "Mine", "--json"))["id"]
    return made


def test_changes_are_listed_newest_first_and_shown_whole(run: Run) -> None:
    subscription = subscribe(run)
    run("subscriptions", "pause", subscription)
    changed, made = json_of(run("audit", "list", "--object", subscription, "--json"))
    assert (made["action"], changed["action"]) == ("subscription.create", "subscription.change")
    listed = run("audit", "list", "--object", subscription).stdout
    assert listed.index("subscription.change") < listed.index("subscription.create")
    assert "operator" in listed
    assert "127.0.0.1" in listed
    shown = run("audit", "show", str(changed["number"])).stdout
    assert re.search(r"paused", shown)
    assert "There is no entry 99999." in run("audit", "show", "99999", code=1).stderr
    after = json_of(run("audit", "list", "--after", str(made["number"]), "--actor", "operator", "--json"))
    assert changed in after
    assert json_of(run("audit", "list", "--actor", "nobody", "--json")) == []


def test_an_untouched_audit_is_verified_up_to_the_mark_that_was_noted(run: Run) -> None:
    subscribe(run)
    [mark] = MARK.findall(run("audit", "verify").stdout)
    subscribe(run)
    [end] = END.findall(run("audit", "verify").stdout)
    assert json_of(run("audit", "verify", "--from", end, "--json"))["end"] == end
    assert "lacks entries" in run("audit", "verify", "--from", f"9{end}", code=1).stderr
    later = run("audit", "verify", "--mark", mark).stdout
    assert MARK.findall(later) != [mark]
    assert json_of(run("audit", "verify", "--json"))["entries"] >= 2
    number, digest = mark.split(":")
    assert "has changed" in run("audit", "verify", "--mark", f"{number}:{digest[::-1]}", code=1).stderr
    assert "Entry 9999 is gone" in run("audit", "verify", "--mark", f"9999:{digest}", code=1).stderr
    assert "NUMBER:HASH" in run("audit", "verify", "--mark", "9999", code=2).stderr


def changed_where_nobody_looks(folder: Path, statement: str) -> None:
    connection = apsw.Connection(str(folder / "signalpost.db"))
    connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit SET content = replace(content, 'Mine', 'Thine') WHERE number = 1", "Entry 1 does not follow"),
        ("DELETE FROM audit WHERE number = 2", "Entry 3 does not follow"),
        ("UPDATE audit SET proof = zeroblob(32) WHERE number = 2", "Entry 2 of the tenant default: Its proof"),
        ("DELETE FROM audit WHERE number > 1", "Entry 1 of the tenant default: The newest entries are missing"),
        (
            "DELETE FROM audit; DELETE FROM audit_end",
            "The audit of all tenants: It lacks entries that it had, as audit-end",
        ),
    ],
)
def test_what_was_changed_while_the_gateway_was_stopped_is_found(tmp_path: Path, statement: str, said: str) -> None:
    folder = tmp_path / "data"

    def run(*arguments: str, **more: Any) -> Any:
        return command.run(*arguments, SIGNALPOST_DATA_DIR=str(folder), **more)

    with command.gateway(folder, "--allow-targets", NOWHERE):
        for _ in range(3):
            subscribe(run)
    changed_where_nobody_looks(folder, statement)
    with command.gateway(folder):
        assert said in run("audit", "verify", code=1).stderr


def test_what_commands_do_without_the_gateway_is_told_by_its_next_start(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with command.gateway(folder):
        pass
    for arguments in (("keys", "--recover"), ("db", "prune")):
        command.run(*arguments, SIGNALPOST_DATA_DIR=str(folder))
    with command.gateway(folder):
        told = json_of(command.run("audit", "list", "--json", SIGNALPOST_DATA_DIR=str(folder)))
        assert "hold" in command.run("audit", "verify", SIGNALPOST_DATA_DIR=str(folder)).stdout
    assert [entry["action"] for entry in told] == ["database.prune", "key.recover"]
    assert {entry["actor"]["kind"] for entry in told} == {"command-line"}
