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
    done = run("tenants", "delete", "acme", "--confirm", "acme")
    assert done.stdout.startswith("Deleted acme.\nErased acme: ")
    [erasure] = json_of(run("erasures", "list", "--json"))
    assert (erasure["tenant"], erasure["state"]) == ("acme", "finished")
    assert "all of it" in run("erasures", "list").stdout
    assert "acme" not in run("tenants", "list").stdout
    assert "signalpost tenants list" in run("tenants", "pause", "acme", code=1).stderr


def test_the_retention_of_a_tenant_is_set_shown_and_taken_back(run: Run) -> None:
    run("tenants", "create", "brief")
    shown = run("tenants", "retention", "brief", "--days", "7").stdout
    assert shown == "Events of brief are kept for 7 days (set for it).\n"
    assert "--days" in run("tenants", "retention", "brief", "--days", "0", code=1).stderr
    assert "--days takes a whole number, or none" in run("tenants", "retention", "brief", "--days", "7d", code=2).stderr
    assert json_of(run("tenants", "retention", "brief", "--json"))["retentionDays"] == 7
    shown = run("tenants", "retention", "brief", "--days", "none").stdout
    assert shown == "Events of brief are kept for 30 days (RETENTION_DAYS).\n"


def test_limits_of_a_tenant_are_set_shown_and_taken_back(run: Run) -> None:
    run("tenants", "create", "limited")
    shown = run("tenants", "limits", "limited", "--documents", "1", "--requests-per-second", "50").stdout
    assert re.search(r"^documents +1 +0$", shown, re.MULTILINE)
    assert re.search(r"^requests-per-second +50 +-$", shown, re.MULTILINE)
    new = ("documents", "create", "--type", "NDA", "--title", "Mine", "--owner", "me@example.com")
    run(*new, SIGNALPOST_TENANT="limited")
    assert "may have 1 documents, and has 1" in run(*new, code=1, SIGNALPOST_TENANT="limited").stderr
    found = json_of(run("tenants", "limits", "limited", "--documents", "none", "--json"))
    assert (found["limits"]["documents"], found["limits"]["requestsPerSecond"]) == (None, 50)
    assert found["use"]["documents"] == 1
    assert "--in-flight" in run("tenants", "limits", "limited", "--in-flight", "5000", code=1).stderr
    assert (
        "--file-bytes takes a whole number, or none"
        in run("tenants", "limits", "limited", "--file-bytes", "1 GB", code=2).stderr
    )
