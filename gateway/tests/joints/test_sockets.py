"""A sample of the worlds in which the real sender speaks over sockets that go wrong (`make sockets` for more), and of
the faults that these find."""

from pathlib import Path
from random import Random

import pytest
from gateway.tests.examples import cases
from gateway.tests.joints.plan import draw_sockets, draw_sockets_of_workers
from gateway.tests.joints.planted_in_sender import FAULTS
from gateway.tests.joints.runner import simulate
from gateway.tests.simulation.planting import Fault

pytestmark = pytest.mark.slow

PARTS = 2
SAMPLE = 2
SOON = {
    "repeats at once what got no answer in time": 7,
    "begins its time anew with each byte of an answer": 4,
    "takes 100 Continue for the answer": 4,
    "takes the end of the connection for the end of the answer": 4,
    "leaves a connection open whose attempt is over": 1,
}
"""Faults that are found soon, and the seed with which each is looked for first: the one that found it."""
SEEDS = 20
FOUND_SOON = [each for each in FAULTS.all if each.name in SOON]


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_to_connections_what_is_delivered_is_what_the_model_says(part: int, tmp_path: Path) -> None:
    """C15, C16, C17."""
    for seed in range(part, SAMPLE, PARTS):
        simulate(seed, tmp_path, draw_sockets(Random(seed)))


@pytest.mark.parametrize("part", range(PARTS))
def test_the_same_with_a_sender_worker_that_is_lost_again_and_again(part: int, tmp_path: Path) -> None:
    """C15, C16, C17."""
    for seed in range(part, SAMPLE, PARTS):
        simulate(seed, tmp_path, draw_sockets_of_workers(Random(seed)))


@pytest.mark.parametrize("planted", cases(FOUND_SOON, FOUND_SOON[::2]), ids=lambda each: each.name)
def test_a_planted_fault_is_found(planted: Fault, tmp_path: Path) -> None:
    assert FAULTS.find(planted, tmp_path, SOON[planted.name], SEEDS).seeds > 0


@pytest.mark.parametrize("planted", FAULTS.all, ids=lambda each: each.name)
def test_each_fault_has_a_place(planted: Fault) -> None:
    """What it replaces may have got another name meanwhile."""
    with planted.planted():
        pass
