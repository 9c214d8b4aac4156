"""The worlds of joints bite: some of the faults of `planted.py`, those that they find soonest."""

from pathlib import Path

import pytest
from gateway.tests.joints.planted import FAULTS
from gateway.tests.simulation.planting import Fault

pytestmark = pytest.mark.slow
SOON = (
    "takes every retry by hand",
    "forgets what was before in conditions about changes",
    "waits for no delay",
    "takes whatever came last",
    "says in the log what it sends",
)
FIRST = 6_000


@pytest.mark.parametrize("planted", [each for each in FAULTS.all if each.name in SOON], ids=lambda each: each.name)
def test_a_fault_planted_where_parts_meet_is_found(planted: Fault, tmp_path: Path) -> None:
    assert FAULTS.find(planted, tmp_path, FIRST).seeds > 0


def test_each_fault_where_parts_meet_has_a_name_of_its_own() -> None:
    names = [each.name for each in FAULTS.all]
    assert len(set(names)) == len(names) >= 34
    assert set(SOON) <= set(names)


@pytest.mark.parametrize("planted", FAULTS.all, ids=lambda each: each.name)
def test_each_fault_where_parts_meet_has_a_place(planted: Fault) -> None:
    """What it replaces may have got another name meanwhile."""
    with planted.planted():
        pass
