from pathlib import Path

import pytest
from gateway.tests.cli.command import Run, create, following, json_of

pytestmark = pytest.mark.slow


def test_events_are_listed_and_shown(run: Run, document: str) -> None:
    found = json_of(run("events", "list", "--document", document, "--json"))
    assert [entry["event"]["type"] for entry in found] == ["documentCreated"]
    event = found[0]["event"]["id"]
    assert document in run("events", "get", event).stdout
    assert json_of(run("events", "get", event, "--json")) == found[0]
    newest = json_of(run("events", "list", "--newest-first", "--document", document, "--json"))
    assert newest == found[::-1]
    assert "Give --after or --newest-first" in run("events", "list", "--newest-first", "--after", "1", code=2).stderr
    assert event in run("events", "list", "--after", str(found[0]["sequence"] - 1), "--limit", "1").stdout
    assert (
        run("events", "list", "--document", document, "--event-type", "documentDeleted").stdout == "No such events.\n"
    )


def test_what_is_not_there_or_wrong_is_said(run: Run, document: str) -> None:
    assert "List them: signalpost events list" in run("events", "get", document, code=1).stderr
    assert "  --document: This must be a UUID" in run("events", "list", "--document", "x", code=1).stderr
    assert "  --after: " in run("events", "list", "--after", "-1", code=1).stderr


def test_a_tail_follows_what_comes_and_nothing_before(run: Run, data_dir: Path) -> None:
    create(run, "before")
    with following(data_dir, "events", "tail") as next_line:
        create(run, "after")
        assert next_line()["event"]["data"]["document"]["title"] == "after"


def test_trigger_asks_before_it_makes_an_event_in_a_gateway_that_is_no_emulator(run: Run) -> None:
    before = json_of(run("events", "list", "--json"))
    assert "Add --yes" in run("trigger", "documentCreated", code=1).stderr
    assert json_of(run("events", "list", "--json")) == before
    assert json_of(run("trigger", "documentCreated", "--yes", "--json"))["eventId"]
