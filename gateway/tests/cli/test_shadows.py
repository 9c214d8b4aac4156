"""`signalpost subscriptions shadow`, `compare` and `promote-shadow`, and shadows in a file of `apply`."""

import re
from pathlib import Path

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.cli.command import NOWHERE, Endpoint, Run, create, json_of

pytestmark = pytest.mark.slow
GUIDE = Path(__file__).parents[3] / "docs/guides/shadow.md"


def test_a_shadow_is_made_compared_and_promoted(run: Run, endpoint: Endpoint) -> None:
    original = json_of(run("subscriptions", "create", f"{endpoint.url}/old", "--name", "Orders", "--json"))["id"]
    refused = run("subscriptions", "shadow", original, f"{endpoint.url}/old", code=1)
    assert "URL: A subscription and its shadow must have different URLs." in refused.stderr
    made = run("subscriptions", "shadow", original, f"{endpoint.url}/new", "--json")
    shadow = json_of(made)
    assert (shadow["shadowOf"], shadow["name"]) == (original, "Shadow of Orders")
    assert shadow["secret"]
    assert "Nothing to compare yet" in run("subscriptions", "compare", shadow["id"]).stdout
    not_yet = run("subscriptions", "promote-shadow", shadow["id"], code=1)
    assert "has not taken an event yet" in not_yet.stderr
    create(run)

    def compared() -> int:
        return int(json_of(run("subscriptions", "compare", shadow["id"], "--json"))["compared"])

    until(lambda: compared() == 1)
    told = run("subscriptions", "compare", shadow["id"]).stdout
    assert "1 of 1 agree, since" in told
    assert "The shadow took" in told
    told = run("subscriptions", "promote-shadow", shadow["id"]).stdout
    assert told == f"Promoted. Orders sends to {endpoint.url}/new from now on.\n"
    assert json_of(run("subscriptions", "promote-shadow", shadow["id"], "--anyway", "--json"))["url"].endswith("/old")
    run("subscriptions", "delete", original)
    run("subscriptions", "get", shadow["id"], code=1)


def test_what_needs_attention_is_no_shadow(run: Run, endpoint: Endpoint) -> None:
    original = json_of(run("subscriptions", "create", f"{endpoint.url}/well", "--json"))["id"]
    shadow = json_of(run("subscriptions", "shadow", original, f"{NOWHERE}/ill", "--json"))["id"]
    create(run)
    until(lambda: json_of(run("subscriptions", "get", shadow, "--json"))["health"]["state"] == "failing")
    assert "failing" not in run("status").stdout
    assert shadow not in [each["subscription"] for each in json_of(run("status", "--json"))["subscriptions"]]
    run("subscriptions", "delete", original)


def test_the_commands_of_the_guide_work(run: Run, endpoint: Endpoint) -> None:
    names = {"$ID": json_of(run("subscriptions", "create", f"{endpoint.url}/old", "--json"))["id"]}
    names["https://new.example.com/hooks"] = f"{endpoint.url}/new"
    said = re.findall(r"^signalpost (.+)$", GUIDE.read_text(), re.MULTILINE)
    shadow, compare, promote = [[names.get(each, each) for each in line.split()] for line in said]
    names["$SHADOW"] = json_of(run(*shadow, "--json"))["id"]
    create(run)
    until(lambda: len(endpoint.headers) == 2)
    compare, promote = [[names.get(each, each) for each in command] for command in (compare, promote)]
    until(lambda: "1 of 1 agree" in run(*compare).stdout)
    assert "Promoted." in run(*promote).stdout
    run("subscriptions", "delete", names["$ID"])


def test_a_file_has_shadows_by_the_names_of_their_originals(run: Run, tmp_path: Path) -> None:
    original = f'[[subscription]]\nname = "Billing"\nurl = "{NOWHERE}/a"\nstatus = "paused"\n'
    shadow = f'[[subscription]]\nname = "A new one"\nshadowOf = "Billing"\nurl = "{NOWHERE}/b"\nstatus = "paused"\n'
    file = tmp_path / "signalpost.toml"
    file.write_text(shadow + original)
    apply = ("subscriptions", "apply", str(file))
    assert [each["name"] for each in json_of(run("subscriptions", "rehearse", str(file), "--json"))] == ["Billing"]
    assert "2 created." in run(*apply).stdout
    assert [each["action"] for each in json_of(run(*apply, "--json"))] == ["keep", "keep"]
    exported = run("subscriptions", "export").stdout
    assert 'shadowOf = "Billing"' in exported
    file.write_text(exported)
    assert [each["action"] for each in json_of(run(*apply, "--json"))] == ["keep", "keep"]
    file.write_text(original.replace("Billing", "Other") + shadow.replace("Billing", "Other"))
    assert "A new one is there, and is no shadow of Other." in run(*apply, code=1).stderr
    file.write_text("")
    assert "2 deleted." in run(*apply, "--prune").stdout
