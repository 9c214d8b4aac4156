"""A sample of the fleets; `make simulate-fleets` runs as many as one likes."""

from pathlib import Path

import pytest
from gateway.tests.simulation.fleet_world import simulate

SEEDS = (2, 9, 16, 23)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fleet_keeps_every_promise(seed: int, folder: Path) -> None:
    simulate(seed, folder)
