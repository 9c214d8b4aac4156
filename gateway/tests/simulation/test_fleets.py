"""A sample of the fleets; `make simulate-fleets` runs as many as one likes."""

from pathlib import Path
from typing import Any

import pytest
from gateway.tests.simulation.fleet_plan import FleetPlan, with_trouble
from gateway.tests.simulation.fleet_world import FleetWorld, simulate
from gateway.tests.simulation.planting import Fault
from gateway.tests.simulation.seeded_world import Violation
from gateway.tests.world.store import Operation

from signalpost.store.nouns.fleet import TenantMark
from signalpost.store.sqlite.nouns.fleet import SqliteFleet

QUIET = FleetPlan(
    tenants=1, nodes=1, subscriptions=1, documents=1, faults=0, pauses=(1.0,), reply_after=(0.01,), failing=0.0
)
SEEDS = (14, 34, 37, 48, 49, 51)
"""Worlds where everything happens to nodes, or one or two things again and again."""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fleet_keeps_every_promise(seed: int, folder: Path) -> None:
    simulate(seed, folder)


@pytest.mark.parametrize("seed", [1, 3, 4])
def test_a_fleet_goes_on_from_what_its_database_has_kept(seed: int, folder: Path) -> None:
    world = simulate(seed, folder, with_trouble(seed, "fail_over"))
    assert world.database.history > 1


def test_a_node_notices_that_the_database_went_back_while_it_loaded_what_was_there(folder: Path) -> None:
    """Behind a pooler no connection tells the node."""
    simulate(900323, folder, with_trouble(900323, "fail_over"))


def test_a_test_that_any_node_delivers_closes_the_breaker_c16(folder: Path) -> None:
    plan = QUIET._replace(nodes=2, documents=20, pauses=(0.5,), testing=0.3, broken=80.0, lasts=100.0)
    by_another_node = 0
    for seed in (2, 3, 5):
        (of_seed := folder / str(seed)).mkdir()
        by_another_node += simulate(seed, of_seed, plan).counts["of them, by another node"]
    assert by_another_node


def test_a_lane_is_taken_up_again_whose_attempts_end_after_its_node_has_begun_anew(folder: Path) -> None:
    plan = QUIET._replace(documents=20, pauses=(0.2,), reply_after=(4.0,), faults=1, troubles=("forget",))
    simulate(2, folder, plan)


def test_a_node_that_begins_anew_claims_its_lanes_once(folder: Path) -> None:
    """What it delivers next is recorded, and not sent again."""
    simulate(2, folder, QUIET._replace(pauses=(20.0,), faults=3, troubles=("forget",)))


def test_a_node_asks_no_more_for_a_change_that_the_database_has_lost(folder: Path) -> None:
    """The node was told of a version of the configuration that is not there."""
    world = FleetWorld(1, folder, QUIET)
    node = world.start_node()
    world.drive(3.0)
    node.loop.call_soon(node.store.fleet.on_marks, {1: TenantMark(0, 99, 0)})
    world.drive(1.0)
    asked = node.wire.asked[Operation.FOLLOW]
    world.drive(3.0)
    assert node.wire.asked[Operation.FOLLOW] == asked > 0
    world.close()


def test_a_node_that_cannot_know_which_keys_were_revoked_says_so(folder: Path) -> None:
    world = FleetWorld(1, folder, QUIET)
    node = world.start_node()
    world.drive(3.0)
    assert not node.engine.trouble
    node.wire.is_cut = True
    world.drive(2.0)
    assert not node.engine.lookout.is_recent
    assert "refuses all" in str(node.engine.trouble)
    node.wire.is_cut = False
    world.drive(3.0)
    assert node.engine.trouble is None
    world.close()


def test_a_traceback_that_a_node_logs_is_a_violation(folder: Path) -> None:
    """The node goes on all the same, and nothing else would be seen of it."""

    def break_down(_right: Any) -> Any:
        async def marks(self: SqliteFleet) -> dict[int, TenantMark]:
            raise RuntimeError("odd")

        return marks

    fault = Fault("breaks down", SqliteFleet, "marks", break_down, simulate)
    with fault.planted(), pytest.raises(Violation, match=r"defects: .*RuntimeError: odd"):
        simulate(SEEDS[0], folder)
