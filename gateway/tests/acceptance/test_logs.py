"""What a running gateway writes to its log: a line for every request and every failed attempt, tied by their ids."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from gateway.tests.acceptance.client import DOCUMENT, Reply, until
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.acceptance.receiver import FAIL, Endpoint, always

Gateways = Callable[..., GatewayProcess]
Endpoints = Callable[..., Endpoint]
pytestmark = pytest.mark.slow


def lines(gateway: GatewayProcess, message: str) -> list[dict[str, Any]]:
    whole, _, _ = gateway.stderr.read_text().rpartition("\n")
    return [line for line in map(json.loads, whole.splitlines()) if line["message"] == message]


def of_requests(gateway: GatewayProcess, *replies: Reply) -> list[dict[str, Any]]:
    """The lines of these requests, once they are there: an answer may be heard before its line is written."""
    ids = [reply.headers["request-id"] for reply in replies]

    def logged() -> list[dict[str, Any]] | None:
        by_id = {line["request"]: line for line in lines(gateway, "request")}
        return [by_id[each] for each in ids] if by_id.keys() >= set(ids) else None

    found: list[dict[str, Any]] = until(logged)
    return found


def test_a_change_is_followed_from_its_request_over_its_event_to_a_failed_attempt(
    gateways: Gateways, endpoint: Endpoints
) -> None:
    gateway = gateways(retry_delays="", log_format="json")
    subscription = gateway.api.subscribe(endpoint(always(FAIL)).url)
    made = gateway.api.request("POST", "/v1/documents", DOCUMENT, idempotency_key="once")
    again = gateway.api.request("POST", "/v1/documents", DOCUMENT, idempotency_key="once")
    event = made.headers["signalpost-event"]
    assert again.headers["signalpost-event"] == event
    assert [each["id"] for each in gateway.api.events_of(made.json())] == [event]

    for reply, line in zip((made, again), of_requests(gateway, made, again), strict=True):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("timestamp"))
        assert line.pop("ms") >= 0
        assert line == {
            "level": "info", "message": "request", "request": reply.headers["request-id"], "method": "POST",
            "route": "/v1/documents", "status": 201, "key": "operator", "key_id": 0, "tenant": "default",
            "source": "127.0.0.1",
            "event": event,
        }  # fmt: skip
    (failed,) = until(lambda: lines(gateway, "attempt failed"))
    assert (failed["event"], failed["subscription"]) == (event, subscription["id"])
    assert (failed["failure"], failed["status"], failed["then"]) == ("status", 500, "failed")


def test_refused_requests_are_logged_by_their_route_without_what_was_sent(gateways: Gateways) -> None:
    gateway = gateways(log_format="json")
    replies = [
        gateway.api.request("GET", "/v1/documents/what-was-sent?what-was-sent=1"),
        gateway.api.request("GET", "/what-was-sent"),
        gateway.api.request("POST", "/v1/documents", {"what-was-sent": 1}),
        gateway.api.request("GET", "/v1/events", authorization="Bearer what-was-sent"),
    ]
    told = of_requests(gateway, *replies)
    assert [(line["route"], line["status"], line["key"]) for line in told] == [
        ("/v1/documents/{externalId}", 422, "operator"),
        ("none", 404, None),
        ("/v1/documents", 422, "operator"),
        ("/v1/events", 401, None),
    ]
    assert "what-was-sent" not in gateway.stderr.read_text()


def test_whoever_watches_the_process_leaves_a_line_at_the_level_debug_alone(gateways: Gateways) -> None:
    for level, wanted in (("info", []), ("debug", ["/health/live", "/health/ready", "/metrics"])):
        gateway = gateways(log_format="json", log_level=level)
        for path in ("/health/live", "/health/ready", "/metrics"):
            assert gateway.api.request("GET", path).status == 200
        of_requests(gateway, gateway.api.request("GET", "/v1/events"))
        assert [line["route"] for line in lines(gateway, "request")] == [*wanted, "/v1/events"]


def test_as_text_a_line_says_the_same(gateways: Gateways) -> None:
    gateway = gateways(log_format="text")
    made = gateway.api.request("POST", "/v1/documents", DOCUMENT)
    identity = made.headers["request-id"]
    (line,) = until(lambda: [line for line in gateway.stderr.read_text().splitlines() if identity in line])
    assert f"event={made.headers['signalpost-event']}" in line
    assert re.search(r"\[info +\] request ", line)


@pytest.mark.parametrize(("public_url", "warnings"), [(None, 1), ("https://signalpost.example.com", 0)])
def test_a_start_without_a_public_url_says_where_links_lead(
    gateways: Gateways, public_url: str | None, warnings: int
) -> None:
    """Behind a proxy on the same machine they lead nowhere, whatever the host is."""
    gateway = gateways(log_format="json", **({"public_url": public_url} if public_url else {}))
    gateway.api.request("GET", "/health/ready")
    said = lines(gateway, "set PUBLIC_URL if clients reach this gateway at another address than its links")
    assert [line["links"].startswith("http://127.0.0.1:") for line in said] == [True] * warnings
