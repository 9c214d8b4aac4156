"""A sample of the seeds of which a rehearsal is compared with what then happens (`make simulate-rehearsals` for more),
and of the faults that they find."""

from pathlib import Path

import pytest
from gateway.tests.examples import cases
from gateway.tests.joints.foretold.comparison import simulate
from gateway.tests.joints.foretold.planted import FAULTS
from gateway.tests.simulation.planting import Fault

pytestmark = pytest.mark.slow

SEEDS = (1, 3, 6, 11, 12)
"""Webhooks and both connectors, a change of each member, types that change meanwhile, restarts, and two nodes (12)."""
SOON = {
    "judges every event by the types that count now": 11,
    "says of a change what is so without it": 3,
    "reads for one condition alone": 4,
}
"""Faults that are found soon, and the seed with which each is looked for first: the one that found it."""
MOST = 20


@pytest.mark.parametrize("seed", cases(SEEDS, (6, 11, 12)))
def test_what_a_rehearsal_says_is_what_happens_if_the_change_is_made(seed: int, tmp_path: Path) -> None:
    """C14, C16, C18. The events that are sent are those that were foretold, each of them and no other."""
    simulate(seed, tmp_path)


@pytest.mark.parametrize("planted", [each for each in FAULTS.all if each.name in SOON], ids=lambda each: each.name)
def test_a_fault_planted_into_rehearsals_is_found(planted: Fault, tmp_path: Path) -> None:
    assert FAULTS.find(planted, tmp_path, SOON[planted.name], MOST).seeds > 0


def test_each_fault_of_rehearsals_has_a_name_of_its_own() -> None:
    names = [each.name for each in FAULTS.all]
    assert len(set(names)) == len(names) >= 12
    assert set(SOON) <= set(names)


@pytest.mark.parametrize("planted", FAULTS.all, ids=lambda each: each.name)
def test_each_fault_of_rehearsals_has_a_place(planted: Fault) -> None:
    """What it replaces may have got another name meanwhile."""
    with planted.planted():
        pass
