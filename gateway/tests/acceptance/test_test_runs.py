"""`POST /v1/subscriptions/{id}/test-run`: the ten cases over real connections, to receivers good and bad."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from gateway.tests.acceptance.client import Client
from gateway.tests.acceptance.page import verify_signature
from gateway.tests.acceptance.receiver import OK, RESET, Answer, Answers, Endpoint, ReceivedRequest
from standardwebhooks import Webhook as StandardWebhook

from signalpost.domain.delivery.receiver_cases import CASES, FIRST_FAILED, REPORTS_ERROR
from signalpost_receiver import Receiver, Refusal, SkipStale

Endpoints = Callable[..., Endpoint]
SECRET = "a secret of mine"
NAMES = [case.name for case in CASES]


def path(subscription: Any) -> str:
    return f"/v1/subscriptions/{subscription['id']}/test-run"


def examined(api: Client, hook: Endpoint, **given: Any) -> dict[str, Any]:
    """The results by the names of the cases."""
    run = api.ask("POST", path(api.subscribe(hook.url, secret=SECRET, **given)))
    assert [each["name"] for each in run["cases"]] == NAMES
    found = {each["name"]: each for each in run["cases"]}
    assert run["passed"] is all(each["verdict"] == "passed" for each in found.values())
    return found


def verdicts(found: dict[str, Any]) -> set[str]:
    return {each["verdict"] for each in found.values()}


def by_kit(receiver: Receiver) -> Answers:
    def answer(request: ReceivedRequest) -> Answer:
        try:
            receiver.receive(request.body, request.headers)
        except Refusal as error:
            return Answer(error.status)
        return Answer(204, body=b"")

    return answer


def by_page(request: ReceivedRequest) -> Answer:
    """Verifies as the example on the public page does."""
    return OK if verify_signature(request.body, request.headers, SECRET.encode()) else Answer(401)


def by_standard_webhooks(request: ReceivedRequest) -> Answer:
    try:
        StandardWebhook("whsec_YSBzZWNyZXQgb2YgbWluZQ==").verify(request.body.decode(), request.headers)
    except Exception:
        return Answer(401)
    return OK


def careless(is_well: Callable[[ReceivedRequest], bool]) -> Answers:
    """Verifies, and also stumbles over some genuine requests."""
    return lambda request: by_page(request) if is_well(request) else Answer(500)


def test_a_receiver_with_our_kit_passes_all_ten(api: Client, endpoint: Endpoints) -> None:
    """C2, C13, C16 to C21"""
    handled: list[str] = []
    receiver = Receiver(secrets=SECRET, order=SkipStale())
    receiver.on_test(lambda event: handled.append(event.id))
    found = examined(api, hook := endpoint(by_kit(receiver)))
    assert verdicts(found) == {"passed"}
    assert len(hook.requests) == 10
    assert len(handled) == 9
    assert {request.headers["signalpost-test"] for request in hook.requests} == {"true"}


@pytest.mark.parametrize("answer", [by_page, by_standard_webhooks])
def test_receivers_that_know_nothing_of_this_gateway_pass(api: Client, endpoint: Endpoints, answer: Answers) -> None:
    """C19, C20"""
    assert verdicts(examined(api, endpoint(answer))) == {"passed"}


def test_nothing_of_it_is_in_the_log_or_a_list(api: Client, endpoint: Endpoints) -> None:
    hook = endpoint(by_page)
    subscription = api.subscribe(hook.url, secret=SECRET)
    last = api.ask("GET", "/v1/events?after=0&limit=1")
    api.ask("POST", path(subscription))
    assert api.ask("GET", "/v1/events?after=0&limit=1") == last
    assert api.deliveries(subscription) == []


def test_while_a_secret_is_rotated_its_own_two_sign(api: Client, endpoint: Endpoints) -> None:
    """C21: a receiver that has the new secret already passes all but what only the old one can sign."""
    hook = endpoint(by_page)
    subscription = api.subscribe(hook.url, secret=SECRET)
    new = api.ask("POST", f"/v1/subscriptions/{subscription['id']}/secret/rotate", None)["secret"]
    hook.answer = by_kit(Receiver(secrets=new))
    assert api.ask("POST", path(subscription))["passed"]


@pytest.mark.parametrize(
    ("answer", "to_mend"),
    [
        (lambda _request: OK, ["forged"]),
        (careless(lambda request: request.attempt == 1), ["retry"]),
        (careless(lambda request: "signalpost-replay" not in request.headers), ["replay"]),
        (careless(lambda request: "plexus-webhook-signature-alternate" not in request.headers), ["rotation"]),
        (careless(lambda request: len(request.body) < 100_000), ["large"]),
        (careless(lambda request: len(request.event["data"]["document"]) == 17), ["unknown"]),
        (careless(lambda request: request.event["type"] == "documentCreated"),
         ["documentUpdated", "documentDeleted", "retry", "late", "replay", "rotation", "large", "unknown", "forged"]),
    ],
)  # fmt: skip
def test_what_a_receiver_does_not_stand_is_named_with_what_to_mend(
    api: Client, endpoint: Endpoints, answer: Answers, to_mend: list[str]
) -> None:
    found = examined(api, endpoint(answer))
    assert [name for name, each in found.items() if each["verdict"] == "mend"] == to_mend
    mends = {case.name: case.mend for case in CASES}
    assert {name: found[name]["advice"] for name in to_mend} == {name: mends[name] for name in to_mend}


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (Answer(302, (("location", "https://elsewhere.example.com"),)), "redirect", "We do not follow redirects"),
        (RESET, "reset", "closed the connection"),
        (Answer(401, body=b"bad signature"), "status", "secret"),
        (Answer(500), "status", "500"),
    ],
)
def test_one_that_does_not_take_the_first_gets_no_more(
    api: Client, endpoint: Endpoints, answer: Answer, error: str, said: str
) -> None:
    found = examined(api, hook := endpoint(answer))
    first = found.pop("documentCreated")
    assert (first["verdict"], first["error"]) == ("mend", error)
    assert said.lower() in first["advice"].lower()
    assert {each["advice"] for each in found.values()} == {FIRST_FAILED}
    assert {(each["eventId"], each["statusCode"], each["answer"]) for each in found.values()} == {(None, None, None)}
    assert {request.id for request in hook.requests} == {first["eventId"]}


def test_one_that_is_too_slow_is_told_so(impatient_api: Client, endpoint: Endpoints) -> None:
    found = examined(impatient_api, hook := endpoint(Answer(after=30)))
    assert (found["documentCreated"]["error"], found["documentCreated"]["verdict"]) == ("timeout", "mend")
    assert len(hook.requests) == 1


def test_one_that_answers_200_with_an_error_is_told_that_this_counts_as_taken(api: Client, endpoint: Endpoints) -> None:
    """C15"""
    found = examined(api, endpoint(Answer(200, body=b'{"error": "invalid signature"}')))
    advices = {each["advice"] for name, each in found.items() if name != "forged"}
    assert advices == {REPORTS_ERROR}
    assert found["forged"]["advice"] == next(case.mend for case in CASES if case.is_forged)


def test_an_endpoint_that_repeats_its_secrets_is_quoted_without_them(api: Client, endpoint: Endpoints) -> None:
    hook = endpoint(lambda request: Answer(401, body=f"not {SECRET} {request.headers['x-mine']}".encode()))
    found = examined(api, hook, headers={"x-mine": "private words"})
    assert SECRET not in json.dumps(found)
    assert "private words" not in json.dumps(found)


def test_only_what_the_subscription_asks_for_is_sent(api: Client, endpoint: Endpoints) -> None:
    """C3"""
    subscription = api.subscribe((hook := endpoint(by_page)).url, secret=SECRET, eventTypes=["documentDeleted"])
    run = api.ask("POST", path(subscription))
    assert run["passed"]
    assert [each["name"] for each in run["cases"] if each["verdict"] == "notSent"] == [
        "documentCreated",
        "documentUpdated",
    ]
    assert {request.event["type"] for request in hook.requests} == {"documentDeleted"}
