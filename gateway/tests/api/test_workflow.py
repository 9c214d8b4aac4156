"""The workflow's calls: what they take, what they refuse and how they say what fits."""

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gateway.tests.api.conftest import Answer, World

LATER = "2099-01-31T12:00:00Z"


@pytest.fixture
def path(world: "World") -> str:
    """The path of a document that the test has for itself."""
    return f"/v1/documents/{world.create_document()['externalId']}"


def act(world: "World", path: str, action: str, headers: dict[str, str | None] | None = None, **said: Any) -> "Answer":
    return world.send("POST", f"{path}/actions", {"action": action, **said}, headers)


def test_an_action_answers_the_document_and_names_its_event(world: "World", path: str) -> None:
    answer = act(world, path, "requestReview", reviewers=["a@x", "b@x"])
    document = answer.ok()
    assert document == world.get(path).json
    assert document["status"] == "awaitingReview"
    assert answer.headers["etag"] == '"2"'
    event = world.events()[-1]["event"]
    assert (event["id"], event["type"]) == (answer.headers["signalpost-event"], "documentUpdated")
    assert event["data"]["document"]["status"] == "awaitingReview"


def test_a_decision_that_changes_nothing_that_shows_makes_no_event_and_leaves_the_etag(
    world: "World", path: str
) -> None:
    """C7"""
    act(world, path, "requestReview", reviewers=["a@x", "b@x"]).ok()
    before = world.last()
    answer = act(world, path, "approveReview", by="a@x")
    answer.ok()
    assert "signalpost-event" not in answer.headers
    assert answer.headers["etag"] == '"2"'
    assert world.last() == before
    shown = world.get(f"{path}/actions").ok()
    assert [(each["email"], each["decision"], each["reason"]) for each in shown["participants"]] == [
        ("a@x", "agreed", None), ("b@x", None, None),
    ]  # fmt: skip
    assert shown["awaited"] == ["b@x"]


def test_what_does_not_fit_is_answered_409_with_what_does(world: "World", path: str) -> None:
    fits = ["requestReview", "requestApproval", "requestSignature", "pause", "cancel"]
    problem = act(world, path, "sign", by="a@x").refused(409, code="action_not_allowed")
    assert problem["allowed"] == fits
    assert world.get(f"{path}/actions").ok() == {
        "status": "created", "allowed": fits, "participants": [], "awaited": [], "expiresAt": None,
        "statusBefore": None,
    }  # fmt: skip


@pytest.mark.parametrize(("by", "code"), [("c@x", "not_a_participant"), ("a@x", "already_decided")])
def test_a_person_that_does_not_fit_is_told_who_is_awaited(world: "World", path: str, by: str, code: str) -> None:
    act(world, path, "requestApproval", approvers=["a@x", "b@x"]).ok()
    act(world, path, "approve", by="a@x").ok()
    problem = act(world, path, "rejectApproval", by=by, reason="no").refused(409, code=code)
    assert problem["allowed"] == ["approve", "rejectApproval", "pause", "cancel"]
    assert problem["awaited"] == ["b@x"]


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, ["/action"]),
        ({"action": "expire"}, ["/action"]),
        ({"action": ["sign"]}, ["/action"]),
        ({"action": "requestReview"}, ["/reviewers"]),
        ({"action": "requestReview", "reviewers": []}, ["/reviewers"]),
        ({"action": "requestReview", "reviewers": ["a@x", "b"]}, ["/reviewers/1"]),
        ({"action": "requestReview", "reviewers": ["a@x", "A@X"]}, ["/reviewers/1"]),
        ({"action": "requestReview", "reviewers": [f"{n}@x" for n in range(65)]}, ["/reviewers"]),
        ({"action": "requestReview", "reviewers": ["a@x"], "signers": ["a@x"]}, ["/signers"]),
        ({"action": "requestSignature", "signers": ["a@x"]}, ["/expiresAt"]),
        ({"action": "requestSignature", "signers": ["a@x"], "expiresAt": "tomorrow"}, ["/expiresAt"]),
        ({"action": "requestSignature", "signers": ["a@x"], "expiresAt": "2021-01-01T00:00:00Z"}, ["/expiresAt"]),
        ({"action": "sign", "by": "nobody"}, ["/by"]),
        ({"action": "rejectReview"}, ["/by", "/reason"]),
        ({"action": "cancel", "reason": ""}, ["/reason"]),
        ({"action": "pause", "by": "a@x"}, ["/by"]),
        ({"action": "nothing", "by": "nobody", "why": 1}, ["/action", "/by", "/why"]),
    ],
)
def test_every_bad_field_is_named(world: "World", path: str, body: dict[str, Any], at: list[str]) -> None:
    world.refuses("POST", f"{path}/actions", body, at=tuple(at))


def test_an_action_is_repeated_safely(world: "World", path: str) -> None:
    key: dict[str, str | None] = {"idempotency-key": str(uuid.uuid4())}
    act(world, path, "requestReview", reviewers=["a@x", "b@x"]).ok()
    first = act(world, path, "approveReview", key, by="a@x")
    again = act(world, path, "approveReview", key, by="a@x")
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    act(world, path, "approveReview", key, by="b@x").refused(422, "Idempotency-Key", code="idempotency_key_reused")


def test_an_action_may_ask_for_the_state_that_was_read(world: "World", path: str) -> None:
    act(world, path, "pause", {"if-match": '"7"'}).refused(412)
    act(world, path, "pause", {"if-match": '"1"'}).ok()


def test_a_document_that_is_not_there_takes_no_action(world: "World", path: str) -> None:
    assert world.send("DELETE", path).status == 204
    for gone in (path, f"/v1/documents/{uuid.uuid4()}", "/v1/documents/x"):
        act(world, gone, "pause").refused(404)
        world.get(f"{gone}/actions").refused(404)
        world.get(f"{gone}/history").refused(404)


def test_the_history_of_a_deleted_document_is_there_for_who_asks_for_it(world: "World", path: str) -> None:
    world.send("PATCH", path, {"title": "B"}).ok()
    assert world.send("DELETE", path).status == 204
    told = world.get(f"{path}/history?deleted=true").ok()
    assert [(step["action"], step["status"], step["event"]["type"]) for step in told["data"]] == [
        ("delete", "other", "documentDeleted"),
        ("update", "created", "documentUpdated"),
        ("create", "created", "documentCreated"),
    ]
    world.get(f"/v1/documents/{uuid.uuid4()}/history?deleted=true").refused(404)
    world.get(f"{path}/history?deleted=yes").refused(422, "?deleted")


def test_the_history_names_the_key_that_asked(world: "World", path: str) -> None:
    made = world.send("POST", "/v1/keys", {"name": "front desk", "role": "operator"}).ok(201)
    desk: dict[str, str | None] = {"authorization": f"Bearer {made['key']}"}
    act(world, path, "pause", desk).ok()
    snapshot = {**world.document, "status": "paused", "createdAt": "2026-01-01T00:00:00Z", "sourceApp": "x"}
    world.send("PUT", path, snapshot, desk).ok()
    line = json.dumps({**snapshot, "title": "C", "externalId": path.rsplit("/", 1)[1]}).encode()
    headers = {**desk, "content-type": "application/x-ndjson"}
    world.send("POST", "/v1/documents/import", line, headers)
    told = world.get(f"{path}/history").ok()["data"]
    assert [(step["action"], step["key"]) for step in told] == [
        ("import", "front desk"), ("import", "front desk"), ("pause", "front desk"), ("create", "operator"),
    ]  # fmt: skip
    assert act(world, path, "resume").ok()["status"] == "created"


@pytest.mark.parametrize("status", ["signedByClient", "other", "awaitingReview", "paused"])
def test_a_status_that_came_by_import_goes_on(world: "World", path: str, status: str) -> None:
    """C12"""
    snapshot = {**world.document, "status": status, "createdAt": "2026-01-01T00:00:00Z", "sourceApp": "x"}
    world.send("PUT", path, snapshot).ok()
    assert "cancel" in world.get(f"{path}/actions").ok()["allowed"]
    if status == "awaitingReview":
        assert act(world, path, "approveReview", by="whoever@x").ok()["status"] == "reviewApproved"
    elif status == "paused":
        assert act(world, path, "resume").ok()["status"] == "created"
    else:
        assert act(world, path, "pause").ok()["status"] == "paused"
        assert act(world, path, "resume").ok()["status"] == status


def test_the_same_snapshot_again_changes_neither_the_document_nor_its_workflow(world: "World", path: str) -> None:
    act(world, path, "requestReview", reviewers=["a@x", "b@x"]).ok()
    act(world, path, "approveReview", by="a@x").ok()
    snapshot = world.get(path).ok()
    del snapshot["updatedAt"]
    before = world.last()
    again = world.send("PUT", f"{path}?sourceVersion=1", snapshot)
    assert (again.status, again.headers["signalpost-changed"]) == (200, "false")
    assert world.last() == before
    assert world.get(f"{path}/actions").ok()["awaited"] == ["b@x"]
    older = world.send("PUT", f"{path}?sourceVersion=0", {**snapshot, "status": "cancelled"})
    assert older.headers["signalpost-changed"] == "false"
    assert world.get(path).ok()["status"] == "awaitingReview"
