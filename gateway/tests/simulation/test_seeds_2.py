"""A part of the sample of worlds (`sample.py`)."""

from pathlib import Path

import pytest
from gateway.tests.simulation.runner import simulate
from gateway.tests.simulation.sample import part

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", part(2))
def test_a_world_keeps_every_promise(seed: int, folder: Path) -> None:
    simulate(seed, folder)
