"""The worlds of fleets bite: some of the faults of `planted_in_fleets.py`, those that are found soon."""

from pathlib import Path

import pytest
from gateway.tests.examples import cases
from gateway.tests.simulation.planted_in_fleets import FAULTS
from gateway.tests.simulation.planting import Fault

pytestmark = pytest.mark.slow
SOON = (
    "lets lanes that sleep pass what is only announced",
    "takes up a configuration of its own over one that is newer",
    "acts once more upon a retry that it has done",
    "records what another owns",
    "starts attempts beyond its lease",
    "takes a process for ended that is only frozen",
    "takes a node for ended whose connection broke",
    "takes a process of another machine for ended, which it cannot see",
    "counts its lease from the answer",
    "lets go of a lane before its attempts have ended",
    "lets go of a lane that it goes on with",
    "takes up a lane while its former attempts go on",
    "takes each subscription that it changes for a new one",
    "keeps its lanes though it was taken for dead",
    "sends the latest of a document first",
    "goes by the clock of its own machine",
    "retries at once what waited at another node",
    "keeps events that the database has lost",
    "records behind a pooler how far a lane had come before",
    "asks for ever for what the database has lost",
    "tells no other node of a test that it delivered",
)
FOUND_BY_2 = (
    "acts once more upon a retry that it has done",
    "records what another owns",
    "counts its lease from the answer",
    "asks for ever for what the database has lost",
)
"""Faults that the seed 2 found first, from which they are looked for."""
FOUND_SOON = [each for each in FAULTS.all if each.name in SOON]


@pytest.mark.parametrize("planted", cases(FOUND_SOON, FOUND_SOON[::2]), ids=lambda each: each.name)
def test_a_fault_planted_into_nodes_is_found(planted: Fault, folder: Path) -> None:
    assert FAULTS.find(planted, folder, 2 if planted.name in FOUND_BY_2 else 1).seeds > 0


def test_each_fault_of_nodes_has_a_name_of_its_own() -> None:
    names = [each.name for each in FAULTS.all]
    assert len(set(names)) == len(names) >= 32
    assert set(FOUND_BY_2) <= set(SOON) <= set(names)


@pytest.mark.parametrize("planted", FAULTS.all, ids=lambda each: each.name)
def test_each_fault_of_nodes_has_a_place(planted: Fault) -> None:
    """What it replaces may have got another name meanwhile."""
    with planted.planted():
        pass
