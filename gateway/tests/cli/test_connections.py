"""`signalpost destinations` and `connections`, and subscriptions that use them, with the real command."""

import json
from pathlib import Path

import pytest
from gateway.tests.cli.command import Run, json_of

pytestmark = pytest.mark.slow

TOKEN = "xoxb-0123456789-canary"


@pytest.fixture
def connection(run: Run, tmp_path: Path) -> str:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    options = ("--kind", "slack", "--name", "Ours", "--set", "signIn.with=bot", "--set", "signIn.channel=#legal")
    made = json_of(run("connections", "create", *options, "--secret-file", f"signIn.token={file}", "--json"))
    assert made["config"]["signIn"] == {"with": "bot", "token": None, "channel": "#legal"}
    return str(made["id"])


def test_the_kinds_and_their_presets_are_shown(run: Run) -> None:
    assert "slack-executed" in run("destinations", "list").stdout
    shown = run("destinations", "show", "slack").stdout
    assert "signIn.token" in shown
    assert "--set channel=…" in shown
    assert "None" not in shown
    assert "lines[].unitAmount" in run("destinations", "show", "xero_bill").stdout
    assert json_of(run("destinations", "show", "http", "--json"))["kind"] == "http"
    assert "destinations list" in run("destinations", "show", "slakc", code=1).stderr


def test_a_connection_is_made_listed_changed_and_deleted(run: Run, connection: str) -> None:
    assert connection in run("connections", "list").stdout
    stand_in = ("connections", "update", connection, "--set", "standIn=https://proxy.example.com")
    assert "--set signIn.token: This secret would now go to https://proxy.example.com" in run(*stand_in, code=1).stderr
    changed = json_of(run(*stand_in, "--secret", "signIn.token", "--json", stdin=f"{TOKEN}\n"))
    assert changed["config"]["standIn"] == "https://proxy.example.com"
    assert changed["config"]["signIn"]["token"] is None
    assert TOKEN not in run("connections", "get", connection).stdout
    assert run("connections", "delete", connection).stdout == f"Deleted {connection}.\n"
    assert "connections list" in run("connections", "get", connection, code=1).stderr


def test_a_subscription_is_made_from_a_preset(run: Run, connection: str) -> None:
    blanks = ("--set", "text={{ document.title }} is signed.", "--set", "channel=#sales")
    options = ("--preset", "slack-executed", "--connection", connection, *blanks)
    made = json_of(run("subscriptions", "create", *options, "--json"))
    assert made["config"]["text"] == "{{ document.title }} is signed."
    assert made["config"]["channel"] == "#sales"
    assert made["when"] == {"field": "document.status", "changedTo": "executed"}
    assert "subscriptions list" in run("connections", "delete", connection, code=1).stderr
    assert "no preset" in run("subscriptions", "create", "--preset", "slack", code=2).stderr
    unknown = run("subscriptions", "create", *options, "--set", "chanel=#x", code=2).stderr
    assert "no input chanel" in unknown


def test_a_subscription_is_made_from_a_file(run: Run, connection: str, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"text": "{{ document.title }}"}))
    when = '{"field": "document.contractValue", "atLeast": 10}'
    options = ("--kind", "slack", "--connection", connection, "--config", str(config), "--when", when)
    made = json_of(run("subscriptions", "create", *options, "--after", '{"seconds": 60}', "--json"))
    assert (made["kind"], made["when"]["atLeast"], made["after"]["seconds"]) == ("slack", 10, 60)
    piped = run("subscriptions", "update", made["id"], "--config", "-", "--json", stdin='{"text": "from a pipe"}')
    assert json_of(piped)["config"]["text"] == "from a pipe"
    changed = json_of(
        run("subscriptions", "update", made["id"], "--when", '{"field": "before.title", "exists": true}', "--json")
    )
    assert changed["when"]["field"] == "before.title"
    wrong = run("subscriptions", "update", made["id"], "--when", '{"field": "document.titel", "exists": true}', code=1)
    assert "did you mean title?" in wrong.stderr
    assert "Name one" in run("subscriptions", "create", code=2).stderr
