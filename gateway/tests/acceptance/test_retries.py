"""Retries over real time (C16): how often, when, and what a person, an endpoint or a crash change about it.

That nothing is sent too early holds on any machine. How late it may be is asserted on virtual time, by the engine's
tests of the same.
"""

import time
from collections.abc import Callable

import pytest
from gateway.tests.acceptance.client import Client, seconds, until
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.acceptance.receiver import FAIL, OK, Answer, Endpoint, always, first

Endpoints = Callable[..., Endpoint]
Gateways = Callable[..., GatewayProcess]


def waits(endpoint: Endpoint, event_id: str) -> list[float]:
    """Seconds from the answer to each attempt of an event to the next one."""
    arrivals = [request.arrived for request in endpoint.of(event_id)]
    answers = [at for request, _, at in endpoint.answered if request.id == event_id]
    return [later - answered for answered, later in zip(answers, arrivals[1:], strict=False)]


@pytest.mark.slow
def test_an_event_that_fails_three_times_is_delivered_by_the_fourth_attempt_each_in_its_time(
    api: Client, endpoint: Endpoints
) -> None:
    """C16: delays of 1 s (the setting), never early; C2: the same event each time."""
    hook = endpoint(first(FAIL, FAIL, FAIL))
    subscription = api.subscribe(hook.url)
    assert subscription["retryDelays"] == [1, 1, 1]
    (event,) = api.events_of(api.create())

    done = api.until_delivery(subscription, event["id"], "delivered", attempts=4)

    assert [request.attempt for request in hook.requests] == [1, 2, 3, 4]
    assert {request.id for request in hook.requests} == {event["id"]}
    assert len({request.body for request in hook.requests}) == 1
    attempts = done["attempts"]
    assert [(attempt["number"], attempt["counted"]) for attempt in attempts] == [(n, True) for n in (1, 2, 3, 4)]
    assert [attempt["error"] for attempt in attempts] == ["status"] * 3 + [None]
    assert [(attempt["statusCode"], attempt["answer"]) for attempt in attempts] == [(500, "no")] * 3 + [(200, "ok")]
    assert done["nextAttemptAt"] is None
    ended = [seconds(attempt["startedAt"]) + attempt["durationMs"] / 1000 for attempt in attempts]
    # Durations are told in whole ms.
    assert all(seconds(later["startedAt"]) - end > 0.999 for end, later in zip(ended, attempts[1:], strict=False))
    assert all(wait >= 1 for wait in waits(hook, event["id"]))
    assert api.subscription(subscription)["health"]["state"] == "healthy"


@pytest.mark.slow
def test_an_event_is_given_up_after_four_attempts_and_kept_as_failed(api: Client, endpoint: Endpoints) -> None:
    """C16."""
    hook = endpoint(always(FAIL))
    subscription = api.subscribe(hook.url)
    (event,) = api.events_of(api.create())

    failed = api.until_delivery(subscription, event["id"], "failed", attempts=4)
    time.sleep(1.5)  # longer than any delay: there is no fifth

    assert [request.attempt for request in hook.requests] == [1, 2, 3, 4]
    assert [attempt["counted"] for attempt in failed["attempts"]] == [True] * 4
    assert failed["nextAttemptAt"] is None
    assert [each["eventId"] for each in api.deliveries(subscription, status="failed")] == [event["id"]]
    assert api.deliveries(subscription, status="retrying") == []
    health = api.subscription(subscription)["health"]
    assert (health["state"], health["lag"]) == ("failing", 0)
    assert health["lastError"].startswith("The endpoint answered")


@pytest.mark.slow
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_lengthens_the_next_delay_and_holds_what_else_the_endpoint_would_get(
    api: Client, endpoint: Endpoints, status: int
) -> None:
    """C16: on 429 and 503; the attempt counts."""
    hook = endpoint(first(Answer(status, (("retry-after", "3"),))))
    subscription = api.subscribe(hook.url)
    (event,) = api.events_of(api.create())
    (refused,) = hook.until(1)
    api.until_delivery(subscription, event["id"], "retrying")
    hook.answer = always(OK)
    (other,) = api.events_of(api.create())  # of another document, so only the hold keeps it back

    hook.until(3)

    again, held = hook.of(event["id"])[1], hook.of(other["id"])[0]
    assert (again.attempt, held.attempt) == (2, 1)
    assert again.arrived - refused.arrived >= 3
    assert held.arrived - refused.arrived >= 3
    counted = api.delivery(subscription, event["id"])["attempts"][0]
    assert (counted["statusCode"], counted["counted"]) == (status, True)


@pytest.mark.slow
def test_retry_after_on_another_status_changes_nothing(api: Client, endpoint: Endpoints) -> None:
    """C16: on 429 or 503 only."""
    hook = endpoint(first(Answer(500, (("retry-after", "3600"),))))
    api.subscribe(hook.url)
    (event,) = api.events_of(api.create())
    hook.until(1)
    (other,) = api.events_of(api.create())
    assert hook.until_of(other["id"], 1)
    assert hook.until_of(event["id"], 2)


@pytest.mark.slow
def test_a_retry_by_hand_sends_one_attempt_more_of_the_same_event(api: Client, endpoint: Endpoints) -> None:
    """A failed delivery can be retried, again after that failed too, and so can a delivered one."""
    hook = endpoint(always(FAIL))
    subscription = api.subscribe(hook.url, retryDelays=[])
    (event,) = api.events_of(api.create())
    api.until_delivery(subscription, event["id"], "failed")

    api.retry(subscription, event["id"])
    api.until_delivery(subscription, event["id"], "failed", attempts=2)
    hook.answer = always(OK)
    api.retry(subscription, event["id"])
    api.until_delivery(subscription, event["id"], "delivered", attempts=3)
    api.retry(subscription, event["id"])
    done = api.until_delivery(subscription, event["id"], "delivered", attempts=4)
    time.sleep(0.3)

    assert [request.id for request in hook.requests] == [event["id"]] * 4
    assert len({request.body for request in hook.requests}) == 1
    assert [request.headers.get("signalpost-replay") for request in hook.requests] == [None, "true", "true", "true"]
    assert [attempt["error"] for attempt in done["attempts"]] == ["status", "status", None, None]


@pytest.mark.slow
def test_a_retry_by_hand_that_fails_leaves_the_schedule_as_it_was(api: Client, endpoint: Endpoints) -> None:
    hook = endpoint(always(FAIL))
    subscription = api.subscribe(hook.url, retryDelays=[3600])
    (event,) = api.events_of(api.create())
    planned = api.until_delivery(subscription, event["id"], "retrying")["nextAttemptAt"]

    api.retry(subscription, event["id"])

    waiting = api.until_delivery(subscription, event["id"], "retrying", attempts=2)
    assert waiting["nextAttemptAt"] == planned
    assert [(attempt["number"], attempt["counted"]) for attempt in waiting["attempts"]] == [(1, True), (2, False)]
    assert len(hook.requests) == 2


@pytest.mark.slow
def test_a_retry_by_hand_of_a_waiting_event_that_succeeds_ends_its_schedule(api: Client, endpoint: Endpoints) -> None:
    hook = endpoint(first(FAIL))
    subscription = api.subscribe(hook.url, retryDelays=[3600])
    (event,) = api.events_of(api.create())
    api.until_delivery(subscription, event["id"], "retrying")
    api.retry(subscription, event["id"])
    done = api.until_delivery(subscription, event["id"], "delivered", attempts=2)
    assert done["nextAttemptAt"] is None
    assert len(hook.requests) == 2


def test_a_retry_by_hand_is_refused_where_there_is_no_such_delivery(api: Client, endpoint: Endpoints) -> None:
    (before,) = api.events_of(api.create())
    subscription = api.subscribe(endpoint().url)
    path = f"/v1/subscriptions/{subscription['id']}/deliveries/{before['id']}/retry"
    assert api.request("POST", path).status == 404


@pytest.mark.slow
@pytest.mark.parametrize("end", ["kill", "stop"])
def test_an_event_that_awaits_a_retry_is_sent_at_its_time_after_a_restart(
    gateways: Gateways, endpoint: Endpoints, end: str
) -> None:
    """C16: not early, and with the number that it would have had. How late it may be, the engine's tests say."""
    gateway = gateways()
    soon, late = endpoint(first(FAIL)), endpoint(first(FAIL))
    to_soon, to_late = (
        gateway.api.subscribe(hook.url, retryDelays=[delay]) for hook, delay in ((soon, 3), (late, 3600))
    )
    (event,) = gateway.api.events_of(gateway.api.create())
    planned, planned_late = (
        gateway.api.until_delivery(subscription, event["id"], "retrying")["nextAttemptAt"]
        for subscription in (to_soon, to_late)
    )

    if end == "kill":
        gateway.kill()
    else:
        assert gateway.stop() == 0
    gateway.start()
    done = gateway.api.until_delivery(to_soon, event["id"], "delivered", attempts=2)

    assert [request.attempt for request in soon.requests] == [1, 2]
    assert seconds(done["attempts"][1]["startedAt"]) >= seconds(planned)
    waiting = gateway.api.delivery(to_late, event["id"])
    assert (waiting["status"], waiting["nextAttemptAt"]) == ("retrying", planned_late)
    assert len(late.requests) == 1


@pytest.mark.slow
def test_what_fell_due_while_the_gateway_was_down_is_sent_when_it_is_back(
    gateways: Gateways, endpoint: Endpoints
) -> None:
    gateway = gateways(retry_delays="1")
    hook = endpoint(first(FAIL))
    subscription = gateway.api.subscribe(hook.url)
    (event,) = gateway.api.events_of(gateway.api.create())
    until(lambda: gateway.api.delivery(subscription, event["id"])["attempts"])
    gateway.kill()
    time.sleep(1.3)
    gateway.start()
    gateway.api.until_delivery(subscription, event["id"], "delivered", attempts=2)
    assert [request.attempt for request in hook.requests] == [1, 2]
