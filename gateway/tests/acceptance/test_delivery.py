"""What a receiver gets: the request, its headers and its two signatures, checked with what receivers have."""

import json
import re
from collections.abc import Callable
from uuid import UUID

import pytest
from gateway.tests.acceptance.client import Client, seconds
from gateway.tests.acceptance.page import verify_signature
from gateway.tests.acceptance.receiver import FAIL, Endpoint, first
from standardwebhooks import Webhook, WebhookVerificationError

Endpoints = Callable[..., Endpoint]

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
ATTRIBUTES = """type title status createdAt sourceApp startDate executedAt expiryDate externalId ownerEmail authorEmail
    referenceId contractValue latestVersion additionalFacts counterpartyName publishedVersion""".split()


# --- C1 to C8, C13 ----------------------------------------------------------------------------------------------------


def test_each_change_is_one_post_whose_body_is_the_event_of_the_page(api: Client, endpoint: Endpoints) -> None:
    """C1 to C8, C13."""
    hook = endpoint()
    api.subscribe(hook.url)
    made = api.create(title="Ein Vertrag über 10 €", startDate="2021-11-25", contractValue=9_999_999_999_999.99)
    api.patch(made, title="Ein neuer Vertrag 🖋", expiryDate="2021-11-27T14:00:00+01:00", additionalFacts={"a": 1})
    api.delete(made)

    requests = hook.until(3)

    assert [request.event["type"] for request in requests] == ["documentCreated", "documentUpdated", "documentDeleted"]
    for request in requests:
        assert request.start == f"POST {hook.path} HTTP/1.1"
        assert request.headers["content-type"] == "application/json"
        assert not request.body.startswith(b"\xef\xbb\xbf")
        request.body.decode("utf-8")
        assert list(request.event) == ["id", "type", "createdAt", "data"]
        assert UUID(request.event["id"]).version == 7
        assert TIMESTAMP.fullmatch(request.event["createdAt"])
        assert list(request.event["data"]) == ["document"]
        assert list(request.event["data"]["document"]) == ATTRIBUTES
        assert request.event["data"]["document"]["externalId"] == made["externalId"]
    first_, second, last = (request.event["data"]["document"] for request in requests)
    assert (first_["status"], second["status"], last["status"]) == ("created", "created", "other")
    assert first_["title"] == "Ein Vertrag über 10 €"
    assert first_["startDate"] == "2021-11-25"
    assert b'"contractValue":9999999999999.99,' in requests[0].body
    assert second["expiryDate"] == "2021-11-27T13:00:00+00:00"
    assert {**second, "status": "other"} == last
    assert [json.dumps(request.event) for request in requests] == [json.dumps(e) for e in api.events_of(made)]


def test_only_the_types_that_were_asked_for_are_sent(api: Client, endpoint: Endpoints) -> None:
    """C14."""
    all_, deletions = endpoint(), endpoint()
    api.subscribe(all_.url)
    api.subscribe(deletions.url, eventTypes=["documentDeleted"])
    made = api.create()
    api.patch(made, title="other")
    api.delete(made)
    all_.until(3)
    (request,) = deletions.until(1)
    assert request.event["type"] == "documentDeleted"


def test_a_change_that_changes_nothing_is_no_event(api: Client, endpoint: Endpoints) -> None:
    hook = endpoint()
    api.subscribe(hook.url)
    made = api.create(title="same")
    api.patch(made, title="same")
    api.delete(made)
    assert [request.event["type"] for request in hook.until(2)] == ["documentCreated", "documentDeleted"]


def test_the_largest_document_fits_into_one_request(api: Client, endpoint: Endpoints) -> None:
    """C13: at most 1 MiB, whatever the limits on the fields allow."""
    hook = endpoint()
    api.subscribe(hook.url)
    facts = {f"fact {number}": "x" * 4096 for number in range(64)}
    api.create(additionalFacts=facts)
    (request,) = hook.until(1)
    assert request.event["data"]["document"]["additionalFacts"] == facts
    assert len(request.body) <= 1024 * 1024


# --- C14, C18: headers ------------------------------------------------------------------------------------------------


def test_additional_headers_go_with_every_request_beside_those_of_the_gateway(api: Client, endpoint: Endpoints) -> None:
    """C18."""
    hook = endpoint()
    headers = {"Authorization": "Bearer of good news", "X-Team": "contracts; #7", "x-empty": ""}
    subscription = api.subscribe(hook.url + "?tenant=a%20b", headers=headers)
    assert subscription["headers"] == {"Authorization": None, "X-Team": None, "x-empty": None}
    api.create()
    api.create()

    requests = hook.until(2)

    for request in requests:
        assert request.start.endswith("?tenant=a%20b HTTP/1.1")
        assert request.headers["authorization"] == "Bearer of good news"
        assert request.headers["x-team"] == "contracts; #7"
        assert request.headers["x-empty"] == ""
        assert re.fullmatch(r"Signalpost/\d+\.\d+\.\d+\S*", request.headers["user-agent"])
        assert request.headers["host"] == hook.url.removeprefix("https://").partition("/")[0]
        assert request.headers["signalpost-attempt"] == "1"
        assert "signalpost-replay" not in request.headers
        assert "signalpost-test" not in request.headers
        names = [line.partition(":")[0].lower() for line in request.header_lines]
        assert len(names) == len(set(names)), "a header came twice"
    in_log = {entry["event"]["id"]: entry["sequence"] for entry in api.feed(subscription["startsAfter"])}
    assert {request.event["id"]: request.sequence for request in requests} == in_log
    assert all(request.id == request.event["id"] for request in requests)


@pytest.mark.parametrize(
    "name",
    [
        "Host", "content-length", "Content-Type", "connection", "Transfer-Encoding", "User-Agent",
        "plexus-webhook-signature", "Plexus-Webhook-Signature-Alternate", "webhook-id", "Webhook-Timestamp",
        "webhook-signature", "signalpost-sequence", "Signalpost-Attempt", "signalpost-replay", "signalpost-anything",
    ],
)  # fmt: skip
def test_a_header_that_the_gateway_sets_cannot_be_set(api: Client, endpoint: Endpoints, name: str) -> None:
    """C18: they replace none."""
    fields = {"url": endpoint().url, "eventTypes": ["documentCreated"], "headers": {name: "mine", "x-good": "fine"}}
    reply = api.request("POST", "/v1/subscriptions", fields)
    assert reply.status == 422
    assert [(e["pointer"], e["code"]) for e in reply.json()["errors"]] == [(f"/headers/{name}", "reserved_header")]


@pytest.mark.parametrize("value", ["a\r\nx-smuggled: yes", "a\nb", "a\0b", "a\x7fb", "é"])
def test_a_header_cannot_smuggle_another(api: Client, endpoint: Endpoints, value: str) -> None:
    """C18: no control characters."""
    fields = {"url": endpoint().url, "eventTypes": ["documentCreated"], "headers": {"x-good": value}}
    reply = api.request("POST", "/v1/subscriptions", fields)
    assert reply.status == 422
    assert [e["pointer"] for e in reply.json()["errors"]] == ["/headers/x-good"]


# --- C19, C20: signatures ---------------------------------------------------------------------------------------------

OWN = "ein eigenes Geheimnis: 10 €"


@pytest.mark.parametrize("secret", [None, OWN, "whsec_but no base64"], ids=["made", "own", "own with the prefix"])
def test_every_request_verifies_with_the_page_and_with_standard_webhooks(
    api: Client, endpoint: Endpoints, secret: str | None
) -> None:
    """C19, C20: with the secret, and with the form of it that was shown at creation; nothing else verifies."""
    hook = endpoint(first(FAIL))
    subscription = api.subscribe(hook.url, retryDelays=[1], **({} if secret is None else {"secret": secret}))
    if secret is None:
        assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", subscription["secret"])
        assert subscription["standardWebhooksSecret"] == subscription["secret"]
    else:
        assert subscription["secret"] == secret
    api.create(title="Über “Signaturen”")

    for request in hook.until(2):  # an attempt and its retry
        assert verify_signature(request.body, request.headers, subscription["secret"].encode()) is True
        assert re.fullmatch("[0-9a-f]{128}", request.headers["plexus-webhook-signature"])
        standard = Webhook(subscription["standardWebhooksSecret"])
        assert standard.verify(request.body, request.headers) == request.event
        assert verify_signature(request.body + b" ", request.headers, subscription["secret"].encode()) is False
        with pytest.raises(WebhookVerificationError):
            standard.verify(request.body + b" ", request.headers)
        with pytest.raises(WebhookVerificationError):
            standard.verify(request.body, {**request.headers, "webhook-id": "another"})
        assert "plexus-webhook-signature-alternate" not in request.headers


def test_the_timestamp_is_that_of_the_attempt_and_the_id_that_of_the_event(api: Client, endpoint: Endpoints) -> None:
    """C20, C2."""
    hook = endpoint(first(FAIL))
    subscription = api.subscribe(hook.url, retryDelays=[1])
    api.create()
    once, again = hook.until(2)
    assert once.id == again.id
    done = api.until_delivery(subscription, once.id, "delivered", attempts=2)
    started = [seconds(once.event["createdAt"]), *(seconds(attempt["startedAt"]) for attempt in done["attempts"])]
    for request, before, itself in zip((once, again), started, started[1:], strict=False):
        assert int(before) <= int(request.headers["webhook-timestamp"]) <= itself
    assert int(again.headers["webhook-timestamp"]) > int(once.headers["webhook-timestamp"])
    assert once.headers["plexus-webhook-signature"] == again.headers["plexus-webhook-signature"]
    assert once.headers["webhook-signature"] != again.headers["webhook-signature"]


def test_secrets_and_header_values_are_shown_once_and_never_again(api: Client, endpoint: Endpoints) -> None:
    """C14."""
    subscription = api.subscribe(endpoint().url, secret="a secret of ours", headers={"x-token": "a hidden value"})
    path = f"/v1/subscriptions/{subscription['id']}"
    shown = [
        api.request("GET", path).body,
        api.request("GET", "/v1/subscriptions").body,
        api.request("PATCH", path, {"name": "renamed"}).body,
    ]
    for body in shown:
        assert b"a secret of ours" not in body
        assert b"a hidden value" not in body
        assert b"whsec_" not in body
