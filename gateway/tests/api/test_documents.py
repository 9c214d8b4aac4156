"""Documents: what creating, reading, changing, deleting and importing them answers, and which events each makes."""

import json
import re
import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

C7 = [
    "type", "title", "status", "createdAt", "sourceApp", "startDate", "executedAt", "expiryDate", "externalId",
    "ownerEmail", "authorEmail", "referenceId", "contractValue", "latestVersion", "additionalFacts",
    "counterpartyName", "publishedVersion",
]  # fmt: skip
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
EXTERNAL_ID = "d24c0644-1d31-47fa-960e-b0cc8b4f136c"


def snapshot(world: "World", **fields: Any) -> dict[str, Any]:
    given = {"status": "created", "createdAt": "2021-09-02T04:37:56.812919+00:00", "sourceApp": "Sales"}
    return {**world.document, **given, **fields}


def new_path() -> str:
    return f"/v1/documents/{uuid.uuid4()}"


def path_of(document: dict[str, Any]) -> str:
    return f"/v1/documents/{document['externalId']}"


def test_creating_answers_the_whole_document_and_makes_one_event(world: "World") -> None:
    last = world.last()
    answer = world.send("POST", "/v1/documents", dict(world.document))
    made = answer.ok(201)
    assert list(made) == [*C7, "updatedAt"]
    assert answer.headers["location"] == path_of(made)
    assert answer.headers["etag"] == '"1"'
    assert {name: made[name] for name in world.document} == world.document
    assert (made["status"], made["sourceApp"], made["additionalFacts"]) == ("created", "operator", {})
    assert TIMESTAMP.fullmatch(made["createdAt"])
    assert made["updatedAt"] == made["createdAt"]
    assert [name for name in C7 if made[name] is None] == [
        "startDate", "executedAt", "expiryDate", "referenceId", "contractValue", "latestVersion", "counterpartyName",
        "publishedVersion",
    ]  # fmt: skip
    (entry,) = world.events(last)
    assert entry["sequence"] == last + 1
    event = entry["event"]
    assert list(event) == ["id", "type", "createdAt", "data"]
    assert event["type"] == "documentCreated"
    assert event["createdAt"] == made["createdAt"]
    assert list(event["data"]["document"].items()) == list(made.items())[:-1]
    assert world.get(path_of(made)).ok() == made


def test_every_field_of_a_creation_is_kept(world: "World") -> None:
    given = {
        **world.document, "startDate": "2021-11-25", "expiryDate": "2021-11-27T13:00:00Z", "referenceId": "SF-1",
        "contractValue": 12.5, "counterpartyName": "Company A",
        "additionalFacts": {"z": 1, "a": "x", "t": True, "f": 0.5},
        "sourceApp": "Sales",
    }  # fmt: skip
    made = world.send("POST", "/v1/documents", given).ok(201)
    kept = {**given, "expiryDate": "2021-11-27T13:00:00+00:00"}
    assert {name: made[name] for name in kept} == kept
    assert list(made["additionalFacts"]) == ["z", "a", "t", "f"]


def test_a_patch_of_several_fields_makes_one_event(world: "World") -> None:
    made = world.create_document(additionalFacts={"keep": 1, "drop": 2, "change": 3}, referenceId="SF-1")
    last = world.last()
    patch = {
        "title": "Changed", "referenceId": None, "contractValue": 5, "startDate": "2022-01-01",
        "additionalFacts": {"drop": None, "change": "new", "added": False, "never there": None},
    }  # fmt: skip
    answer = world.send("PATCH", path_of(made), patch)
    changed = answer.ok()
    assert answer.headers["etag"] == '"2"'
    assert changed["additionalFacts"] == {"keep": 1, "change": "new", "added": False}
    assert (changed["title"], changed["referenceId"], changed["contractValue"]) == ("Changed", None, 5.0)
    assert changed["createdAt"] == made["createdAt"]
    assert changed["updatedAt"] > made["updatedAt"]
    (entry,) = world.events(last)
    assert entry["event"]["type"] == "documentUpdated"
    assert entry["event"]["createdAt"] == changed["updatedAt"]
    assert {**entry["event"]["data"]["document"], "updatedAt": changed["updatedAt"]} == changed


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"title": "An agreement"},
        {"additionalFacts": {}},
        {"additionalFacts": {"fact": 1}},
        {"additionalFacts": {"never there": None}},
        {"referenceId": None, "startDate": None, "contractValue": 7},
        {"contractValue": 7.0, "expiryDate": "2021-11-27T14:00:00+01:00"},
    ],
)
def test_a_patch_that_changes_nothing_makes_no_event(world: "World", patch: dict[str, Any]) -> None:
    made = world.create_document(additionalFacts={"fact": 1}, contractValue=7, expiryDate="2021-11-27T13:00:00Z")
    before = world.state()
    answer = world.send("PATCH", path_of(made), patch)
    assert answer.ok() == made
    assert answer.headers["etag"] == '"1"'
    assert world.state() == before


def test_null_removes_all_facts(world: "World") -> None:
    made = world.create_document(additionalFacts={"fact": 1})
    assert world.send("PATCH", path_of(made), {"additionalFacts": None}).ok()["additionalFacts"] == {}


def test_deleting_makes_one_event_with_the_last_attributes_and_then_it_is_not_there(world: "World") -> None:
    made = world.create_document(title="Last")
    last = world.last()
    answer = world.send("DELETE", path_of(made))
    assert (answer.status, answer.body) == (204, b"")
    assert "content-type" not in answer.headers
    (entry,) = world.events(last)
    assert entry["event"]["type"] == "documentDeleted"
    document = entry["event"]["data"]["document"]
    assert document == {**{name: made[name] for name in C7}, "status": "other"}
    assert list(document) == C7
    for method, body in (("GET", None), ("PATCH", {"title": "x"}), ("DELETE", None)):
        world.refuses(method, path_of(made), body, status=404, code="document_not_found")


# --- Imports ----------------------------------------------------------------------------------------------------------


def body_of(event: bytes) -> bytes:
    """The document inside one of the page's examples, byte for byte."""
    start = event.index(b'"document":') + len(b'"document":')
    return event[start : event.rindex(b"}", 0, event.rindex(b"}"))]


def test_the_page_s_examples_are_reproduced_field_by_field(world: "World", examples: dict[str, bytes]) -> None:
    """Import, import again, delete: the three events that the page prints, in their order, names and values."""
    last = world.last()
    path = f"/v1/documents/{EXTERNAL_ID}"
    made = world.send("PUT", path, body_of(examples["documentCreated"]))
    assert (made.status, made.headers["signalpost-changed"]) == (201, "true")
    changed = world.send("PUT", path, body_of(examples["documentUpdated"]))
    assert (changed.status, changed.headers["signalpost-changed"]) == (200, "true")
    assert world.send("DELETE", path).status == 204
    entries = world.events(last)
    types = [entry["event"]["type"] for entry in entries]
    assert types == ["documentCreated", "documentUpdated", "documentDeleted"]
    for entry in entries:
        printed = json.loads(examples[entry["event"]["type"]])
        event = entry["event"]
        assert list(event) == list(printed)
        assert json.dumps(event["data"]) == json.dumps(printed["data"])
        assert event["data"]["document"]["additionalFacts"] == {"customFact1": "123", "currency": "AUD"}
        assert isinstance(event["data"]["document"]["contractValue"], float)


@pytest.mark.parametrize("name", ["documentCreated", "documentUpdated", "documentDeleted"])
def test_each_of_the_page_s_documents_can_be_imported(world: "World", examples: dict[str, bytes], name: str) -> None:
    external_id = str(uuid.uuid4())
    body = body_of(examples[name]).replace(EXTERNAL_ID.encode(), external_id.encode())
    answer = world.send("PUT", f"/v1/documents/{external_id}", body)
    assert json.dumps({**answer.ok(201), "updatedAt": 0}) == json.dumps({**json.loads(body), "updatedAt": 0})
    assert answer.headers["etag"] == '"1"'


def test_an_import_without_optional_fields_has_nulls(world: "World") -> None:
    made = world.send("PUT", new_path(), snapshot(world)).ok(201)
    assert list(made) == [*C7, "updatedAt"]
    assert (made["executedAt"], made["latestVersion"], made["additionalFacts"]) == (None, None, {})


def test_an_import_brings_its_times_into_the_form_of_the_contract(world: "World") -> None:
    body = snapshot(world, createdAt="2021-09-02T06:37:56+02:00", executedAt="2021-10-01T00:00:00.5Z")
    made = world.send("PUT", new_path(), body).ok(201)
    assert made["createdAt"] == "2021-09-02T04:37:56.000000+00:00"
    assert made["executedAt"] == "2021-10-01T00:00:00.500000+00:00"


@pytest.mark.parametrize("status", ["signedByClient", "other", "paused", "executed", "cancelled"])
def test_an_import_takes_any_status(world: "World", status: str) -> None:
    assert world.send("PUT", new_path(), snapshot(world, status=status)).ok(201)["status"] == status


def test_the_newest_source_version_wins(world: "World") -> None:
    path = new_path()

    def put(version: int | None, title: str) -> tuple[int, str, str, int]:
        last = world.last()
        query = "" if version is None else f"?sourceVersion={version}"
        answer = world.send("PUT", path + query, snapshot(world, title=title))
        return answer.status, answer.headers["signalpost-changed"], answer.json["title"], world.last() - last

    assert put(5, "five") == (201, "true", "five", 1)
    assert put(5, "five") == (200, "false", "five", 0)
    assert put(4, "four") == (200, "false", "five", 0)
    assert put(0, "zero") == (200, "false", "five", 0)
    assert put(5, "five again") == (200, "true", "five again", 1)
    assert put(7, "five again") == (200, "false", "five again", 0)
    # The version that was seen counts, also where nothing else changed.
    assert put(6, "six") == (200, "false", "five again", 0)
    assert put(None, "without") == (200, "true", "without", 1)
    assert put(6, "six") == (200, "false", "without", 0)
    assert put(2**63 - 1, "most") == (200, "true", "most", 1)
    assert put(7, "seven") == (200, "false", "most", 0)


def test_after_a_deletion_a_higher_source_version_is_needed(world: "World") -> None:
    path = new_path()
    world.send("PUT", path + "?sourceVersion=5", snapshot(world)).ok(201)
    assert world.send("DELETE", path).status == 204
    for query in ("", "?sourceVersion=5", "?sourceVersion=4", "?sourceVersion=0"):
        problem = world.refuses("PUT", path + query, snapshot(world), status=409, code="document_deleted")
        assert problem["sourceVersion"] == 5
        assert "above 5" in problem["detail"]
    last = world.last()
    answer = world.send("PUT", path + "?sourceVersion=6", snapshot(world, title="Back"))
    assert (answer.ok(201)["title"], answer.headers["signalpost-changed"]) == ("Back", "true")
    assert answer.headers["etag"] == '"3"'
    assert [entry["event"]["type"] for entry in world.events(last)] == ["documentCreated"]
    assert world.get(path).ok()["title"] == "Back"


def test_a_deletion_that_changes_nothing_says_what_is_known(world: "World") -> None:
    path = new_path()
    identity = path.rpartition("/")[2]
    last = world.last()

    def delete(version: int) -> Any:
        answer = world.send("DELETE", f"{path}?sourceVersion={version}")
        assert answer.headers["signalpost-changed"] == "false"
        return answer.ok(200)

    assert delete(5) == {"externalId": identity, "sourceVersion": 5, "deleted": True}
    assert delete(3) == {"externalId": identity, "sourceVersion": 5, "deleted": True}
    world.send("PUT", path + "?sourceVersion=9", snapshot(world)).ok(201)
    assert delete(8) == {"externalId": identity, "sourceVersion": 9, "deleted": False}
    assert [entry["event"]["type"] for entry in world.events(last)] == ["documentCreated"]


def test_a_document_of_our_own_that_was_deleted_comes_back_with_any_source_version(world: "World") -> None:
    path = path_of(world.create_document())
    assert world.send("DELETE", path).status == 204
    world.refuses("PUT", path, snapshot(world), status=409, code="document_deleted")
    world.send("PUT", path + "?sourceVersion=1", snapshot(world)).ok(201)


def test_an_external_id_that_is_not_the_path_s_is_named(world: "World") -> None:
    path = new_path()
    problem = world.refuses("PUT", path, snapshot(world, externalId=EXTERNAL_ID), at=("/externalId",))
    assert problem["errors"][0]["code"] == "mismatch"
    body = snapshot(world, externalId=path.rpartition("/")[2].upper())
    assert world.send("PUT", path, body).ok(201)["externalId"] == path.rpartition("/")[2]


def test_an_import_over_a_document_of_our_own_replaces_it(world: "World") -> None:
    made = world.create_document(additionalFacts={"gone": 1}, contractValue=5)
    answer = world.send("PUT", path_of(made), snapshot(world, title="Theirs"))
    assert answer.headers["signalpost-changed"] == "true"
    assert (answer.ok()["additionalFacts"], answer.ok()["contractValue"]) == ({}, None)


# --- ETags ------------------------------------------------------------------------------------------------------------


def test_an_etag_goes_round(world: "World") -> None:
    path = path_of(world.create_document())
    for number in (1, 2, 3):
        etag = world.get(path).headers["etag"]
        assert etag == f'"{number}"'
        assert world.send("HEAD", path).headers["etag"] == etag
        answer = world.send("PATCH", path, {"title": f"Title {number}"}, {"if-match": etag})
        assert answer.headers["etag"] == f'"{number + 1}"'
        body, headers = {"title": f"Another {number}"}, {"if-match": etag}
        world.refuses("PATCH", path, body, status=412, headers=headers, code="precondition_failed")
        world.refuses("DELETE", path, status=412, headers=headers)
        world.refuses("PUT", path, snapshot(world), status=412, headers=headers)
    assert world.send("DELETE", path, headers={"if-match": '"4"'}).status == 204


@pytest.mark.parametrize("header", ['"2"', "1", 'W/"1"', "", '"1', '"10"', '"2", "3"', "'1'", "x" * 5000, '"1" "2"'])
def test_an_etag_that_does_not_match_changes_nothing(world: "World", document: str, header: str) -> None:
    headers = {"if-match": header}
    for method, body in (("PATCH", {"title": "x"}), ("PATCH", {}), ("DELETE", None), ("PUT", snapshot(world))):
        world.refuses(method, document, body, status=412, headers=headers, code="precondition_failed")


@pytest.mark.parametrize("header", ['"1"', "*", '"7", "1"', '"1","2"', ' "1" ', '"0" , *'])
def test_an_etag_that_matches_lets_the_change_pass(world: "World", header: str) -> None:
    path = path_of(world.create_document())
    world.send("PATCH", path, {"title": "x"}, {"if-match": header}).ok()


def test_any_state_is_no_state_for_what_is_not_there(world: "World") -> None:
    path = new_path()
    world.refuses("PUT", path, snapshot(world), status=412, headers={"if-match": "*"})
    world.refuses("PATCH", path, {}, status=404, headers={"if-match": "*"})
    world.refuses("DELETE", path, status=404, headers={"if-match": '"1"'})
    gone = path_of(world.create_document())
    assert world.send("DELETE", gone).status == 204
    world.refuses("PUT", gone + "?sourceVersion=9", snapshot(world), status=412, headers={"if-match": "*"})
