"""`signalpost subscriptions rehearse`, of a file and of one subscription, and the replay of what was missing."""

from pathlib import Path

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.cli.command import NOWHERE, Endpoint, Run, create, json_of

pytestmark = pytest.mark.slow

FILE = f"""
[[subscription]]
name = "Leases"
url = "{NOWHERE}/leases"
eventTypes = ["documentCreated"]
when = {{ field = "document.type", is = "Lease" }}
"""


def test_a_change_is_rehearsed_saved_and_what_was_missing_is_sent(run: Run, endpoint: Endpoint) -> None:
    only = ("--event-type", "documentCreated", "--when", '{"field": "document.title", "is": "Lease"}')
    made = run("subscriptions", "create", endpoint.url, "--secret", "a secret of mine", *only, "--json")
    of = json_of(made)["id"]
    create(run, "Lease")
    create(run, "Something else")
    until(lambda: len(endpoint.headers) == 1)
    changed = ("--when", '{"not": {"field": "document.title", "is": "Lease"}}')
    told = run("subscriptions", "rehearse", of, *changed).stdout
    assert "1 are sent as it is, 1 would be: 1 more, 1 fewer." in told
    assert "document.title is 'Something else', not 'Lease'." in told
    shown = json_of(run("subscriptions", "rehearse", of, *changed, "--json"))
    assert (shown["more"], shown["less"], shown["both"]) == (1, 1, 0)
    refused = run("replay", of, "--rehearsal", shown["id"], code=1)
    assert "Save the change first" in refused.stderr
    run("subscriptions", "update", of, *changed)
    assert json_of(run("replay", of, "--rehearsal", shown["id"], "--dry-run", "--json"))["count"] == 1
    sent = json_of(run("replay", of, "--rehearsal", shown["id"], "--json"))
    assert (sent["status"], sent["count"]) == ("unsent", 1)
    until(lambda: len(endpoint.headers) == 2)
    assert json_of(run("replay", of, "--rehearsal", shown["id"], "--dry-run", "--json"))["count"] == 0
    run("subscriptions", "delete", of)


def test_a_file_is_rehearsed_before_it_is_applied(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "signalpost.toml"
    file.write_text(FILE)
    create(run, "A", type="Lease")
    told = run("subscriptions", "rehearse", str(file)).stdout
    assert "Leases (create)" in told
    assert "0 are sent as it is, 1 would be: 1 more, 0 fewer." in told
    assert "signalpost replay" not in told, "it would begin at the end of the log"
    run("subscriptions", "apply", str(file))
    assert "Nothing to do" in run("subscriptions", "rehearse", str(file)).stdout
    create(run, "B", type="Lease")
    file.write_text(FILE.replace('"Lease"', '"NDA"'))
    [shown] = json_of(run("subscriptions", "rehearse", str(file), "--json"))
    assert (shown["name"], shown["action"], shown["rehearsal"]["less"]) == ("Leases", "update", 1)
    file.write_text(
        FILE.replace("Lease", "X").replace(f'url = "{NOWHERE}/leases"', 'kind = "slack"\nconnection = "Later"')
    )
    assert "Its connection is not there yet" in run("subscriptions", "rehearse", str(file)).stdout


def test_what_cannot_be_rehearsed_names_the_option(run: Run, subscription: str, tmp_path: Path) -> None:
    refused = run("subscriptions", "rehearse", subscription, "--when", '{"field": "document.titel"}', code=1)
    assert "--when" in refused.stderr
    missing = run("subscriptions", "rehearse", str(tmp_path / "nothing.toml"), code=2)
    assert "cannot be read" in missing.stderr
    run("subscriptions", "rehearse", str(tmp_path / "nothing.toml"), "--name", "x", code=2)
    run("replay", subscription, "--rehearsal", "x", "--failed", code=2)
    assert "no rehearsal with this id" in run("replay", subscription, "--rehearsal", "x", code=1).stderr


def test_one_that_is_read_is_rehearsed_before_it_is_applied_and_after(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "signalpost.toml"
    entry = '[[subscription]]\nname = "Reads"\nkind = "poll"\neventTypes = ["documentCreated"]\n'
    file.write_text(entry + 'when = { field = "document.type", is = "Read" }\n')
    create(run, "A", type="Read")
    told = run("subscriptions", "rehearse", str(file)).stdout
    assert "Reads (create)" in told
    assert "1 more, 0 fewer." in told
    run("subscriptions", "apply", str(file))
    [made] = json_of(run("subscriptions", "list", "--name", "Reads", "--json"))
    create(run, "B", type="Written")
    told = run("subscriptions", "rehearse", made["id"], "--when", '{"field": "document.type", "is": "Written"}').stdout
    assert "1 more, 0 fewer." in told
    assert "signalpost replay" not in told
    run("subscriptions", "delete", made["id"])
