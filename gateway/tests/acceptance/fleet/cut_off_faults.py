"""Revoked keys and paused tenants, at nodes that hear of it and at one that the network cuts off from the database.

`make fleet-faults` runs this.
"""

import time
from typing import Any

import pytest
from gateway.tests.acceptance.client import Client, until
from gateway.tests.acceptance.conftest import Endpoints
from gateway.tests.acceptance.fleet.conftest import Database, Fleets
from gateway.tests.acceptance.fleet.cutting_proxy import CuttingProxy
from gateway.tests.acceptance.fleet.nodes import Fleet, is_ready
from gateway.tests.acceptance.gateway_process import GatewayProcess

pytestmark = pytest.mark.slow
REVOKED_WITHIN = 5.0
"""Seconds after which a revoked key is refused by every node, whether or not it reaches the database."""
LEASE = 6.0
"""Seconds after which a node that is cut off starts no more attempts."""
SLACK = 2.0
"""Seconds that a request may be on its way on a machine that has much else to do."""
BACKLOG = 40


@pytest.fixture
def fleet(database: Database, proxy: CuttingProxy, fleets: Fleets) -> Fleet:
    """Two nodes, the second of which reaches the database through the proxy alone."""
    name = database.new()
    made = fleets(database.url(name), nodes=1)
    made.add(database_url=database.url(name, proxy.port, sslmode="disable"))
    made.subscribe(10)
    made.until_spread(2)
    return made


def answers(node: GatewayProcess, key: str) -> int:
    """The status with which a node answers a key that asks for what is not in the database."""
    return node.api.request("GET", "/v1/destinations", authorization=f"Bearer {key}").status


def refused_after(node: GatewayProcess, key: str) -> tuple[float, int]:
    """How long a key that was revoked just now is still good at a node, in seconds, and how it is refused then."""
    revoked = time.monotonic()
    while True:
        asked = time.monotonic()
        status = answers(node, key)
        if status != 200:
            return asked - revoked, status
        assert asked - revoked <= REVOKED_WITHIN, "a revoked key is still good"
        time.sleep(0.02)


def test_a_revoked_key_is_refused_everywhere_in_time(fleet: Fleet, proxy: CuttingProxy) -> None:
    """N2: also by a node that cannot hear of it. It then says that it is not ready, and takes no change in."""
    well, far = fleet.nodes

    def make() -> Any:
        made = well.api.ask("POST", "/v1/keys", {"name": "one of many", "role": "subscriber"}, expect=201)
        until(lambda: all(answers(node, made["key"]) == 200 for node in fleet.nodes))
        return made

    first, second = make(), make()
    well.api.ask("DELETE", f"/v1/keys/{first['id']}", expect=204)
    print("refused by a node that hears of it after", refused_after(far, first["key"]))
    assert answers(far, first["key"]) == 401

    fleet.write(2, [far])
    fleet.until_delivered_more(5)
    with fleet.losing():
        proxy.is_silent = True
        well.api.ask("DELETE", f"/v1/keys/{second['id']}", expect=204)
        after, status = refused_after(far, second["key"])
        print("refused by one that is cut off after", after)
        assert status == 503
        assert not is_ready(far), "it refuses every key, and says that it is ready"
        fleet.until_spread(1)
    proxy.is_silent = False
    fleet.until_spread(2)
    until(lambda: is_ready(far))
    assert answers(far, second["key"]) == 401
    fleet.until_delivered_more(5)
    print(fleet.check())


def test_a_paused_tenant_is_sent_nothing_more_by_any_node(
    fleet: Fleet, proxy: CuttingProxy, endpoint: Endpoints
) -> None:
    """A node that is cut off sends on until its lease has ended, and the node that takes its lanes over sends
    nothing."""
    well = fleet.nodes[0]
    well.api.ask("POST", "/v1/tenants", {"name": "acme"}, expect=201)
    acme = Client(lambda: well.address, lambda: well.operator_key)
    ends = [endpoint() for _ in range(6)]
    for end in ends:
        body = {"url": end.url, "eventTypes": ["documentCreated"], "rateLimit": 2}
        acme.ask("POST", "/v1/subscriptions", body, expect=201, signalpost_tenant="acme")
    fleet.until_spread(2)
    for number in range(BACKLOG):
        acme.ask("POST", "/v1/documents", document(number), expect=201, signalpost_tenant="acme")
    until(lambda: all(end.requests for end in ends))
    proxy.is_silent = True
    cut_off = time.monotonic()
    well.api.ask("PATCH", "/v1/tenants/acme", {"status": "paused"})
    paused = time.monotonic()
    fleet.until_spread(1)
    time.sleep(SLACK)
    last = [max(request.arrived for request in end.requests) for end in ends]
    assert all(len(end.requests) < BACKLOG for end in ends), "nothing was left to be sent: this proves nothing"
    print("after the pause, requests came until", [round(each - paused, 2) for each in sorted(last)])
    assert max(last) - cut_off <= LEASE + SLACK
    proxy.is_silent = False
    fleet.until_spread(2)
    well.api.ask("PATCH", "/v1/tenants/acme", {"status": "active"})
    until(lambda: all(len({request.id for request in end.requests}) == BACKLOG for end in ends))


def document(number: int) -> dict[str, str]:
    return {"type": "NDA", "title": f"{number}", "ownerEmail": "a@example.com", "authorEmail": "a@example.com"}
