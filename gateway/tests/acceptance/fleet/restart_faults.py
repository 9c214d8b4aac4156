"""A node that is killed and started anew, under load. `make fleet-faults` runs this."""

import os
import statistics
import time

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.fleet.conftest import Database, Fleets
from gateway.tests.acceptance.fleet.nodes import Fleet

pytestmark = pytest.mark.slow
SUBSCRIPTIONS = 10
RESTARTS = int(os.environ.get("RESTARTS", "5"))


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_node_that_is_killed_and_started_anew_goes_on_with_its_lanes(
    nodes: int, database: Database, fleets: Fleets
) -> None:
    """C16, C17. It prints how long every endpoint waited from the kill on."""
    fleet = fleets(database.url(database.new()), nodes=nodes)
    fleet.subscribe(SUBSCRIPTIONS)
    fleet.until_spread(nodes)
    fleet.write(3)
    fleet.until_delivered_more(3)
    fleet.calm_down()
    waits = []
    for _ in range(RESTARTS):
        waits.append(_restart(fleet))
        fleet.until_spread(nodes)
        fleet.until_delivered_more(3)
    print(fleet.check())
    print(f"{nodes} nodes: median {statistics.median(waits)} s, longest {max(waits)} s of {len(waits)}: {waits}")


def _restart(fleet: Fleet) -> float:
    """Kill a node and start it anew; how many seconds passed until every lane had an owner that was there."""
    [victim, *_] = fleet.rotation.nodes
    before, killed_at = fleet.node_ids(), time.monotonic()
    with fleet.losing():
        victim.kill()  # callers wait for it
        victim.start()
    until(lambda: before - fleet.node_ids() and not _without_owner(fleet))
    return round(time.monotonic() - killed_at, 1)


def _without_owner(fleet: Fleet) -> bool:
    return bool(fleet.rows("SELECT FROM lane WHERE owner IS NULL OR owner NOT IN (SELECT id FROM node)"))
