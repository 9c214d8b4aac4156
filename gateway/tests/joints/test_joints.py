"""A sample of the worlds in which every part meets the others (`make joints` for more)."""

from pathlib import Path

import pytest
from gateway.tests.joints.known import NOT_KEPT_YET
from gateway.tests.joints.runner import simulate

pytestmark = pytest.mark.slow

PARTS = 4
SAMPLE = 16


@pytest.mark.parametrize("part", range(PARTS))
def test_what_is_delivered_is_what_the_model_says(part: int, tmp_path: Path) -> None:
    for seed in range(part, SAMPLE, PARTS):
        simulate(seed, tmp_path, but=NOT_KEPT_YET)
