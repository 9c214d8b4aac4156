"""Replays: what is refused, and what a replay meets whose subscription goes meanwhile."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from signalpost.domain.delivery.replay import MAX_RUNNING

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

ALL: dict[str, Any] = {"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z", "status": "all"}


@pytest.mark.parametrize(
    ("changed", "at"),
    [
        ({"from": ALL["to"]}, ["/to"]),
        ({"to": ALL["from"]}, ["/to"]),
        ({"from": "2020-01-01", "to": "tomorrow"}, ["/from", "/to"]),
        ({"eventTypes": ["documentGone"], "externalId": "7"}, ["/eventTypes/0", "/externalId"]),
        ({"eventTypes": []}, ["/eventTypes"]),
        ({"status": "delivered", "dryRun": "no", "until": 1}, ["/status", "/dryRun", "/until"]),
    ],
)
def test_what_is_no_stretch_of_time_is_refused(
    world: "World", subscription: str, changed: dict[str, Any], at: list[str]
) -> None:
    world.refuses("POST", f"{subscription}/replays", {**ALL, **changed}, at=tuple(at))


def test_a_replay_says_what_of_its_span_it_leaves_out(world: "World") -> None:
    path = f"/v1/subscriptions/{world.create_subscription(eventTypes=['documentCreated'])['id']}"
    before = world.send("POST", f"{path}/replays", {**ALL, "dryRun": True}).ok()["leftOut"]
    made = world.create_document()
    world.send("PATCH", f"/v1/documents/{made['externalId']}", {"title": "another"}).ok()
    expected = {**before, "unwanted": before["unwanted"] + 1, "waiting": before["waiting"] + 1}
    assert world.send("POST", f"{path}/replays", {**ALL, "dryRun": True}).ok()["leftOut"] == expected
    assert world.send("POST", f"{path}/replays", ALL).ok(202)["leftOut"] == expected


@pytest.mark.parametrize(
    ("beginning", "at"),
    [
        ({}, "/from"),
        ({"from": ALL["from"], "fromSequence": 1}, "/fromSequence"),
        ({"fromSequence": 0}, "/fromSequence"),
    ],
)
def test_a_replay_begins_at_a_moment_or_at_an_event(
    world: "World", subscription: str, beginning: dict[str, Any], at: str
) -> None:
    for path in (f"{subscription}/replays", "/v1/replays"):
        world.refuses("POST", path, {"status": "all", **beginning}, at=(at,))


def test_a_replay_from_an_event_on_is_about_that_one_and_what_follows_up_to_now(world: "World") -> None:
    path = f"/v1/subscriptions/{world.create_subscription()['id']}/replays"
    for title in ("before", "first", "last"):
        world.create_document(title=title)
    first = world.events()[-2]
    asked = {"fromSequence": first["sequence"], "status": "all"}
    assert world.send("POST", path, {**asked, "dryRun": True}).ok()["leftOut"]["waiting"] == 2
    made = world.send("POST", path, asked).ok(202)
    assert made["fromSequence"] == first["sequence"]
    assert made["from"] == first["event"]["createdAt"]
    beyond = world.send("POST", path, {**asked, "fromSequence": 2**62}).ok(202)
    assert beyond["count"] == beyond["leftOut"]["waiting"] == beyond["leftOut"]["unwanted"] == 0


def test_a_replay_of_some_types_and_one_document_says_so_and_who_asked(world: "World") -> None:
    path = f"/v1/subscriptions/{world.create_subscription()['id']}"
    made = world.create_document()
    asked = {**ALL, "eventTypes": ["documentUpdated", "documentDeleted"], "externalId": made["externalId"]}
    assert world.send("POST", f"{path}/replays", {**asked, "dryRun": True}).ok()["leftOut"]["waiting"] == 0
    started = world.send("POST", f"{path}/replays", asked).ok(202)
    assert started["eventTypes"] == ["documentUpdated", "documentDeleted"]
    assert (started["externalId"], started["createdBy"]) == (made["externalId"], "operator")
    of_all = world.send("POST", f"{path}/replays", ALL).ok(202)
    assert (of_all["eventTypes"], of_all["externalId"]) == (None, None)
    of_every_type = {**ALL, "eventTypes": ["documentCreated", "documentUpdated", "documentDeleted"]}
    assert world.send("POST", f"{path}/replays", of_every_type).ok(202)["eventTypes"] is None


def test_only_so_many_run_at_a_time(world: "World") -> None:
    """A paused subscription's stand still."""
    path = f"/v1/subscriptions/{world.create_subscription()['id']}/replays"
    world.create_document()
    world.send("PATCH", path.removesuffix("/replays"), {"eventTypes": ["documentUpdated"]}).ok()
    started = [world.send("POST", path, ALL) for _ in range(MAX_RUNNING)]
    assert {answer.status for answer in started} == {202}
    world.refuses("POST", path, ALL, status=409, code="too_many_replays")
    first = started[0]
    assert re.fullmatch(f"{path}/[0-9a-f-]{{36}}", first.headers["location"])
    assert world.send("DELETE", first.headers["location"]).ok()["state"] == "cancelled"
    assert world.send("DELETE", first.headers["location"]).refused(409)["code"] == "replay_not_running"
    assert world.send("POST", path, ALL).status == 202
    listed = world.get(f"{path}?limit=1").ok()
    assert [each["state"] for each in listed["data"]] == ["running"]
    assert len(world.get(f"{path}?limit=250&cursor={listed['next']}").ok()["data"]) == MAX_RUNNING


def test_the_replays_of_all_subscriptions_are_listed_with_the_subscriptions_names(world: "World") -> None:
    made = [world.create_subscription(name=f"replayed {n}") for n in range(2)]
    started = [world.send("POST", f"/v1/subscriptions/{each['id']}/replays", ALL).ok(202) for each in made]
    first = world.get("/v1/replays?limit=1").ok()
    then = world.get(f"/v1/replays?limit=1&cursor={first['next']}").ok()
    listed = [*first["data"], *then["data"]]
    assert [each["id"] for each in listed] == [each["id"] for each in reversed(started)]
    assert [each["subscriptionName"] for each in listed] == ["replayed 1", "replayed 0"]
    assert [each["subscriptionId"] for each in listed] == [each["id"] for each in reversed(made)]


def test_a_replay_of_a_subscription_that_goes_meanwhile_is_not_there(world: "World") -> None:
    for _ in range(10):
        path = f"/v1/subscriptions/{world.create_subscription()['id']}"
        clients = [world.another() for _ in range(6)]

        def ask(client: Any, path: str = path) -> set[int]:
            statuses = {0}
            while 404 not in statuses:
                statuses.add(client.send("POST", f"{path}/replays", {**ALL, "dryRun": True}).status)
            client.close()
            return statuses

        with ThreadPoolExecutor(len(clients)) as threads:
            asked = [threads.submit(ask, client) for client in clients]
            assert world.send("DELETE", path).status == 204
            assert set().union(*(each.result() for each in asked)) <= {0, 200, 404}


def test_replays_of_many_are_asked_for_rightly(world: "World", subscription: str) -> None:
    absent, known = "01a20e98-25ba-7b43-8f2d-f3d7f20c1d84", subscription.rsplit("/", 1)[1]
    world.refuses("POST", "/v1/replays", {**ALL, "to": ALL["from"], "subscriptionIds": [known]}, at=("/to",))
    body = {**ALL, "subscriptionIds": [known, absent]}
    world.refuses("POST", "/v1/replays", body, at=("/subscriptionIds/1",))
    world.refuses("POST", "/v1/replays", {**ALL, "subscriptionIds": []}, at=("/subscriptionIds",))
