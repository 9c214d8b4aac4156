"""A sample of the fleets; `make simulate-fleets` runs as many as one likes."""

from pathlib import Path

import pytest
from gateway.tests.simulation.fleet_plan import FleetPlan
from gateway.tests.simulation.fleet_world import FleetWorld, simulate

from signalpost.domain.errors import Unavailable

QUIET = FleetPlan(
    tenants=1, nodes=1, subscriptions=1, documents=1, faults=0, pauses=(1.0,), reply_after=(0.01,), failing=0.0
)
SEEDS = (14, 34, 37, 48, 49, 51)
"""Worlds where everything happens to nodes, or one or two things again and again."""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fleet_keeps_every_promise(seed: int, folder: Path) -> None:
    simulate(seed, folder)


def test_a_lane_is_taken_up_again_whose_attempts_end_after_its_node_has_begun_anew(folder: Path) -> None:
    plan = QUIET._replace(documents=20, pauses=(0.2,), reply_after=(4.0,), faults=1, troubles=("forget",))
    simulate(2, folder, plan)


def test_a_node_that_begins_anew_claims_its_lanes_once(folder: Path) -> None:
    """What it delivers next is recorded, and not sent again."""
    simulate(2, folder, QUIET._replace(pauses=(20.0,), faults=3, troubles=("forget",)))


def test_a_node_that_cannot_know_which_keys_were_revoked_knows_none(folder: Path) -> None:
    world = FleetWorld(1, folder, QUIET)
    node = world.start_node()
    world.drive(3.0)
    assert node.engine.key(b"") is None
    node.wire.is_cut = True
    world.drive(7.0)
    with pytest.raises(Unavailable):
        node.engine.key(b"")
    node.wire.is_cut = False
    world.drive(3.0)
    assert node.engine.key(b"") is None
    assert node.engine.trouble is None
    world.close()
