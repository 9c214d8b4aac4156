"""Limits of tenants through the API: set, shown with what is used, and held by calls that come together too."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.api.test_versions import PDF, upload
from gateway.tests.api.two_tenants import in_tenant, make_key, make_tenant
from gateway.tests.http_server import QuietHandler, serving

from signalpost.domain.access.tenant_limits import TenantLimits
from signalpost.runtime.clock import SystemClock
from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

NONE = dict.fromkeys(("requestsPerSecond", "changesPerSecond", "inFlight", "documents", "subscriptions", "fileBytes"))


def limit(world: "World", tenant: str, **limits: int | None) -> dict[str, Any]:
    shown: dict[str, Any] = world.send("PATCH", f"/v1/tenants/{tenant}", {"limits": limits}).ok()
    return shown


def test_limits_are_set_one_by_one_and_shown_with_what_is_used(world: "World") -> None:
    made = make_tenant(world, "shown")
    assert made["limits"] == NONE
    assert limit(world, "shown", documents=5, inFlight=2)["limits"] == {**NONE, "documents": 5, "inFlight": 2}
    assert limit(world, "shown", documents=None, fileBytes=10**9)["limits"] == {
        **NONE, "inFlight": 2, "fileBytes": 10**9,
    }  # fmt: skip
    [told] = [
        each for each in world.get("/v1/audit").ok()["data"] if each["object"] == {"kind": "tenant", "id": "shown"}
    ][-1:]
    assert (told["action"], told["actor"]["name"]) == ("tenant.change", "operator")
    assert "limits" in told["changes"]
    app, subscriber = make_key(world, "app", "shown"), make_key(world, "subscriber", "shown")
    path = f"/v1/documents/{world.send('POST', '/v1/documents', dict(world.document), app).ok(201)['externalId']}"
    upload(world, path, PDF, **app).ok(201)
    world.send("POST", "/v1/subscriptions", dict(world.subscription), subscriber).ok(201)
    found = world.get("/v1/tenants/shown").ok()
    assert found["use"] == {"documents": 1, "subscriptions": 1, "fileBytes": len(PDF), "inFlight": 0}
    assert found["effectiveLimits"] == found["limits"]
    wrong = {"limits": {"documents": -1, "x": 1}}
    world.refuses("PATCH", "/v1/tenants/shown", wrong, at=("/limits/documents", "/limits/x"))


def test_beyond_what_a_tenant_may_have_the_next_is_answered_403_until_one_is_deleted(world: "World") -> None:
    make_tenant(world, "full")
    limit(world, "full", documents=1, subscriptions=1, fileBytes=len(PDF))
    here = in_tenant("full")
    path = f"/v1/documents/{world.send('POST', '/v1/documents', dict(world.document), here).ok(201)['externalId']}"
    world.send("POST", "/v1/subscriptions", dict(world.subscription), here).ok(201)
    upload(world, path, PDF, **here).ok(201)
    files = set((world.settings.data_dir / "files").iterdir())
    for place, body, code in (
        ("/v1/documents", dict(world.document), "document_limit"),
        ("/v1/subscriptions", dict(world.subscription), "subscription_limit"),
    ):
        world.refuses("POST", place, body, status=403, code=code, headers=here)
    upload(world, path, PDF, **here).refused(403, code="file_limit")
    assert set((world.settings.data_dir / "files").iterdir()) == files, "a file that is refused is not kept"
    line = {**world.document, "externalId": "d24c0644-1d31-47fa-960e-b0cc8b4f136c", "status": "approved",
            "createdAt": "2026-01-15T09:30:00Z", "sourceApp": "archive"}  # fmt: skip
    headers = {"content-type": "application/x-ndjson", **here}
    [answer] = world.send("POST", "/v1/documents/import", json.dumps(line).encode(), headers).body.splitlines()
    assert json.loads(answer)["problem"]["code"] == "document_limit"
    assert world.send("DELETE", path, None, here).status == 204
    path = f"/v1/documents/{world.send('POST', '/v1/documents', dict(world.document), here).ok(201)['externalId']}"
    upload(world, path, PDF, **here).ok(201)


class SlowEndpoint(QuietHandler):
    """An endpoint that answers once it may."""

    protocol_version = "HTTP/1.1"
    may_answer: threading.Event

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.may_answer.wait()
        self.send_response(204)
        self.send_header("connection", "close")
        self.end_headers()


def test_a_tenant_says_how_much_it_has_in_flight(make_world: Callable[..., "World"]) -> None:
    may_answer = threading.Event()
    with serving(type("Slow", (SlowEndpoint,), {"may_answer": may_answer})) as origin:
        world = make_world(allow_targets=parse_allow_targets(origin))
        try:
            for _ in range(2):
                world.create_subscription(status="active", eventTypes=["documentCreated"], url=f"{origin}/held")
            world.create_document()
            world.wait_until(lambda: world.get("/v1/tenants/default").ok()["use"]["inFlight"] == 2)
        finally:
            may_answer.set()
        world.wait_until(lambda: world.get("/v1/tenants/default").ok()["use"]["inFlight"] == 0)


def test_calls_that_come_together_do_not_get_past_a_limit_together(world: "World") -> None:
    make_tenant(world, "crowd")
    limit(world, "crowd", documents=7)

    def create(_: int) -> int:
        with closing(world.another()) as client:
            return int(client.send("POST", "/v1/documents", dict(world.document), in_tenant("crowd")).status)

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(create, range(24)))
    assert (statuses.count(201), statuses.count(403)) == (7, 17)
    assert world.get("/v1/tenants/crowd").ok()["use"]["documents"] == 7


class _StoppedClock(SystemClock):
    """A clock whose steady time moves only when it is told to."""

    def __init__(self) -> None:
        self.steadily = 10**9

    def steady(self) -> int:
        return self.steadily


def test_requests_beyond_the_rate_are_told_when_to_come_again_and_operators_calls_are_not_counted(
    make_world: Callable[..., "World"],
) -> None:
    clock = _StoppedClock()
    world = make_world(clock=clock)
    make_tenant(world, "fast")
    limit(world, "fast", requestsPerSecond=3)
    app = make_key(world, "app", "fast")
    assert [world.get("/v1/documents", **app).status for _ in range(4)] == [200, 200, 200, 429]
    refused = world.send("GET", "/v1/documents", None, app)
    refused.refused(429, code="request_rate")
    assert refused.headers["retry-after"] == "1"
    assert world.get("/v1/documents").status == 200, "another tenant"
    assert world.get("/v1/keys", **in_tenant("fast")).status == 200
    limit(world, "fast", requestsPerSecond=4)
    assert [world.get("/v1/documents", **app).status for _ in range(2)] == [200, 429]
    clock.steadily += 10**6
    assert world.get("/v1/documents", **app).status == 200
    limit(world, "fast", requestsPerSecond=None, changesPerSecond=1)
    assert [world.send("POST", "/v1/documents", dict(world.document), app).status for _ in range(2)] == [201, 429]
    assert world.get("/v1/documents", **app).status == 200


def test_a_tenant_at_its_rate_locks_no_operator_out_and_each_operator_has_a_rate_of_their_own(
    make_world: Callable[..., "World"],
) -> None:
    world = make_world(clock=_StoppedClock())
    make_tenant(world, "busy")
    limit(world, "busy", requestsPerSecond=30)
    app = make_key(world, "app", "busy")
    assert [world.get("/v1/documents", **app).status for _ in range(31)] == [200] * 30 + [429]
    assert [world.get("/v1/documents", **in_tenant("busy")).status for _ in range(31)] == [200] * 30 + [429]
    another = make_key(world, "operator", "busy")
    assert world.get("/v1/documents", **another, **in_tenant("busy")).status == 200
    limit(world, "busy", requestsPerSecond=1)
    last = make_key(world, "operator", "busy")
    statuses = [world.get("/v1/documents", **last, **in_tenant("busy")).status for _ in range(21)]
    assert statuses == [200] * 20 + [429], "as many as a page of the console needs"


def test_the_settings_limit_every_tenant_that_has_no_limit_of_its_own(make_world: Callable[..., "World"]) -> None:
    world = make_world(tenant_limits=TenantLimits(documents=1, subscriptions=0))
    world.create_document()
    world.send("POST", "/v1/documents", dict(world.document)).refused(403, code="document_limit")
    limit(world, "default", documents=2)
    world.create_document()
    world.send("POST", "/v1/documents", dict(world.document)).refused(403, code="document_limit")
    world.send("POST", "/v1/subscriptions", dict(world.subscription)).refused(403, code="subscription_limit")
    found = world.get("/v1/tenants/default").ok()
    assert found["limits"] == {**NONE, "documents": 2}
    assert found["effectiveLimits"] == {**NONE, "documents": 2, "subscriptions": 0}


@pytest.mark.parametrize("status", ["paused", "active"])
def test_a_tenant_keeps_its_limits_when_its_status_changes(world: "World", status: str) -> None:
    limit(world, make_tenant(world, f"kept-{status}")["name"], documents=3)
    shown = world.send("PATCH", f"/v1/tenants/kept-{status}", {"status": status}).ok()
    assert (shown["status"], shown["limits"]["documents"]) == (status, 3)
