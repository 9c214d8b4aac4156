"""Nodes that end, slow down and come back, under load. `make fleet-faults` runs this."""

import threading
import time

import pytest
from gateway.tests.acceptance.fleet.conftest import Database, Fleets
from gateway.tests.acceptance.fleet.nodes import Fleet, is_ready

pytestmark = pytest.mark.slow
SUBSCRIPTIONS = 10
"""Enough that each of three nodes owns some."""


@pytest.fixture
def fleet(database: Database, fleets: Fleets) -> Fleet:
    """Three nodes under load, each of which owns lanes."""
    made = fleets(database.url(database.new()), nodes=3)
    made.subscribe(SUBSCRIPTIONS)
    made.until_spread(3)
    made.write(5)
    made.until_delivered_more(10)
    return made


def test_nodes_that_are_killed_lose_nothing_and_repeat_only_what_was_in_flight(fleet: Fleet) -> None:
    """C16, C17"""
    for left in (2, 1):
        fleet.kill(fleet.rotation.nodes[0])
        fleet.until_spread(left)
        fleet.until_delivered_more(10)
    fleet.add()
    fleet.until_spread(2)
    fleet.until_delivered_more(10)
    print(fleet.check())
    assert fleet.failures == [], "whoever is left takes every change in"


def test_a_node_that_is_slow_keeps_its_lanes_and_repeats_nothing(fleet: Fleet) -> None:
    """A node that runs for a sixth of the time still beats in time."""
    slow, ends = fleet.nodes[0], threading.Event()

    def slow_down() -> None:
        while not ends.wait(0.1):
            slow.freeze()
            time.sleep(0.5)
            slow.thaw()

    before = fleet.node_ids()
    slowing = threading.Thread(target=slow_down)
    slowing.start()
    try:
        fleet.until_delivered_more(60)
        assert is_ready(slow)
    finally:
        ends.set()
        slowing.join()
    print(fleet.check())
    assert fleet.node_ids() == before
    assert fleet.failures == []


def test_nodes_that_are_stopped_and_started_one_by_one_repeat_nothing(fleet: Fleet) -> None:
    """C16: attempts that a shutdown cuts short do not count, and a lane that is handed over has none."""
    for node in list(fleet.nodes):
        fleet.stop(node)
        fleet.until_spread(2)
        fleet.until_delivered_more(5)
        node.start()
        fleet.rotation.nodes.append(node)
        fleet.until_spread(3)
        fleet.until_delivered_more(5)
    print(fleet.check())
    assert fleet.failures == []


def test_whoever_is_stopped_last_leaves_what_the_next_one_goes_on_with(fleet: Fleet) -> None:
    last = fleet.nodes[-1]
    for node in fleet.nodes[:-1]:
        fleet.stop(node)
    last.restart()  # callers wait for it
    fleet.until_spread(1)
    fleet.until_delivered_more(10)
    print(fleet.check())
    assert fleet.failures == []
