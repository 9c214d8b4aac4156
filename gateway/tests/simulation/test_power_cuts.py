"""A part of the syncs of `power_cuts.py`."""

from pathlib import Path

import pytest
from gateway.tests.simulation.power_cuts import cut, syncs

SYNCS = (1, 2, 5, 21, 89, 144, 300)


@pytest.mark.parametrize("sync", SYNCS)
def test_a_power_cut_at_a_sync_loses_nothing_that_was_answered(sync: int, folder: Path) -> None:
    world = cut(folder, sync, kept=0.5 if sync % 2 else 0.0)
    assert world.counts["power cut"] == 1


def test_the_run_has_five_hundred_events_and_all_of_these_syncs(folder: Path) -> None:
    assert syncs(folder) >= SYNCS[-1]
