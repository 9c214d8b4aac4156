"""`signalpost subscriptions apply` and `export`: subscriptions and connections as a file."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.cli.command import NOWHERE, Run, json_of
from hypothesis import given
from hypothesis import strategies as st

from signalpost.cli.client import CommandError, Misuse
from signalpost.cli.declared.plan import PlannedAction, plan
from signalpost.cli.declared.reading import DeclaredEntry, Reference, plain, read
from signalpost.cli.declared.toml_writer import write_tables

CANARY = "canary-0123456789"
SECRETS: Any = {"BILLING_KEY": CANARY, "BILLING_SECRET": CANARY, "SLACK_TOKEN": f"xoxb-{CANARY}"}
FILE = f"""
[[subscription]]
name = "Billing"
url = "{NOWHERE}/hooks?token=abc"
eventTypes = ["documentUpdated", "documentCreated"]
headers = {{ x-api-key = {{ env = "BILLING_KEY" }} }}
secret = {{ env = "BILLING_SECRET" }}

[[subscription]]
name = "Announce"
kind = "slack"
connection = "Our Slack"
eventTypes = ["documentUpdated"]
config = {{ text = "{{{{ document.title }}}}" }}
when = {{ field = "document.status", changedTo = "executed" }}

[[connection]]
name = "Our Slack"
kind = "slack"
config = {{ signIn = {{ with = "bot", token = {{ env = "SLACK_TOKEN" }}, channel = "#legal" }} }}
"""


@pytest.mark.slow
def test_a_file_is_applied_once_changed_exported_and_pruned(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "signalpost.toml"
    file.write_text(FILE)
    apply = ("subscriptions", "apply", str(file))
    planned = run(*apply, "--dry-run", **SECRETS)
    assert "+ subscription Billing" in planned.stdout
    assert "3 would be created." in planned.stdout
    made = run(*apply, **SECRETS)
    assert "3 created." in made.stdout
    assert CANARY not in planned.stdout + made.stdout
    assert [each["action"] for each in json_of(run(*apply, "--json", **SECRETS))] == ["keep"] * 3

    file.write_text(FILE.replace("#legal", "#sales").replace("url =", "rateLimit = 7\nurl ="))
    changed = run(*apply, **SECRETS)
    assert "    config.signIn.channel: #legal → #sales" in changed.stdout
    assert "    rateLimit: none → 7" in changed.stdout
    assert "2 updated, 1 unchanged." in changed.stdout
    resent = json_of(run(*apply, "--resend-secrets", "--json", **SECRETS))
    assert [each["action"] for each in resent] == ["update", "update", "keep"]
    assert CANARY not in json.dumps(resent)

    exported = run("subscriptions", "export").stdout
    (tmp_path / "exported.toml").write_text(exported)
    variables: Any = {
        "OUR_SLACK_SIGNIN_TOKEN": "x", "BILLING_X_API_KEY": "x", "BILLING_URL": f"{NOWHERE}/hooks?token=abc"
    }  # fmt: skip
    again = run("subscriptions", "apply", str(tmp_path / "exported.toml"), "--json", **variables)
    assert [each["action"] for each in json_of(again)] == ["keep"] * 3

    file.write_text("")
    assert "3 deleted." in run(*apply, "--prune").stdout


@pytest.mark.slow
def test_the_calls_that_a_connection_allows_are_applied_and_exported(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "signalpost.toml"
    calls = ["POST /events", "PATCH /contracts/{{ document.externalId }}"]
    config = f'{{ origin = "https://example.com", signIn = {{ with = "nothing" }}, calls = {json.dumps(calls)} }}'
    file.write_text(f'[[connection]]\nname = "CRM"\nkind = "http"\nconfig = {config}\n')
    run("subscriptions", "apply", str(file))
    exported = run("subscriptions", "export").stdout
    assert all(call in exported for call in calls)
    file.write_text(exported)
    assert "1 unchanged." in run("subscriptions", "apply", str(file)).stdout
    file.write_text(exported.replace("POST /events", "PUT /events"))
    assert "config.calls" in run("subscriptions", "apply", str(file)).stdout
    assert "PUT /events" in run("subscriptions", "export").stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[subscription]", "cannot be read as TOML"),
        ("[[subscriptions]]", "not subscriptions"),
        ("[subscription]", "two brackets"),
        ("[[subscription]]\nurl = 'x'", "needs a name"),
        ("[[subscription]]\nname = 'x'\n[[subscription]]\nname = 'x'", "twice"),
        ("[[subscription]]\nname = 'x'\nsecret = 'in plain'", "so that the file can be shared"),
        ("[[subscription]]\nname = 'x'\nheaders = { a = 'in plain' }", "so that the file can be shared"),
        ("[[subscription]]\nname = 'x'\nsecret = { env = 'UNSET' }", "set the environment variable UNSET"),
        ("[[subscription]]\nname = 'x'\nsecret = { file = 'none' }", "none cannot be read"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_what_to_change(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "file.toml"
    file.write_text(text)
    with pytest.raises(Misuse, match=said):
        read(file, {})


def test_secrets_come_from_the_environment_or_files_and_show_nowhere(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{CANARY}\n")
    file = tmp_path / "file.toml"
    file.write_text(
        "[[subscription]]\nname='x'\nsecret={env='S'}\nheaders={a={file='key'}}\n[[connection]]\nname='y'\nkind='z'"
    )
    connection, subscription = read(file, {"S": CANARY})
    assert (connection.section, subscription.section) == ("connection", "subscription")
    assert CANARY not in repr(subscription)
    assert plain(dict(subscription.members)) == {"name": "x", "secret": CANARY, "headers": {"a": CANARY}}


SHOWN: Mapping[str, Any] = {
    "id": "1", "name": "x", "url": "https://example.com/?a=***", "eventTypes": ["a", "b"], "headers": {"k": None},
    "when": {"field": "f", "is": 1}, "rateLimit": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("members", "action"),
    [
        ({"url": "https://example.com/?a=1"}, PlannedAction.KEEP),
        ({"url": "https://example.com/other"}, PlannedAction.UPDATE),
        ({"eventTypes": ["b", "a"]}, PlannedAction.KEEP),
        ({"headers": {"k": Reference("$K", "v")}}, PlannedAction.KEEP),
        ({"headers": {}}, PlannedAction.UPDATE),
        ({"when": {"field": "f"}}, PlannedAction.UPDATE),
        ({"secret": Reference("$S", "s")}, PlannedAction.KEEP),
        ({"rateLimit": 5}, PlannedAction.UPDATE),
    ],
)
def test_only_what_differs_as_far_as_it_is_shown_is_changed(members: dict[str, Any], action: PlannedAction) -> None:
    existing = {"connection": [], "subscription": [SHOWN]}
    [change] = plan([DeclaredEntry("subscription", "x", members)], existing, prune=False, resend_secrets=False)
    assert change.action is action


def test_headers_are_given_again_with_another_url() -> None:
    members = {"url": "https://elsewhere.example.com/", "headers": {"k": Reference("$K", "v")}}
    existing = {"connection": [], "subscription": [SHOWN]}
    [change] = plan([DeclaredEntry("subscription", "x", members)], existing, prune=False, resend_secrets=False)
    assert change.members == members


def test_a_name_that_is_not_unique_and_a_kind_that_changes_are_refused() -> None:
    entry = DeclaredEntry("subscription", "x", {})
    with pytest.raises(CommandError, match="Rename all but one"):
        plan([entry], {"connection": [], "subscription": [SHOWN, SHOWN]}, prune=False, resend_secrets=False)
    other = DeclaredEntry("subscription", "x", {"kind": "slack"})
    with pytest.raises(CommandError, match="another kind"):
        plan([other], {"connection": [], "subscription": [SHOWN]}, prune=False, resend_secrets=False)


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
_VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_TEXTS, below, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(_TEXTS, _VALUES, max_size=4))
def test_what_is_written_reads_as_it_was(table: dict[str, Any]) -> None:
    written = "\n".join(write_tables("subscription", [table]))
    assert tomllib.loads(written)["subscription"] == [table]
