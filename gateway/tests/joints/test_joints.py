"""A sample of the worlds in which every part meets the others (`make joints` for more)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from gateway.tests.joints.runner import simulate

pytestmark = pytest.mark.slow

PARTS = 4
SAMPLE = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_what_is_delivered_is_what_the_model_says(part: int, tmp_path: Path) -> None:
    for seed in range(part, SAMPLE, PARTS):
        simulate(seed, tmp_path)


def test_a_retry_that_was_asked_for_before_a_backlog_was_skipped_is_not_sent_after_a_kill(tmp_path: Path) -> None:
    """The world that showed it. The retry waits while the disk is slow, until the process is killed."""
    simulate(9501735, tmp_path)


def ran(hash_seed: int) -> str:
    runner = (sys.executable, "-m", "gateway.tests.joints.runner")
    command = (*runner, "--seed", "3", "--count", "1", "--trace", "--survey")
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    root = Path(__file__).parents[3]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True).stdout


def test_a_seed_lives_through_the_same_world_in_every_process() -> None:
    first = ran(1)
    assert "sends event" in first
    assert first == ran(2)
