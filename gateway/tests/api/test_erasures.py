"""What is left of a deleted document is erased: its events stay as shells that are sent to no one."""

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.acceptance.client import until

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

CANARY = "Canary7Wharf"


def erased(world: "World", document: str, **headers: str) -> dict[str, Any]:
    """The finished erasure of a deleted document."""
    started = world.send("POST", f"{document}/erase", headers=headers).ok(202)
    path = f"/v1/erasures/{started['id']}"
    until(lambda: world.get(path).ok()["state"] == "finished")
    found: dict[str, Any] = world.get(path).ok()
    return found


@pytest.fixture
def marked(make_world: Callable[..., "World"]) -> "tuple[World, str]":
    """A world with a deleted document that has the canary in it, and a paused subscription that waits for events."""
    world = make_world()
    world.send("POST", "/v1/subscriptions", {**world.subscription, "status": "paused"}).ok(201)
    made = world.send("POST", "/v1/documents", {**world.document, "title": CANARY}).ok(201)
    document = f"/v1/documents/{made['externalId']}"
    world.send("PATCH", document, {"title": f"{CANARY} again"}).ok()
    world.refuses("POST", f"{document}/erase", status=409, code="document_not_deleted")
    assert world.send("DELETE", document).status == 204
    return world, document


def raw(world: "World") -> bytes:
    return b"".join(path.read_bytes() for path in world.settings.data_dir.rglob("*") if path.is_file())


def test_events_of_an_erased_document_stay_as_shells_in_an_unbroken_log(marked: "tuple[World, str]") -> None:
    world, document = marked
    before = world.get("/v1/events").ok()["data"]
    assert CANARY.encode() in raw(world)
    found = erased(world, document)
    assert (found["tenant"], found["document"]) == ("default", document.rpartition("/")[2])
    assert found["removed"] >= 3
    assert found["finishedAt"] >= found["askedAt"]
    after = world.get("/v1/events").ok()["data"]
    assert [each["sequence"] for each in after] == [each["sequence"] for each in before]
    assert [list(each["event"]) for each in after] == [["id", "type", "createdAt", "data"]] * 3
    assert [each["event"]["id"] for each in after] == [each["event"]["id"] for each in before]
    assert [each["event"]["data"] for each in after] == [{"document": None}] * 3
    assert CANARY.encode() not in raw(world)


def test_what_waited_for_an_erased_document_is_skipped_with_a_sentence(marked: "tuple[World, str]") -> None:
    world, document = marked
    erased(world, document)
    [subscription] = world.get("/v1/subscriptions").ok()["data"]
    path = f"/v1/subscriptions/{subscription['id']}"
    world.send("PATCH", path, {"status": "active"}).ok()
    until(lambda: world.get(path).ok()["health"]["lag"] == 0)
    until(lambda: {each["status"] for each in world.get(f"{path}/deliveries").ok()["data"]} == {"skipped"})
    event = world.get("/v1/events").ok()["data"][0]["event"]["id"]
    delivery = world.get(f"{path}/deliveries/{event}").ok()
    assert "was erased" in str(delivery)
    preview = world.send("POST", f"{path}/preview", {"eventId": event}).ok()
    assert preview["wanted"] is False
    assert "was erased" in preview["why"]


def test_a_replay_counts_no_event_of_an_erased_document_for_a_subscription_with_conditions(
    marked: "tuple[World, str]",
) -> None:
    world, _ = marked
    wishes = {
        "when": {"field": "document.title", "contains": CANARY},
        "after": {"seconds": 1, "if": {"field": "document.title", "exists": True}},
    }
    made = world.send("POST", "/v1/subscriptions", {**world.subscription, **wishes, "status": "active"}).ok(201)
    path = f"/v1/subscriptions/{made['id']}"
    other = world.send("POST", "/v1/documents", {**world.document, "title": CANARY}).ok(201)
    world.send("DELETE", f"/v1/documents/{other['externalId']}")
    until(lambda: world.get(path).ok()["health"]["waiting"] == 1)
    erased(world, f"/v1/documents/{other['externalId']}")
    until(lambda: world.get(path).ok()["health"]["waiting"] == 0)
    asked = {"fromSequence": 1, "status": "all"}
    counted = world.send("POST", f"{path}/replays", {**asked, "dryRun": True}).ok()
    assert counted["count"] == 0
    started = world.send("POST", f"{path}/replays", asked).ok(202)
    until(lambda: world.get(f"{path}/replays/{started['id']}").ok()["state"] == "finished")
    assert world.get(f"{path}/replays/{started['id']}").ok()["queued"] == 0


def test_a_document_that_comes_again_is_another_one(marked: "tuple[World, str]") -> None:
    world, document = marked
    erased(world, document)
    again = {
        **world.document,
        "title": "Again",
        "status": "created",
        "createdAt": "2021-09-02T04:37:56Z",
        "sourceApp": "x",
    }
    world.send("PUT", f"{document}?sourceVersion=9", again).ok(201)
    assert world.get(document).ok()["title"] == "Again"
    assert world.get("/v1/events").ok()["data"][-1]["event"]["data"]["document"]["title"] == "Again"
    history = [each["status"] for each in world.get(f"{document}/history").ok()["data"]]
    assert history == ["created", "other", "other", "other"], "what was erased is told without its content"


def test_what_never_was_cannot_be_erased_and_erasures_are_listed_newest_first(
    make_world: Callable[..., "World"],
) -> None:
    world = make_world()
    world.refuses("POST", f"/v1/documents/{uuid.uuid4()}/erase", status=404, code="document_not_found")
    world.refuses("GET", f"/v1/erasures/{uuid.uuid4()}", status=404, code="erasure_not_found")
    ids = []
    for _ in range(3):
        made = world.create_document()
        document = f"/v1/documents/{made['externalId']}"
        assert world.send("DELETE", document).status == 204
        ids.append(erased(world, document)["id"])
    first = world.get("/v1/erasures?limit=2").ok()
    second = world.get(f"/v1/erasures?limit=2&cursor={first['next']}").ok()
    assert [each["id"] for each in first["data"] + second["data"]] == ids[::-1]
