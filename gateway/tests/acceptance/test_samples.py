"""`POST /v1/subscriptions/{id}/test`: a sample event, now, and what came back."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from gateway.tests.acceptance.client import Client, Reply
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.acceptance.page import verify_signature
from gateway.tests.acceptance.receiver import FAIL, HELD, RESET, Answer, Endpoint
from standardwebhooks import Webhook as StandardWebhook

from signalpost_receiver import Receiver

Endpoints = Callable[..., Endpoint]
RESULT = [
    "eventId",
    "delivered",
    "exchange",
    "diagnosis",
    "startedAt",
    "durationMs",
    "statusCode",
    "error",
    "detail",
    "answer",
]
AT_A_TIME = 13
"""How many tests one tenant may run; the others of the 16 are for other tenants."""


def path(subscription: Any) -> str:
    return f"/v1/subscriptions/{subscription['id']}/test"


def test_a_sample_arrives_as_every_event_does_and_says_that_it_is_one(api: Client, endpoint: Endpoints) -> None:
    """C1–C7, C13, C18–C20"""
    hook = endpoint(Answer(202, body=b"thanks"))
    subscription = api.subscribe(hook.url, headers={"x-mine": "yes"})
    last = api.ask("GET", "/v1/events?after=0&limit=1")

    result = api.ask("POST", path(subscription))

    assert list(result) == RESULT
    assert (result["delivered"], result["statusCode"], result["answer"]) == (True, 202, "thanks")
    assert (result["error"], result["detail"]) == (None, None)
    assert result["durationMs"] > 0
    (request,) = hook.requests
    assert request.start.startswith("POST ")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["signalpost-test"] == "true"
    assert "signalpost-replay" not in request.headers
    assert (request.sequence, request.attempt, request.id) == (0, 1, result["eventId"])
    assert request.headers["user-agent"].startswith("Signalpost/")
    assert request.headers["x-mine"] == "yes"
    secret = subscription["secret"]
    assert verify_signature(request.body, request.headers, secret.encode())
    StandardWebhook(secret).verify(request.body.decode(), request.headers)
    event = Receiver(secrets=secret).verify(request.body, request.headers)
    assert event.id == result["eventId"]
    assert event.document is not None
    assert list(request.event) == ["id", "type", "createdAt", "data"]
    assert request.event["type"] == "documentCreated"

    assert api.ask("GET", "/v1/events?after=0&limit=1") == last
    assert api.deliveries(subscription) == []
    reply = api.request("GET", f"/v1/subscriptions/{subscription['id']}/deliveries/{result['eventId']}")
    assert reply.status == 404


@pytest.mark.parametrize("event_type", ["documentCreated", "documentUpdated", "documentDeleted"])
def test_the_sample_has_the_shape_of_real_events_of_its_type(api: Client, endpoint: Endpoints, event_type: str) -> None:
    """C3, C6, C7. Of any type: also one that the subscription does not ask for."""
    hook = endpoint()
    subscription = api.subscribe(hook.url, eventTypes=["documentCreated"])
    api.ask("POST", path(subscription), {"eventType": event_type})
    (sample,) = hook.requests
    real_hook = endpoint()
    api.subscribe(real_hook.url)
    api.delete(api.create())
    real = real_hook.until(2)[-1].event
    assert sample.event["type"] == event_type
    assert list(sample.event["data"]) == ["document"]
    assert list(sample.event["data"]["document"]) == list(real["data"]["document"])
    assert (sample.event["data"]["document"]["status"] == "other") == (event_type == "documentDeleted")


def test_left_out_the_type_is_one_that_the_subscription_asks_for(api: Client, endpoint: Endpoints) -> None:
    hook = endpoint()
    subscription = api.subscribe(hook.url, eventTypes=["documentDeleted"])
    bodies: list[Any] = [None, {}]
    for body in bodies:
        api.ask("POST", path(subscription), body)
    assert [request.event["type"] for request in hook.requests] == ["documentDeleted"] * 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"eventType": "x"}, "/eventType"), ({"eventType": None}, "/eventType"), ({"a": 1}, "/a"), ([], "")],
)
def test_a_bad_body_is_refused_and_nothing_is_sent(api: Client, endpoint: Endpoints, body: Any, pointer: str) -> None:
    hook = endpoint()
    problem = api.ask("POST", path(api.subscribe(hook.url)), body, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert hook.requests == []


@pytest.mark.parametrize(
    ("answer", "error", "status"),
    [
        (FAIL, "status", 500),
        (Answer(404, body=b""), "status", 404),
        (Answer(302, (("location", "https://elsewhere.example/"),)), "redirect", 302),
        (RESET, "reset", None),
    ],
    ids=["500", "404", "302", "reset"],
)
def test_a_failure_is_told_as_it_was(
    api: Client, endpoint: Endpoints, answer: Answer, error: str, status: int | None
) -> None:
    tells_a_failure(api, endpoint(answer), error, status)


@pytest.mark.parametrize(
    ("answer", "status"), [(HELD, None), (Answer(200, body=b"x" * 600, every=0.1), 200)], ids=["no answer", "dripping"]
)
def test_an_endpoint_that_takes_too_long_is_told_as_such(
    impatient_api: Client, endpoint: Endpoints, answer: Answer, status: int | None
) -> None:
    """C15: the attempt's time, which is 6 s here."""
    result = tells_a_failure(impatient_api, endpoint(answer), "timeout", status)
    assert result["durationMs"] >= 6_000


def tells_a_failure(api: Client, hook: Endpoint, error: str, status: int | None) -> Any:
    """The sample is sent once and never repeated."""
    subscription = api.subscribe(hook.url)
    result = api.ask("POST", path(subscription))
    assert (result["delivered"], result["error"], result["statusCode"]) == (False, error, status)
    assert result["detail"] is None or result["detail"].endswith(".")
    assert result["durationMs"] > 0
    time.sleep(0.3)
    # One that came on a kept connection and got no byte of an answer is sent again on a fresh one, in the same attempt.
    assert len(hook.requests) == 1 or (error == "reset" and len(hook.requests) == 2)
    health = api.subscription(subscription)["health"]
    assert (health["state"], health["lastError"], health["breaker"], health["lag"]) == ("healthy", None, "closed", 0)
    return result


def test_of_the_answer_a_kibibyte_is_shown_whatever_bytes_it_has(api: Client, endpoint: Endpoints) -> None:
    hook = endpoint(Answer(body="ü€".encode() * 20_000))
    answered = api.ask("POST", path(api.subscribe(hook.url)))["answer"]
    assert answered.startswith("ü€ü€")
    assert len(answered.encode()) <= 1024 + 2  # the last character was cut, and is shown as a replacement
    hook = endpoint(Answer(400, body=b"\xff\x00ok"))
    assert api.ask("POST", path(api.subscribe(hook.url)))["answer"] == "\ufffd\x00ok"


def test_a_paused_subscription_can_be_tried_and_a_deleted_one_is_not_there(api: Client, endpoint: Endpoints) -> None:
    hook = endpoint()
    subscription = api.subscribe(hook.url, status="paused")
    assert api.ask("POST", path(subscription))["delivered"]
    api.unsubscribe(subscription)
    assert api.ask("POST", path(subscription), expect=404)["code"] == "subscription_not_found"
    assert len(hook.requests) == 1


def test_beyond_so_many_at_a_time_one_is_told_when_to_come_again(api: Client, endpoint: Endpoints) -> None:
    """Deliveries go on meanwhile."""
    hanging, other = endpoint(HELD), endpoint()
    subscription = api.subscribe(hanging.url, eventTypes=["documentDeleted"])
    api.subscribe(other.url, eventTypes=["documentCreated"])
    replies: list[Reply] = []
    threads = [
        threading.Thread(target=lambda: replies.append(another(api).request("POST", path(subscription))))
        for _ in range(AT_A_TIME)
    ]
    for thread in threads:
        thread.start()
    hanging.until(AT_A_TIME)
    refused = api.request("POST", path(subscription))
    api.create()
    other.until(1)
    hanging.release()
    for thread in threads:
        thread.join()
    assert refused.status == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json()["code"] == "too_many_tests"
    assert [reply.json()["delivered"] for reply in replies] == [True] * AT_A_TIME
    assert api.ask("POST", path(subscription))["delivered"], "there is room again"


def another(api: Client) -> Client:
    return Client(api._address, api._key)


@pytest.mark.slow
def test_a_stop_in_the_middle_is_answered(gateways: Callable[..., GatewayProcess], endpoint: Endpoints) -> None:
    gateway = gateways()
    hook = endpoint(HELD)
    subscription = gateway.api.subscribe(hook.url)
    replies: list[Reply] = []
    asking = threading.Thread(target=lambda: replies.append(gateway.client().request("POST", path(subscription))))
    asking.start()
    hook.until(1)
    gateway.signal()
    asking.join()
    assert gateway.wait() == 0
    (reply,) = replies
    assert reply.status == 503
    assert reply.headers["content-type"] == "application/problem+json"
    assert int(reply.headers["retry-after"]) > 0
