"""What one node answered 2xx holds at every node: whatever was made or changed is found there at once, whatever was
taken away opens nothing from 100 ms on.

Each test asks one node after the other, without a pause, many times. A node whose last look is older than 100 ms looks
first, so none of this depends on how fast the machine is.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from typing import Any

import pytest
from gateway.tests.acceptance.client import DOCUMENT, Client, Reply, until
from gateway.tests.acceptance.conftest import Endpoints
from gateway.tests.acceptance.fleet.conftest import Database, Fleets
from gateway.tests.acceptance.gateway_process import GatewayProcess

pytestmark = pytest.mark.slow
ROUNDS = 15
OPENS_FOR = 0.1
"""Seconds for which what was taken away may open something elsewhere."""
CONNECTION = {
    "kind": "slack",
    "name": "The bot",
    "config": {"signIn": {"with": "bot", "token": "xoxb-1", "channel": "#legal"}},
}
names = count(1)


class Pair:
    """Two nodes: one is asked to change something, and the other what there is."""

    def __init__(self, one: Client, other: Client) -> None:
        self.one = one
        self.other = other

    def make_key(self, **said: object) -> Any:
        return self.one.ask("POST", "/v1/keys", {"name": "a key", "role": "app", **said}, expect=201)

    def make_tenant(self) -> str:
        name = f"tenant-{next(names)}"
        self.one.ask("POST", "/v1/tenants", {"name": name}, expect=201)
        return name


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with Database() as made:
        yield made


@pytest.fixture
def pair(database: Database, fleets: Fleets) -> Iterator[Pair]:
    one, other = (node.client(keep=True) for node in fleets(database.url(database.new()), nodes=2).nodes)
    with closing(one), closing(other):
        yield Pair(one, other)


def ids_of(client: Client, path: str) -> set[str]:
    return {each["id"] for each in client.ask("GET", f"{path}?limit=250")["data"]}


def closed_in_time(ask: Callable[[], Reply], is_open: Callable[[Reply], bool]) -> Reply:
    """The first answer of something that was taken away just now. What is asked for later than it may open is not
    open."""
    taken = time.monotonic()
    while True:
        asked = time.monotonic()
        reply = ask()
        if not is_open(reply):
            return reply
        assert asked - taken <= OPENS_FOR, f"open {asked - taken:.3f} s after it was taken away"


def test_a_tenant_is_found_and_has_documents_at_once(pair: Pair) -> None:
    for _ in range(ROUNDS):
        name = pair.make_tenant()
        pair.other.ask("GET", f"/v1/tenants/{name}")
        name = pair.make_tenant()
        assert pair.other.request("POST", "/v1/documents", DOCUMENT, signalpost_tenant=name).status == 201
        name = pair.make_tenant()
        assert name in {tenant["name"] for tenant in pair.other.ask("GET", "/v1/tenants?limit=250")["data"]}


def test_a_key_opens_at_once_what_it_may_and_nothing_from_a_tenth_of_a_second_after_it_was_revoked(pair: Pair) -> None:
    for number in range(ROUNDS):
        made = pair.make_key()
        own = f"Bearer {made['key']}"
        path, body = (("/v1/documents", None), ("/v1/documents", DOCUMENT))[number % 2]
        method = "GET" if body is None else "POST"
        assert pair.other.request(method, path, body, authorization=own).status in (200, 201)
        pair.one.ask("DELETE", f"/v1/keys/{made['id']}", expect=204)
        refused = closed_in_time(
            lambda: pair.other.request(method, path, body, authorization=own),  # noqa: B023
            lambda reply: reply.status < 300,
        )
        assert refused.status == 401


def test_a_paused_tenant_takes_nothing_from_a_tenth_of_a_second_on_and_a_resumed_one_everything(pair: Pair) -> None:
    name = pair.make_tenant()

    def create() -> Reply:
        return pair.other.request("POST", "/v1/documents", DOCUMENT, signalpost_tenant=name)

    for _ in range(ROUNDS):
        pair.one.ask("PATCH", f"/v1/tenants/{name}", {"status": "paused"})
        assert pair.other.ask("GET", f"/v1/tenants/{name}")["status"] == "paused"
        assert closed_in_time(create, lambda reply: reply.status == 201).json()["code"] == "tenant_paused"
        pair.one.ask("PATCH", f"/v1/tenants/{name}", {"status": "active"})
        assert create().status == 201


def test_a_subscription_is_found_changed_tested_and_gone_at_once(pair: Pair, endpoint: Endpoints) -> None:
    target = endpoint()
    for number in range(ROUNDS):
        path = f"/v1/subscriptions/{pair.one.subscribe(target.url)['id']}"
        assert pair.other.ask("GET", path)["health"] is not None
        pair.one.ask("PATCH", path, {"name": f"name {number}"})
        assert pair.other.ask("GET", path)["name"] == f"name {number}"
        path = f"/v1/subscriptions/{pair.one.subscribe(target.url)['id']}"
        assert pair.other.ask("PATCH", path, {"status": "paused"})["status"] == "paused"
        path = f"/v1/subscriptions/{pair.one.subscribe(target.url)['id']}"
        assert pair.other.ask("POST", f"{path}/test", {})["delivered"] is True
        pair.one.ask("DELETE", path, expect=204)
        assert pair.other.request("GET", path).status == 404


def test_a_repeat_with_the_same_idempotency_key_has_the_same_answer(pair: Pair, endpoint: Endpoints) -> None:
    body = {"url": endpoint().url, "eventTypes": ["documentCreated"]}
    for number in range(ROUNDS):
        first = pair.one.ask("POST", "/v1/subscriptions", body, expect=201, idempotency_key=f"key-{number}")
        again = pair.other.ask("POST", "/v1/subscriptions", body, expect=201, idempotency_key=f"key-{number}")
        assert again == first


def test_a_connection_is_found_changed_and_gone_at_once(pair: Pair) -> None:
    for number in range(ROUNDS):
        made = pair.one.ask("POST", "/v1/connections", CONNECTION, expect=201)
        path = f"/v1/connections/{made['id']}"
        pair.other.ask("GET", path)
        pair.one.ask("PATCH", path, {"name": f"name {number}"})
        assert pair.other.ask("GET", path)["name"] == f"name {number}"
        pair.one.ask("DELETE", path, expect=204)
        assert pair.other.request("GET", path).status == 404


def test_members_and_portal_links_are_found_and_gone_at_once(pair: Pair, endpoint: Endpoints) -> None:
    subscription = pair.one.subscribe(endpoint().url)
    for number in range(ROUNDS):
        member = pair.one.ask(
            "POST", "/v1/members", {"name": "M", "email": f"m{number}@example.com", "role": "viewer"}, expect=201
        )
        assert member["id"] in ids_of(pair.other, "/v1/members")
        pair.one.ask("DELETE", f"/v1/members/{member['id']}", expect=204)
        assert member["id"] not in ids_of(pair.other, "/v1/members")
        link = pair.one.ask(
            "POST", "/v1/portal-links", {"name": "L", "subscriptions": [subscription["id"]], "can": []}, expect=201
        )
        path = link["url"].removeprefix("https://gateway.example.com")
        assert pair.other.request("GET", path).status == 200
        assert link["id"] in ids_of(pair.other, "/v1/portal-links")
        pair.one.ask("DELETE", f"/v1/portal-links/{link['id']}", expect=204)
        assert pair.other.request("GET", path).status == 410


def test_a_node_that_does_not_reach_its_database_lets_nobody_in(database: Database, fleets: Fleets) -> None:
    fleet = fleets(database.url(database.new()), nodes=2)
    one, other = fleet.nodes
    key = Pair(one.api, other.api).make_key(role="viewer")["key"]
    assert other.api.request("GET", "/v1/documents", authorization=f"Bearer {key}").status == 200
    database.crash()
    try:
        gone = time.monotonic()
        until(lambda: time.monotonic() - gone > OPENS_FOR)
        for node in (one, other):
            assert _asked(node, key).status == 503
            until(lambda: node.api.request("GET", "/health/ready").status == 503)  # noqa: B023
            assert "which API keys were revoked" in node.api.request("GET", "/health/ready").body.decode()
    finally:
        database.start()
    until(lambda: all(_asked(node, key).status == 200 for node in (one, other)))


def _asked(node: GatewayProcess, key: str) -> Reply:
    return node.api.request("GET", "/v1/subscriptions", authorization=f"Bearer {key}")
