"""Notices of a node that is lost, from real nodes to a real receiver. `make fleet-faults` runs this.

Within an hour nothing is said to be over. The test has that hour go by in the database: it makes the row of the
condition older, once no node is left that knows when the loss was.
"""

from typing import Any

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.conftest import Endpoints
from gateway.tests.acceptance.fleet.conftest import Database, Fleets
from gateway.tests.acceptance.fleet.nodes import Fleet
from gateway.tests.acceptance.receiver import ReceivedRequest

pytestmark = pytest.mark.slow
OPERATIONS = "operations"
MINUTES = 60_000_000
"""In µs, as moments are in the database."""


def age(fleet: Fleet, column: str, minutes: int) -> None:
    """Have the loss be so much longer ago."""
    fleet.rows(f"UPDATE condition SET {column} = {column} - {minutes * MINUTES} WHERE kind = 'nodeLost' RETURNING id")


def notice(request: ReceivedRequest) -> Any:
    return request.event["data"]["notice"]


def test_a_node_that_is_killed_is_told_of_and_once_none_was_for_an_hour_that_is_over(
    database: Database, fleets: Fleets, endpoint: Endpoints
) -> None:
    fleet, told = fleets(database.url(database.new()), nodes=2), endpoint()
    lost, stays = fleet.nodes
    wanted = {"url": told.url, "eventTypes": ["notice"]}
    made = stays.api.ask("POST", "/v1/subscriptions", wanted, expect=201, signalpost_tenant=OPERATIONS)

    lost.kill()
    [opened] = told.until(1)
    assert (notice(opened)["kind"], notice(opened)["what"], notice(opened)["action"]) == (
        "nodeLost",
        "opened",
        "trigger",
    )
    assert notice(opened)["sentence"].endswith("It had run for less than an hour.")
    [listed] = stays.api.ask("GET", "/v1/notices", signalpost_tenant=OPERATIONS)["data"]
    assert listed["kind"] == "nodeLost"

    lost.start()
    fleet.until_spread(2)
    assert stays.stop() == 0
    age(fleet, "since", 10)
    until(lambda: fleet.rows("SELECT absent_since FROM condition") != [(None,)])
    age(fleet, "absent_since", 50)
    _, closed = told.until(2)
    assert (notice(closed)["kind"], notice(closed)["what"], notice(closed)["action"]) == (
        "nodeLost",
        "closed",
        "resolve",
    )
    assert notice(closed)["subjects"] == notice(opened)["subjects"]

    path = f"/v1/subscriptions/{made['id']}/deliveries/{closed.id}"
    until(lambda: lost.api.ask("GET", path, signalpost_tenant=OPERATIONS)["status"] == "delivered")
    assert lost.api.ask("GET", "/v1/notices", signalpost_tenant=OPERATIONS)["data"] == []
    assert len(told.requests) == 2
