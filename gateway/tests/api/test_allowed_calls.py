"""Which calls subscriptions may make through a connection of the kind `http`, whose credentials are an operator's.

A subscriber may not change the connection. So what it allows is what they may ask of the service.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.api.two_tenants import make_key

if TYPE_CHECKING:
    from gateway.tests.api.conftest import Answer, World

BEARER = {"with": "bearer", "token": "t0ken-of-the-company"}
CONTRACT = "/contracts/{{ document.externalId }}"
ALLOWED = ["POST /events", f"PATCH {CONTRACT}"]


def connect(world: "World", *calls: str) -> str:
    """A new connection that allows these calls, and its id."""
    config = {"origin": "https://api.example.com", "signIn": BEARER, "calls": list(calls)}
    made = world.send("POST", "/v1/connections", {"kind": "http", "config": config}).ok(201)
    assert made["config"]["calls"] == list(calls)
    return str(made["id"])


def subscription(connection: str, method: str = "POST", path: str = "/events", **more: Any) -> dict[str, Any]:
    config = {"method": method, "path": path, **more}
    return {"kind": "http", "connection": connection, "eventTypes": ["documentCreated"], "config": config}


@pytest.fixture
def subscriber(world: "World") -> Mapping[str, str]:
    return make_key(world, "subscriber", "default")


def create(world: "World", body: dict[str, Any], headers: Mapping[str, str] | None = None) -> "Answer":
    return world.send("POST", "/v1/subscriptions", body, headers)


def patch(world: "World", made: dict[str, Any], body: dict[str, Any], headers: Mapping[str, str]) -> "Answer":
    return world.send("PATCH", f"/v1/subscriptions/{made['id']}", body, headers)


def test_through_a_connection_that_lists_no_calls_only_operators_say_what_is_sent(
    world: "World", subscriber: Mapping[str, str]
) -> None:
    connection = connect(world)
    body = subscription(connection, "DELETE", "/users/1")
    assert create(world, body, subscriber).refused(422, "/config")["errors"][0]["code"] == "calls_not_listed"
    world.send("POST", "/v1/subscriptions/check", body, subscriber).refused(422, "/config")
    made = create(world, body).ok(201)
    changed = {"config": {**made["config"], "path": "/users/2"}}
    assert patch(world, made, changed, subscriber).refused(422, "/config")["errors"][0]["code"] == "calls_not_listed"
    same = {"name": "Theirs", "config": made["config"]}
    assert patch(world, made, same, subscriber).ok()["name"] == "Theirs", "what stays as it is was an operator's choice"


@pytest.mark.parametrize("role", ["subscriber", "operator"])
def test_what_a_connection_lists_is_all_that_anybody_may_have_it_do(world: "World", role: str) -> None:
    headers = make_key(world, role, "default")
    connection = connect(world, *ALLOWED)
    made = create(world, subscription(connection), headers).ok(201)
    create(world, subscription(connection, "PATCH", CONTRACT, json={"open": True}), headers).ok(201)
    for method, path in (
        ("DELETE", "/events"),
        ("POST", "/events/"),
        ("POST", "/events?admin=1"),
        ("POST", "/{{ document.title }}"),
        ("PATCH", "/contracts/1"),
    ):
        refused = create(world, subscription(connection, method, path), headers)
        assert refused.refused(422, "/config/path")["errors"][0]["code"] == "call_not_allowed"
        assert "POST /events" in refused.body.decode(), "it says what is allowed"
        changed = {"config": {**made["config"], "method": method, "path": path}}
        patch(world, made, changed, headers).refused(422, "/config/path")


def test_a_subscription_that_moves_to_another_connection_makes_only_calls_that_it_allows(
    world: "World", subscriber: Mapping[str, str]
) -> None:
    made = create(world, subscription(connect(world, "POST /events", "DELETE /users/1")), subscriber).ok(201)
    harmful = create(world, subscription(str(made["connection"]), "DELETE", "/users/1"), subscriber).ok(201)
    for other in (connect(world), connect(world, "POST /events")):
        patch(world, harmful, {"connection": other}, subscriber).refused(422, "/connection")
        assert world.get(f"/v1/subscriptions/{harmful['id']}").ok()["connection"] == harmful["connection"]
    patch(world, made, {"connection": connect(world, "POST /events")}, subscriber).ok()
    patch(world, harmful, {"connection": connect(world)}, {}).ok()


@pytest.mark.parametrize(
    "name", ["X-HTTP-Method-Override", "x-http-method", "x-method-override", "X-Original-URL", "x-rewrite-url"]
)
def test_no_header_makes_another_call_of_one_that_is_allowed(
    world: "World", subscriber: Mapping[str, str], name: str
) -> None:
    body = subscription(connect(world, *ALLOWED), headers={name: "DELETE"})
    assert (
        create(world, body, subscriber).refused(422, f"/config/headers/{name}")["errors"][0]["code"]
        == "reserved_header"
    )


@pytest.mark.parametrize(
    "call",
    [
        "/events",
        "GET /events",
        "POST events",
        "POST //evil",
        "POST /a/../b",
        "POST /a/%2e%2E/b",
        "POST /{{ document.nothing }}",
        "post /events",
    ],
)
def test_a_connection_lists_calls_that_can_be_made(world: "World", call: str) -> None:
    config = {"origin": "https://api.example.com", "signIn": BEARER, "calls": ["POST /events", call]}
    world.send("POST", "/v1/connections", {"kind": "http", "config": config}).refused(422, "/config/calls/1")
