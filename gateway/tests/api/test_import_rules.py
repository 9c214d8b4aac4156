"""What an import does with a snapshot: the same whether it comes alone (PUT) or as a line of many."""

import itertools
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from gateway.tests.api.stream import PATH, SNAPSHOT, external_id, read

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

numbers = itertools.count(1)


class Outcome(NamedTuple):
    status: int
    changed: bool | None = None
    code: str | None = None
    pointers: tuple[str, ...] = ()


CREATED, UPDATED, UNCHANGED = Outcome(201, True), Outcome(200, True), Outcome(200, False)
DELETED = Outcome(204, True)
Offer = Callable[..., Outcome]


def alone(world: "World", external_id: str, fields: dict[str, Any] | None, source_version: int | None) -> Outcome:
    """`fields` are None for a deletion."""
    query = "" if source_version is None else f"?sourceVersion={source_version}"
    answer = world.send("DELETE" if fields is None else "PUT", f"/v1/documents/{external_id}{query}", fields)
    if answer.status >= 300:
        return outcome_of(answer.json)
    assert fields is None or answer.json["externalId"] == external_id.lower()
    return Outcome(answer.status, answer.headers["signalpost-changed"] == "true")


def as_a_line(world: "World", external_id: str, fields: dict[str, Any] | None, source_version: int | None) -> Outcome:
    more = {} if source_version is None else {"sourceVersion": source_version}
    body = json.dumps({**({"deleted": True} if fields is None else fields), "externalId": external_id, **more}).encode()
    (answer,) = read(world.send("POST", PATH, body, {"content-type": "application/x-ndjson"}).body)
    if answer["status"] >= 300:
        assert "changed" not in answer
        return outcome_of(answer["problem"])
    assert answer["externalId"] == external_id.lower()
    return Outcome(answer["status"], answer["changed"])


def outcome_of(problem: dict[str, Any]) -> Outcome:
    pointers = sorted(error["pointer"] for error in problem.get("errors", ()))
    return Outcome(problem["status"], None, problem["code"], tuple(pointers))


class Document:
    """One document that a source imports."""

    def __init__(self, world: "World", way: Callable[..., Outcome]) -> None:
        self._world, self._way = world, way
        self.id = external_id(next(numbers))
        self._from = world.last()

    def offer(self, source_version: int | None = None, **fields: Any) -> Outcome:
        return self._way(self._world, self.id, {**SNAPSHOT, **fields}, source_version)

    def read(self) -> Any:
        return self._world.get(f"/v1/documents/{self.id}").ok()

    def delete(self, source_version: int | None = None) -> Outcome:
        return self._way(self._world, self.id, None, source_version)

    @property
    def events(self) -> list[tuple[str, str]]:
        return [
            (entry["event"]["type"], entry["event"]["data"]["document"]["title"])
            for entry in self._world.events(self._from)
        ]


@pytest.fixture(params=[alone, as_a_line], ids=["alone", "as a line"])
def made(request: pytest.FixtureRequest, world: "World") -> Document:
    return Document(world, request.param)


def test_a_snapshot_creates_updates_or_changes_nothing(made: Document) -> None:
    assert made.offer(title="one") == CREATED
    assert made.offer(title="two") == UPDATED
    assert made.offer(title="two") == UNCHANGED
    assert made.offer(title="two", startDate=None, additionalFacts={}) == UNCHANGED
    assert made.read()["title"] == "two"
    assert made.events == [("documentCreated", "one"), ("documentUpdated", "two")]


def test_it_is_whole_what_it_leaves_out_is_gone(made: Document) -> None:
    made.offer(counterpartyName="Company A", contractValue=1.5, additionalFacts={"a": 1})
    assert made.offer() == UPDATED
    found = made.read()
    assert (found["counterpartyName"], found["contractValue"], found["additionalFacts"]) == (None, None, {})


def test_it_keeps_the_source_s_status_times_and_links(made: Document) -> None:
    """C8, C9, C10, C12"""
    version = {"number": "7.1", "downloadUrl": "https://source.example.com/7.1?signed=yes"}
    fields: dict[str, Any] = {
        "status": "signedByClient",
        "executedAt": "2021-09-02T04:37:56+00:00",
        "latestVersion": version,
    }
    assert made.offer(**fields) == CREATED
    found = made.read()
    assert found["createdAt"] == SNAPSHOT["createdAt"]
    assert (found["status"], found["sourceApp"]) == ("signedByClient", "archive")
    assert (found["latestVersion"], found["publishedVersion"]) == (version, None)


@pytest.mark.parametrize(
    ("known", "offered", "outcome"),
    [
        (5, 4, UNCHANGED),
        (5, 0, UNCHANGED),
        (5, 5, UPDATED),
        (5, 6, UPDATED),
        (5, None, UPDATED),
        (None, 0, UPDATED),
        (None, None, UPDATED),
        (0, 2**63 - 1, UPDATED),
        (2**63 - 1, 2**63 - 2, UNCHANGED),
    ],
)
def test_an_older_source_version_changes_nothing(
    made: Document, known: int | None, offered: int | None, outcome: Outcome
) -> None:
    assert made.offer(known, title="known") == CREATED
    assert made.offer(offered, title="offered") == outcome
    assert made.read()["title"] == ("known" if outcome == UNCHANGED else "offered")
    assert len(made.events) == (1 if outcome == UNCHANGED else 2)


def test_a_source_version_is_remembered_also_where_nothing_else_changed(made: Document) -> None:
    assert made.offer(1) == CREATED
    assert made.offer(9) == UNCHANGED
    assert made.offer(8, title="late") == UNCHANGED
    assert made.offer(title="without one") == UPDATED
    assert made.offer(8, title="late") == UNCHANGED
    assert made.read()["title"] == "without one"


@pytest.mark.parametrize("known", [5, None])
def test_after_a_deletion_only_a_higher_source_version_brings_it_back(made: Document, known: int | None) -> None:
    assert made.offer(known, title="before") == CREATED
    assert made.delete() == DELETED
    for offered in (None, *([] if known is None else [4, 5])):
        assert made.offer(offered, title="too late") == Outcome(409, None, "document_deleted")
    assert made.offer(6, title="after") == CREATED
    assert made.read()["title"] == "after"
    assert [kind for kind, _ in made.events] == ["documentCreated", "documentDeleted", "documentCreated"]


def test_a_deletion_with_a_version_changes_nothing_that_is_newer_or_done(made: Document) -> None:
    assert made.offer(5, title="five") == CREATED
    assert made.delete(4) == UNCHANGED
    assert made.delete(6) == DELETED
    assert made.delete(6) == UNCHANGED
    assert made.offer(6, title="late") == Outcome(409, None, "document_deleted")
    assert made.offer(7, title="seven") == CREATED
    assert made.delete(6) == UNCHANGED
    assert made.read()["title"] == "seven"
    assert [kind for kind, _ in made.events] == ["documentCreated", "documentDeleted", "documentCreated"]


def test_a_deletion_of_what_was_never_there_leaves_its_version(made: Document) -> None:
    assert made.delete(5) == UNCHANGED
    assert made.offer(5) == Outcome(409, None, "document_deleted")
    assert made.events == []
    assert made.offer(6, title="six") == CREATED
    assert made.read()["title"] == "six"


def test_a_deletion_without_a_version_is_refused_if_there_is_nothing(made: Document) -> None:
    assert made.delete() == Outcome(404, None, "document_not_found")
    assert made.offer() == CREATED
    assert made.delete() == DELETED
    assert made.delete() == Outcome(404, None, "document_not_found")


def test_deletions_are_in_the_audit_with_who_asked(world: "World", made: Document) -> None:
    made.offer(5)
    made.delete(6)
    made.delete(6)
    newest = world.get("/v1/audit?newest=true&limit=2").ok()["data"]
    [told] = [entry for entry in newest if entry["object"]["id"] == made.id]
    assert (told["action"], told["actor"]["kind"]) == ("document.delete", "key")


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"deleted": False}, ("/deleted",)),
        ({"deleted": "true"}, ("/deleted",)),
        ({"deleted": True, "title": "A"}, ("/title",)),
        ({"deleted": True, "sourceVersion": -1}, ("/sourceVersion",)),
        ({"deleted": True, "sourceVersion": 1.5}, ("/sourceVersion",)),
    ],
)
def test_what_is_wrong_with_a_line_that_deletes_is_named(
    world: "World", fields: dict[str, Any], pointers: tuple[str, ...]
) -> None:
    made = Document(world, as_a_line)
    made.offer()
    body = json.dumps({"externalId": made.id, **fields}).encode()
    (answer,) = read(world.send("POST", PATH, body, {"content-type": "application/x-ndjson"}).body)
    assert outcome_of(answer["problem"]) == Outcome(422, None, "invalid_fields", pointers)
    assert made.read()["title"] == SNAPSHOT["title"]


def test_an_id_in_capitals_is_the_same_document(made: Document) -> None:
    made.id = "ABCDEF00" + made.id[8:]
    assert made.offer() == CREATED
    made.id = made.id.lower()
    assert made.offer() == UNCHANGED


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"status": "gone"}, ["/status"]),
        ({"title": "", "type": 1}, ["/title", "/type"]),
        ({"createdAt": "2021-09-02"}, ["/createdAt"]),
        ({"createdAt": None}, ["/createdAt"]),
        ({"latestVersion": {"number": "7.1"}}, ["/latestVersion/downloadUrl"]),
        ({"contractValue": 1.234}, ["/contractValue"]),
        ({"additionalFacts": {"a": []}}, ["/additionalFacts/a"]),
        ({"updatedAt": "2021-09-02T04:37:56Z"}, ["/updatedAt"]),
        ({"title": "\x00", "ownerEmail": "\ud800", "unknown": 1}, ["/ownerEmail", "/title", "/unknown"]),
    ],
)
def test_bad_fields_are_all_named_and_change_nothing(made: Document, fields: Any, pointers: list[str]) -> None:
    assert made.offer(1) == CREATED
    assert made.offer(2, **fields) == Outcome(422, None, "invalid_fields", tuple(pointers))
    assert made.events == [("documentCreated", SNAPSHOT["title"])]


def test_either_way_goes_on_where_the_other_stopped(world: "World") -> None:
    made, last = external_id(next(numbers)), world.last()
    assert alone(world, made, SNAPSHOT, 1) == CREATED
    assert as_a_line(world, made, SNAPSHOT, 1) == UNCHANGED
    assert as_a_line(world, made, {**SNAPSHOT, "title": "line"}, 3) == UPDATED
    assert alone(world, made, {**SNAPSHOT, "title": "late"}, 2) == UNCHANGED
    assert world.last() == last + 2
