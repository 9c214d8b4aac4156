"""What a change of a subscription means for what is on its way to it."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from gateway.tests.acceptance.client import Client, seconds, until
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.acceptance.load import check_log, writers
from gateway.tests.acceptance.receiver import FAIL, HELD, OK, Endpoint, always

Endpoints = Callable[..., Endpoint]


def quiet(*endpoints: Endpoint, seconds: float = 0.3) -> None:
    """Nothing arrives for a while."""
    before = [len(endpoint.requests) for endpoint in endpoints]
    time.sleep(seconds)
    assert [len(endpoint.requests) for endpoint in endpoints] == before


# --- Where it starts --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_subscription_gets_exactly_the_events_above_its_starts_after(
    gateways: Callable[..., GatewayProcess], endpoint: Endpoints
) -> None:
    """Several clients write while the subscription is made."""
    gateway = gateways()
    callers = writers(lambda: gateway.client(keep=True), 6, seed=1, pause=0.003)
    made: list[tuple[Endpoint, Any]] = []

    def until_more_is_written() -> None:
        before = [len(caller.promises) for caller in callers]
        until(lambda: [len(caller.promises) for caller in callers] != before)

    for _ in range(10):
        until_more_is_written()
        hook = endpoint()
        made.append((hook, gateway.api.subscribe(hook.url)))
    until_more_is_written()
    for caller in callers:
        caller.stop()
    feed = list(gateway.api.feed())
    check_log(feed, callers)

    starts = [subscription["startsAfter"] for _, subscription in made]
    assert starts == sorted(starts)
    assert starts[0] > 0
    assert starts[-1] < len(feed), "nothing was written beside it"
    for hook, subscription in made:
        wanted = list(range(subscription["startsAfter"] + 1, len(feed) + 1))
        hook.until(len(wanted))
        assert sorted(request.sequence for request in hook.requests) == wanted
    quiet(*(hook for hook, _ in made))


# --- Pause and resume -------------------------------------------------------------------------------------------------


def test_a_paused_subscription_gets_nothing_and_catches_up_when_it_is_resumed(api: Client, endpoint: Endpoints) -> None:
    """Nothing is lost, and the order of each document is kept."""
    hook = endpoint()
    subscription = api.subscribe(hook.url)
    made = api.create(title="0")
    hook.until(1)
    assert api.change_subscription(subscription, status="paused")["status"] == "paused"
    for number in range(1, 30):
        api.patch(made, title=str(number))
    quiet(hook)
    assert len(hook.requests) == 1
    until(lambda: {each["status"] for each in api.deliveries(subscription)} == {"delivered", "pending"})

    api.change_subscription(subscription, status="active")

    requests = hook.until(30)
    assert [request.event["data"]["document"]["title"] for request in requests] == [str(n) for n in range(30)]
    until(lambda: not api.deliveries(subscription, status="pending"))
    quiet(hook)


@pytest.mark.slow
def test_a_pause_outlives_a_crash_and_loses_nothing(
    gateways: Callable[..., GatewayProcess], endpoint: Endpoints
) -> None:
    gateway = gateways()
    hook = endpoint()
    subscription = gateway.api.subscribe(hook.url, status="paused")
    for _ in range(20):
        gateway.api.create()
    gateway.kill()
    gateway.start()
    for _ in range(20):
        gateway.api.create()
    quiet(hook)
    assert hook.requests == []
    gateway.api.change_subscription(subscription, status="active")
    assert sorted(request.sequence for request in hook.until(40)) == list(range(1, 41))


def test_a_resume_that_skips_the_backlog_starts_at_the_end(api: Client, endpoint: Endpoints) -> None:
    hook = endpoint()
    subscription = api.subscribe(hook.url)
    api.create()
    hook.until(1)
    api.change_subscription(subscription, status="paused")
    skipped = [api.create()["externalId"] for _ in range(10)]
    api.change_subscription(subscription, status="active", skipBacklog=True)
    api.create(title="after")
    requests = hook.until(2)
    assert requests[1].event["data"]["document"]["title"] == "after"
    quiet(hook)
    until(lambda: api.subscription(subscription)["health"]["lag"] == 0)
    listed = {each["externalId"]: each["status"] for each in api.deliveries(subscription)}
    assert not any(listed.get(external_id) in ("pending", "retrying", "delivered") for external_id in skipped)


@pytest.mark.slow
def test_what_waits_for_its_retry_is_held_by_a_pause_and_sent_after_the_resume(
    api: Client, endpoint: Endpoints
) -> None:
    hook = endpoint(always(FAIL))
    subscription = api.subscribe(hook.url, retryDelays=[1] * 10)
    (event,) = api.events_of(api.create())
    api.until_delivery(subscription, event["id"], "retrying")
    api.change_subscription(subscription, status="paused")
    # On a slow machine the first retry was under way before the pause.
    waiting = until(
        lambda: (
            (found := api.delivery(subscription, event["id"]))["status"] == "retrying"
            and len(found["attempts"]) == len(hook.requests)
            and found
        )
    )
    made = len(waiting["attempts"])
    hook.answer = always(OK)
    time.sleep(max(0, seconds(waiting["nextAttemptAt"]) - time.time()))
    quiet(hook)
    assert len(hook.requests) == made
    api.change_subscription(subscription, status="active")
    assert [request.attempt for request in hook.until(made + 1)] == list(range(1, made + 2))


# --- Changes ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_url_and_headers_are_those_of_the_moment_of_sending(api: Client, endpoint: Endpoints) -> None:
    """A retry uses them too, not those of the attempt before."""
    old, new = endpoint(always(FAIL)), endpoint()
    subscription = api.subscribe(old.url, retryDelays=[3600], headers={"x-version": "old", "x-gone": "yes"})
    (event,) = api.events_of(api.create())
    api.until_delivery(subscription, event["id"], "retrying")
    changed = api.change_subscription(subscription, url=new.url, headers={"x-version": "new"})
    assert changed["url"] == new.url
    assert changed["headers"] == {"x-version": None}
    api.retry(subscription, event["id"])
    (request,) = new.until(1)
    assert (request.id, request.attempt) == (event["id"], 2)
    assert request.headers["x-version"] == "new"
    assert "x-gone" not in request.headers
    assert len(old.requests) == 1


@pytest.mark.slow
def test_a_change_outlives_a_crash(gateways: Callable[..., GatewayProcess], endpoint: Endpoints) -> None:
    """What was answered 2xx is committed, for subscriptions as well."""
    gateway = gateways()
    old, new = endpoint(), endpoint()
    api = gateway.api
    subscription = api.subscribe(old.url, headers={"x-secret": "of old"})
    api.change_subscription(subscription, url=new.url, headers={"x-secret": "of new"}, eventTypes=["documentCreated"])
    gone = api.subscribe(old.url)
    api.unsubscribe(gone)
    gateway.kill()
    gateway.start()
    made = api.create()
    api.delete(made)
    api.create()
    requests = new.until(2)
    quiet(old, new)
    assert old.requests == []
    assert [request.event["type"] for request in requests] == ["documentCreated"] * 2
    assert {request.headers["x-secret"] for request in requests} == {"of new"}
    assert api.request("GET", f"/v1/subscriptions/{gone['id']}").status == 404


def test_event_types_count_as_they_were_when_the_event_was_made(api: Client, endpoint: Endpoints) -> None:
    """Not as they are when it is sent: here after three changes, all while it is paused."""
    hook = endpoint()
    subscription = api.subscribe(hook.url, eventTypes=["documentCreated"], status="paused")

    def change(number: int) -> None:
        made = api.create(title=f"created {number}")
        api.patch(made, title=f"updated {number}")
        api.delete(made)

    for number, types in enumerate((["documentUpdated"], ["documentCreated", "documentDeleted"], ["documentDeleted"])):
        change(number)
        api.change_subscription(subscription, eventTypes=types)
    change(3)
    api.change_subscription(subscription, status="active")

    requests = hook.until(5)
    quiet(hook)
    kept = [(request.event["type"], request.event["data"]["document"]["title"][-1]) for request in hook.requests]
    assert sorted(kept, key=lambda pair: (pair[1], pair[0])) == [
        ("documentCreated", "0"),
        ("documentUpdated", "1"),
        ("documentCreated", "2"), ("documentDeleted", "2"),
        ("documentDeleted", "3"),
    ]  # fmt: skip
    listed = api.deliveries(subscription)
    assert sorted(each["eventId"] for each in listed) == sorted(request.id for request in requests)


@pytest.mark.slow
def test_a_new_order_holds_for_what_waits(api: Client, endpoint: Endpoints) -> None:
    """From strict to loose: the later event need no longer wait."""
    hook = endpoint(always(FAIL))
    subscription = api.subscribe(hook.url, ordering="strict", retryDelays=[3600])
    made = api.create(title="first")
    until(lambda: api.deliveries(subscription, status="retrying"))
    api.patch(made, title="second")
    quiet(hook)
    hook.answer = always(OK)
    api.change_subscription(subscription, ordering="loose")
    requests = hook.until(2)
    assert requests[1].event["data"]["document"]["title"] == "second"
    until(lambda: [each["status"] for each in api.deliveries(subscription)] == ["delivered", "retrying"])


# --- The end ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_deleted_subscription_is_sent_nothing_more(
    gateways: Callable[..., GatewayProcess], endpoint: Endpoints
) -> None:
    """Neither what follows, nor its backlog, nor what waits for a retry; the others are sent on."""
    api = gateways().api
    hook, other = endpoint(always(FAIL)), endpoint()
    subscription = api.subscribe(hook.url, retryDelays=[2])
    api.subscribe(other.url)
    (event,) = api.events_of(api.create())
    planned = seconds(api.until_delivery(subscription, event["id"], "retrying")["nextAttemptAt"])
    hook.answer = always(HELD)
    for _ in range(30):
        api.create()
    other.until(31)
    # Nothing is answered, so nothing more is sent than is under way now: and all of that has arrived.
    until(lambda: api.metric("signalpost_attempts_in_flight") == len(hook.requests) - 1)
    arrived = len(hook.requests)

    api.unsubscribe(subscription)
    hook.release()
    api.create()
    other.until(32)
    time.sleep(max(0, planned - time.time()))
    quiet(hook, seconds=0.5)

    assert len(hook.requests) == arrived
    assert 1 < arrived < 31, "it had a backlog"
    assert api.request("GET", f"/v1/subscriptions/{subscription['id']}").status == 404
    path = f"/v1/subscriptions/{subscription['id']}/deliveries/{event['id']}/retry"
    assert api.request("POST", path).status == 404


@pytest.mark.slow
def test_a_burst_reaches_many_subscriptions_each_complete(api: Client, endpoint: Endpoints) -> None:
    """C13: one request per event and matching subscription."""
    hooks = [endpoint() for _ in range(20)]
    for hook in hooks:
        api.subscribe(hook.url)
    ids = {api.events_of(api.create())[0]["id"] for _ in range(30)}
    for hook in hooks:
        hook.until(30)
    quiet(*hooks)
    for hook in hooks:
        assert sorted(request.id for request in hook.requests) == sorted(ids)
