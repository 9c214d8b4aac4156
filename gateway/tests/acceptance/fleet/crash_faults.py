"""The server crashes and recovers under load. `make fleet-faults` runs this."""

import time

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.fleet.conftest import Database, Fleets
from gateway.tests.acceptance.fleet.nodes import is_ready

pytestmark = pytest.mark.slow
SUBSCRIPTIONS = 10


def test_a_server_that_crashes_and_recovers_loses_nothing(database: Database, fleets: Fleets) -> None:
    fleet = fleets(database.url(database.new()), nodes=2)
    fleet.subscribe(SUBSCRIPTIONS)
    fleet.until_spread(2)
    fleet.write(4)
    fleet.until_delivered_more(10)
    with fleet.losing():  # a lane whose record has an unknown outcome is loaded again, with what it has in flight
        database.crash()
        until(lambda: not any(map(is_ready, fleet.nodes)))
        database.start()
        until(lambda: all(map(is_ready, fleet.nodes)))
    are_ready = time.monotonic()
    fleet.until_delivered_more(10)
    print(fleet.check())
    assert fleet.failures, "nobody noticed: this proves nothing"
    assert all(failure.asked < are_ready for failure in fleet.failures), "a node was ready and did not do its work"
    assert {failure.code for failure in fleet.failures} <= {"unavailable", "outcome_unknown"}
