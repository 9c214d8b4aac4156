"""Order (C17), seen from the receiver."""

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from gateway.tests.acceptance.client import Client, seconds, until
from gateway.tests.acceptance.receiver import FAIL, HELD, OK, Answer, Endpoint, ReceivedRequest, first
from gateway.tests.patience import PATIENCE

Endpoints = Callable[..., Endpoint]


def title(request: ReceivedRequest) -> Any:
    return request.event["data"]["document"]["title"]


def document(request: ReceivedRequest) -> Any:
    return request.event["data"]["document"]["externalId"]


@pytest.mark.parametrize("ordering", ["loose", "strict"])
def test_one_event_of_a_document_is_in_flight_and_the_lowest_goes_first(
    api: Client, endpoint: Endpoints, ordering: str
) -> None:
    """C17: while other documents are sent beside it."""
    hook = endpoint(Answer(after=0.02))
    api.subscribe(hook.url, ordering=ordering)
    documents = [api.create() for _ in range(4)]
    for number in range(12):
        for each in documents:
            api.patch(each, title=f"{number}")

    requests = hook.until(4 * 13)

    assert hook.overlaps == 0
    for each in documents:
        sequences = [request.sequence for request in requests if document(request) == each["externalId"]]
        assert sequences == sorted(sequences)
        assert len(sequences) == 13


def test_documents_are_sent_beside_each_other(api: Client, endpoint: Endpoints) -> None:
    together = 3
    arrived = threading.Barrier(together)

    def answer(_request: ReceivedRequest) -> Answer:
        arrived.wait(PATIENCE)  # nobody is answered before all are there
        return OK

    hook = endpoint(answer)
    subscription = api.subscribe(hook.url)
    for _ in range(together):
        api.create()
    hook.until(together)
    until(lambda: len(api.deliveries(subscription, status="delivered")) == together)


@pytest.mark.slow
def test_in_loose_order_a_later_event_overtakes_one_that_waits_for_its_retry(api: Client, endpoint: Endpoints) -> None:
    """C17."""
    hook = endpoint(lambda request: FAIL if title(request) == "A title" and request.attempt == 1 else OK)
    subscription = api.subscribe(hook.url, ordering="loose", retryDelays=[3600])
    made = api.create()
    (earlier,) = api.events_of(made)
    api.until_delivery(subscription, earlier["id"], "retrying")
    api.patch(made, title="later")
    hook.until(2)
    api.retry(subscription, earlier["id"])
    requests = hook.until(3)
    assert [(title(request), request.attempt) for request in requests] == [
        ("A title", 1), ("later", 1), ("A title", 2),
    ]  # fmt: skip
    # The receiver that sorts by createdAt, as the page tells it to, has the true order all the same.
    by_time = sorted(requests, key=lambda request: request.event["createdAt"])
    assert title(by_time[-1]) == "later"


@pytest.mark.slow
def test_in_strict_order_nothing_of_the_document_overtakes_and_other_documents_go_on(
    api: Client, endpoint: Endpoints
) -> None:
    """C17."""
    hook = endpoint(lambda request: FAIL if title(request) == "first" and request.attempt == 1 else OK)
    subscription = api.subscribe(hook.url, ordering="strict", retryDelays=[3600])
    made = api.create(title="first")
    (earliest,) = api.events_of(made)
    api.until_delivery(subscription, earliest["id"], "retrying")
    api.patch(made, title="second")
    api.patch(made, title="third")
    api.delete(made)
    other = api.create(title="other")
    (event,) = api.events_of(other)
    api.until_delivery(subscription, event["id"], "delivered")
    waiting = api.deliveries(subscription, externalId=made["externalId"])
    assert [each["status"] for each in waiting] == ["pending", "pending", "pending", "retrying"]

    api.retry(subscription, earliest["id"])
    requests = [request for request in hook.until(6) if document(request) == made["externalId"]]

    assert [(title(request), request.attempt) for request in requests] == [
        ("first", 1), ("first", 2), ("second", 1), ("third", 1), ("third", 1),
    ]  # fmt: skip
    assert hook.overlaps == 0


@pytest.mark.slow
def test_strict_order_waits_until_the_earlier_event_is_given_up(api: Client, endpoint: Endpoints) -> None:
    """C17: delivered, or given up."""
    hook = endpoint(lambda request: FAIL if title(request) == "first" else OK)
    subscription = api.subscribe(hook.url, ordering="strict", retryDelays=[1, 1])
    made = api.create(title="first")
    api.patch(made, title="second")
    requests = hook.until(4)
    time.sleep(0.2)
    assert [(title(request), request.attempt) for request in hook.requests] == [
        ("first", 1), ("first", 2), ("first", 3), ("second", 1),
    ]  # fmt: skip
    assert all(later.arrived - earlier.arrived >= 1 for earlier, later in pairwise(requests[:3]))
    failed = until(lambda: api.deliveries(subscription, status="failed"))
    assert [each["eventId"] for each in failed] == [requests[0].id]


@pytest.mark.slow
def test_a_document_that_fails_does_not_hold_up_others(api: Client, endpoint: Endpoints) -> None:
    """C17, in either order: first attempts go on beside retries."""
    hooks = [endpoint(lambda request: FAIL if title(request) == "bad" else OK) for _ in range(2)]
    subscriptions = [
        api.subscribe(hook.url, ordering=ordering, retryDelays=[3600])
        for hook, ordering in zip(hooks, ("loose", "strict"), strict=True)
    ]
    for _ in range(10):
        api.create(title="bad")
    good = {api.create(title="good")["externalId"] for _ in range(10)}
    for hook, subscription in zip(hooks, subscriptions, strict=True):
        requests = hook.until(20)
        assert {document(request) for request in requests if title(request) == "good"} == good
        until(lambda subscription=subscription: len(api.deliveries(subscription, status="retrying")) == 10)  # type: ignore[misc]


@pytest.mark.slow
def test_an_endpoint_that_hangs_does_not_hold_up_another(api: Client, endpoint: Endpoints) -> None:
    hanging, well = endpoint(HELD), endpoint()
    to_hanging = api.subscribe(hanging.url)
    api.subscribe(well.url)
    for _ in range(50):
        api.create()
    well.until(50)
    assert api.delivery(to_hanging, hanging.until(1)[0].id)["attempts"] == [], "its first attempt is still under way"


@pytest.mark.slow
def test_a_rate_limit_is_kept(api: Client, endpoint: Endpoints) -> None:
    """`rateLimit` per second, with a burst of one second's worth. To the millisecond: the engine's tests."""
    hook = endpoint()
    subscription = api.subscribe(hook.url, rateLimit=10)
    events = [api.events_of(api.create())[0]["id"] for _ in range(30)]
    until(lambda: len(api.deliveries(subscription, status="delivered")) == 30)
    first_sent, last_sent = (
        seconds(api.delivery(subscription, event)["attempts"][0]["startedAt"]) for event in (events[0], events[-1])
    )
    assert last_sent - first_sent > 1.8  # 10 at once, then 20 at 10 a second


def test_nothing_is_sent_twice_to_an_endpoint_that_is_well(api: Client, endpoint: Endpoints) -> None:
    hook = endpoint(first())
    api.subscribe(hook.url)
    for number in range(100):
        api.create(title=f"one of many, {number}")
    hook.until(100)
    time.sleep(0.2)
    assert len({request.id for request in hook.requests}) == len(hook.requests) == 100
