import re

import pytest
from gateway.tests.cli.command import Run, json_of

pytestmark = pytest.mark.slow


def test_a_link_is_made_listed_and_revoked(run: Run) -> None:
    shown = run("portal-links", "create", "Acme", "--can", "test", "--can", "retry", "--minutes", "30").stdout
    assert re.search(r"^url +http://\S+/portal/enter/[\w-]{43}$", shown, re.MULTILINE)
    assert "It signs in the first person who opens it" in shown
    [listed] = json_of(run("portal-links", "list", "--json"))
    assert (listed["name"], listed["can"], listed["state"]) == ("Acme", ["view", "test", "retry"], "new")
    assert "url" not in listed
    assert listed["id"] in run("portal-links", "list").stdout
    assert run("portal-links", "revoke", listed["id"]).stdout == f"Revoked {listed['id']}.\n"
    assert "List them: signalpost portal-links list" in run("portal-links", "revoke", listed["id"], code=1).stderr


def test_what_is_wrong_with_a_link_is_named_by_its_option(run: Run) -> None:
    refused = run("portal-links", "create", "Acme", "--embed", "javascript:alert(1)", code=1).stderr
    assert "--embed" in refused
    for minutes, bound in (("0", ">= 1"), ("5000", "<= 720")):
        refused = run("portal-links", "create", "Acme", "--minutes", minutes, code=2).stderr
        assert "--minutes" in refused
        assert bound in refused, "in the unit that was given"
    assert "--can" in run("portal-links", "create", "Acme", "--can", "everything", code=2).stderr
