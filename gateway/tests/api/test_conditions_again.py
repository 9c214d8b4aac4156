"""What a condition does not want is not sent again either: a retry of it is refused, a replay leaves it out."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.bodies import ONE_IN_A_PART

from signalpost.api.resources.planned_replays import MAX_PARTS_ASKED
from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

CREATED = ["documentCreated"]
ALL: dict[str, Any] = {"from": "2020-01-01T00:00:00Z", "status": "all"}


@pytest.fixture(scope="module")
def world(make_world: Callable[..., "World"], url: str) -> "World":
    return make_world(allow_targets=parse_allow_targets(url))


def titled(title: str) -> dict[str, str]:
    return {"field": "document.title", "is": title}


def events_of(world: "World", subscription: str, status: str, count: int) -> list[str]:
    """The ids of the events of so many deliveries, once they have this status, newest first."""

    def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = world.get(f"{subscription}/deliveries?status={status}").ok()["data"]
        return found if len(found) == count else []

    return [each["eventId"] for each in world.wait_until(listed)]


def test_a_retry_of_what_the_condition_does_not_want_is_refused_with_the_sentence(world: "World", url: str) -> None:
    made = world.create_subscription(url=f"{url}/200", status="active", eventTypes=CREATED, when=titled("a"))
    subscription = f"/v1/subscriptions/{made['id']}"
    world.create_document(title="b")
    (event,) = events_of(world, subscription, "skipped", 1)
    retry = f"{subscription}/deliveries/{event}/retry"
    refused = world.send("POST", retry).refused(409, code="not_wanted")
    assert refused["detail"] == "Not sent: document.title is 'b', not 'a'."
    world.send("PATCH", subscription, {"when": titled("b")}).ok()
    assert world.send("POST", retry).status == 202
    assert events_of(world, subscription, "delivered", 1) == [event]
    world.send("PATCH", subscription, {"when": titled("a")}).ok()
    assert world.send("POST", retry).refused(409, code="not_wanted")["detail"] == refused["detail"]


def test_a_retry_asks_the_condition_of_the_delay_of_the_newest_event(world: "World", url: str) -> None:
    after = {"seconds": 3600, "if": titled("a")}
    made = world.create_subscription(url=f"{url}/200", status="active", eventTypes=CREATED, after=after)
    subscription = f"/v1/subscriptions/{made['id']}"
    document = world.create_document(title="a")
    (event,) = events_of(world, subscription, "retrying", 1)
    world.send("PATCH", f"/v1/documents/{document['externalId']}", {"title": "b"}).ok()
    refused = world.send("POST", f"{subscription}/deliveries/{event}/retry").refused(409, code="not_wanted")
    assert refused["detail"] == "Not sent: by now document.title is 'b', not 'a'."
    world.send("PATCH", f"/v1/documents/{document['externalId']}", {"title": "a"}).ok()
    assert world.send("POST", f"{subscription}/deliveries/{event}/retry").status == 202
    assert events_of(world, subscription, "delivered", 1) == [event]


def test_a_replay_leaves_out_what_the_condition_does_not_want_and_says_how_many(world: "World", url: str) -> None:
    made = world.create_subscription(url=f"{url}/200", status="active", eventTypes=CREATED)
    subscription = f"/v1/subscriptions/{made['id']}"
    for title in ("a", "b", "c", "a"):
        world.create_document(title=title)
    events_of(world, subscription, "delivered", 4)
    counted = world.send("POST", f"{subscription}/replays", {**ALL, "dryRun": True}).ok()
    assert (counted["count"], counted["leftOut"]["unmet"]) == (4, 0)
    world.send("PATCH", subscription, {"when": titled("a")}).ok()
    counted = world.send("POST", f"{subscription}/replays", {**ALL, "dryRun": True}).ok()
    assert (counted["count"], counted["countIsCapped"], counted["leftOut"]["unmet"]) == (2, False, 2)
    many = {**ALL, "dryRun": True, "subscriptionIds": [made["id"]]}
    assert world.send("POST", "/v1/replays", many).ok()["unmet"] == 2
    started = world.send("POST", f"{subscription}/replays", ALL).ok(202)
    assert (started["count"], started["leftOut"]["unmet"]) == (2, 2)

    def finished() -> dict[str, Any]:
        replay: dict[str, Any] = world.get(f"{subscription}/replays/{started['id']}").ok()
        return replay if replay["state"] == "finished" and replay["delivered"] == 2 else {}

    replay = world.wait_until(finished)
    assert (replay["queued"], replay["skipped"]) == (2, 0), "nothing was queued that is not sent"


def test_a_replay_of_many_keeps_a_subscription_of_whose_events_those_that_were_asked_do_not_meet_the_condition(
    world: "World", url: str
) -> None:
    """What comes behind them may."""
    made = world.create_subscription(url=f"{url}/200", status="active", eventTypes=CREATED, when=titled("a"))
    events = MAX_PARTS_ASKED + 1
    for _ in range(events):
        world.create_document(title="b", additionalFacts=ONE_IN_A_PART)
    events_of(world, f"/v1/subscriptions/{made['id']}", "skipped", events)
    many = {**ALL, "subscriptionIds": [made["id"]]}
    counted = world.send("POST", "/v1/replays", {**many, "dryRun": True}).ok()
    assert (counted["count"], counted["countIsCapped"], counted["unmet"]) == (0, True, MAX_PARTS_ASKED)
    assert [each["subscriptionId"] for each in counted["data"]] == [made["id"]]
    (started,) = world.send("POST", "/v1/replays", many).ok(202)["data"]
    assert (started["replayId"] is not None, started["refused"]) == (True, None)


def test_what_failed_is_not_replayed_once_the_condition_does_not_want_it(world: "World", url: str) -> None:
    made = world.create_subscription(url=f"{url}/500", status="active", eventTypes=CREATED, retryDelays=[])
    subscription = f"/v1/subscriptions/{made['id']}"
    for title in ("a", "b"):
        world.create_document(title=title)
    events_of(world, subscription, "failed", 2)
    world.send("PATCH", subscription, {"when": titled("a")}).ok()
    counted = world.send("POST", f"{subscription}/replays", {**ALL, "status": "failed", "dryRun": True}).ok()
    assert (counted["count"], counted["leftOut"]["unmet"]) == (1, 1)


def test_what_did_not_meet_a_condition_says_why_also_once_the_condition_was_changed(world: "World", url: str) -> None:
    made = world.create_subscription(url=f"{url}/200", status="active", eventTypes=CREATED, when=titled("a"))
    subscription = f"/v1/subscriptions/{made['id']}"
    world.create_document(title="b")
    (event,) = events_of(world, subscription, "skipped", 1)

    def said() -> str:
        read = world.get(f"{subscription}/deliveries/{event}").ok()
        (listed,) = world.get(f"{subscription}/deliveries").ok()["data"]
        (of_event,) = (
            each
            for each in world.get(f"/v1/deliveries?eventId={event}").ok()["data"]
            if each["subscriptionId"] == made["id"]
        )
        assert (read["attempts"], read["lastAttempt"]) == ([], None), "nothing was kept of it"
        for each in (listed, of_event):
            assert (each["status"], each["cause"]) == ("skipped", read["cause"])
        detail: str = read["cause"]["detail"]
        return detail

    assert said() == "Not sent: document.title is 'b', not 'a'."
    world.send("PATCH", subscription, {"name": "another"}).ok()
    assert said() == "Not sent: document.title is 'b', not 'a'."
    changed_at = world.send("PATCH", subscription, {"when": titled("c")}).ok()["updatedAt"]
    did_not = f"Not sent: the event did not meet the condition of the subscription. That was changed at {changed_at}."
    assert said() == f"{did_not} As it is now: document.title is 'b', not 'c'."
    changed_at = world.send("PATCH", subscription, {"when": None}).ok()["updatedAt"]
    assert said() == (
        f"Not sent: the event did not meet what the subscription asked for then. That was changed at {changed_at}."
        " Now the event would be sent: a retry or a replay does that."
    )
    assert world.send("POST", f"{subscription}/deliveries/{event}/retry").status == 202
    assert events_of(world, subscription, "delivered", 1) == [event]
