import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from gateway.tests.cli.command import Run, create, json_of

pytestmark = pytest.mark.slow


def test_a_document_is_created_shown_changed_and_deleted(run: Run, document: str) -> None:
    changed = json_of(
        run("documents", "update", document, "--set", "contractValue=12.5", "--set", "title=New", "--json")
    )
    assert (changed["contractValue"], changed["title"]) == (12.5, "New")
    assert "12.5" in run("documents", "get", document).stdout
    assert run("documents", "delete", document).stdout == f"Deleted {document}.\n"
    gone = run("documents", "get", document, code=1).stderr
    assert gone == ("signalpost: There is no document with this externalId.\nList them: signalpost documents list\n")


def test_facts_are_shown_one_by_one(run: Run, document: str) -> None:
    shown = run("documents", "update", document, "--set", 'additionalFacts={"currency": "AUD"}').stdout
    assert "additionalFacts.currency  AUD\n" in shown


def test_what_is_wrong_is_named_by_the_option_that_set_it(run: Run) -> None:
    arguments = (
        "--type",
        "NDA",
        "--title",
        "x",
        "--owner",
        "nobody",
        "--set",
        "titel=x",
        "--set",
        "contractValue=0.001",
    )
    wrong = run("documents", "create", *arguments, code=1).stderr
    assert "  --owner: This must be an e-mail address" in wrong
    assert "  --set titel: There is no such field here" in wrong
    assert "  --set contractValue: This can have at most two decimals." in wrong


def test_an_update_without_a_change_says_how_to_make_one(run: Run, document: str) -> None:
    assert "--set field=value" in run("documents", "update", document, code=2).stderr
    assert "Write --set field=value" in run("documents", "update", document, "--set", "x", code=2).stderr


@pytest.mark.parametrize("title", ["[red]NDA[/red]", "Ünïcode 契約", "a\x1b[31mb\u202ec"])
def test_a_title_is_neither_markup_nor_a_control_sequence(run: Run, title: str) -> None:
    document = create(run, title)
    seen = title.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
    assert seen in run("documents", "get", document).stdout
    assert seen in run("documents", "list", "--limit", "1").stdout


def test_documents_are_listed_newest_first_over_as_many_pages_as_it_takes(run: Run, tmp_path: Path) -> None:
    owner = "many@example.com"
    lines = [
        {"externalId": f"00000000-0000-7000-8000-{number:012}", "type": "NDA", "title": "t", "status": "approved",
         "createdAt": "2026-01-15T09:30:00Z", "sourceApp": "a", "ownerEmail": owner, "authorEmail": owner}
        for number in range(300)
    ]  # fmt: skip
    file = tmp_path / "many.ndjson"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run("documents", "import", str(file))
    found = json_of(run("documents", "list", "--owner", owner, "--limit", "280", "--json"))
    assert [document["externalId"] for document in found] == [line["externalId"] for line in lines[:19:-1]]


def test_documents_are_found_by_each_filter(run: Run) -> None:
    document = create(run, type="Lease", owner="filter@example.com", set="referenceId=R-1")
    create(run)
    for name, value in (("type", "Lease"), ("owner", "filter@example.com"), ("reference-id", "R-1")):
        found = json_of(run("documents", "list", f"--{name}", value, "--json"))
        assert [each["externalId"] for each in found] == [document], name
    assert document in run("documents", "list", "--status", "created", "--type", "Lease").stdout
    assert run("documents", "list", "--status", "executed").stdout == "No such documents.\n"


def test_documents_that_changed_lately_are_found(run: Run) -> None:
    before = create(run, "before")
    since = datetime.now(UTC).isoformat()
    after = create(run, "after")
    for moment, expected in ((since, {after}), ("1h", {before, after})):
        found = {each["externalId"] for each in json_of(run("documents", "list", "--updated-after", moment, "--json"))}
        assert found & {before, after} == expected


def test_a_bad_filter_is_named_by_its_option(run: Run) -> None:
    wrong = run("documents", "list", "--status", "done", "--owner", "nobody", code=1).stderr
    assert "  --status: This must be one of created," in wrong
    assert "  --owner: This must be an e-mail address" in wrong
    assert "--updated-after: Give a time ago" in run("documents", "list", "--updated-after", "lately", code=2).stderr
