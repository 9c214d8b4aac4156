import re

import pytest
from gateway.tests.cli.command import Run, create, json_of

pytestmark = pytest.mark.slow


def test_a_tenant_is_made_used_paused_resumed_and_deleted(run: Run) -> None:
    assert "Created acme." in run("tenants", "create", "acme").stdout
    shown = run("keys", "create", "contracts", "--role", "app", "--expires", "90d", SIGNALPOST_TENANT="acme").stdout
    [key] = re.findall(r"^key +(sp_\S{43})$", shown, re.MULTILINE)
    assert json_of(run("documents", "list", "--json", SIGNALPOST_KEY=key)) == []
    [listed] = json_of(run("keys", "list", "--json", SIGNALPOST_TENANT="acme"))
    assert (listed["tenant"], listed["role"], listed["expiresAt"] is None) == ("acme", "app", False)
    run("tenants", "pause", "acme")
    assert {each["name"]: each["status"] for each in json_of(run("tenants", "list", "--json"))}["acme"] == "paused"
    new = ("documents", "create", "--type", "NDA", "--title", "Mine", "--owner", "me@example.com")
    assert "is paused" in run(*new, code=1, SIGNALPOST_KEY=key).stderr
    assert create(run), "another tenant goes on"
    run("tenants", "resume", "acme")
    assert "--confirm" in run("tenants", "delete", "acme", code=1).stderr
    assert run("tenants", "delete", "acme", "--confirm", "acme").stdout == "Deleted acme.\n"
    assert "acme" not in run("tenants", "list").stdout
    assert "signalpost tenants list" in run("tenants", "pause", "acme", code=1).stderr
