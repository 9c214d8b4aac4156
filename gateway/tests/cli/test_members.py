import re

import pytest
from gateway.tests.cli.command import Run, json_of

pytestmark = pytest.mark.slow


def test_a_member_is_invited_listed_changed_invited_again_and_removed(run: Run) -> None:
    shown = run("members", "invite", "Ada@example.com", "--name", "Ada", "--role", "subscriber").stdout
    assert re.search(r"^url +http://\S+/console/join/[\w-]{43}$", shown, re.MULTILINE)
    assert "The link is shown only this once" in shown
    [listed] = [each for each in json_of(run("members", "list", "--json")) if each["email"] == "ada@example.com"]
    assert "url" not in listed
    assert "ada@example.com" in run("members", "list").stdout
    changed = json_of(run("members", "change", listed["id"], "--role", "viewer", "--json"))
    assert (changed["role"], changed["name"]) == ("viewer", "Ada")
    again = json_of(run("members", "invite-again", listed["id"], "--json"))
    assert again["url"] not in shown
    assert run("members", "remove", listed["id"]).stdout == f"Removed {listed['id']}.\n"
    assert "List them: signalpost members list" in run("members", "remove", listed["id"], code=1).stderr


def test_what_is_wrong_with_an_invitation_is_named(run: Run) -> None:
    assert "  EMAIL: " in run("members", "invite", "no-address", code=1).stderr
    assert "--role" in run("members", "invite", "a@b.example", "--role", "king", code=2).stderr
