"""Cuts the power at every sync of a run of 500 events: `python -m gateway.tests.simulation.power_cuts`.

Each cut has a run of its own, which is the same up to there. What was not synced is lost, or half of its sectors are.
The next process goes on with what is left, and every checker looks on until everything is settled.
"""

import argparse
import sys
from pathlib import Path

from gateway.tests.simulation.crash_plan import HEALTHY
from gateway.tests.simulation.plan import Plan
from gateway.tests.simulation.runner import run
from gateway.tests.simulation.seeded_world import SeededWorld
from gateway.tests.simulation.simulation import Simulation
from gateway.tests.world.folder import Folder

from signalpost.domain.delivery.lane_bounds import BOUNDS
from signalpost.sharing.slots import DEFAULTS

SEED = 1
PLAN = Plan(
    tenants=1,
    endpoints=("well", "failing", "limiting"),
    writes_most=800,
    documents_most=60,
    bursts=(1, 2, 8),
    pauses=(0.001, 0.02),
    owners=1,
    writers=3,
    processes=1,
    cache_bytes=64_000_000,
    commit_seconds=0.002,
    bounds=BOUNDS,
    limits=DEFAULTS,
    facts=0,
    days=30,
    downtimes=(0.0, 0.0),
)
SECONDS = 30.0
"""How long the run goes on if nothing goes wrong: all is written long before."""


def cut(folder: Path, sync: int, kept: float) -> SeededWorld:
    """Run the world whose power fails at that sync. `kept` is the share of the unsynced sectors that is left."""
    crash_plan = HEALTHY._replace(how="sync", after=sync, power_cut=kept)
    world = SeededWorld(SEED, given=PLAN)
    run(Simulation(world, folder, [crash_plan]))
    return world


def syncs(folder: Path) -> int:
    """How many syncs the run has where nothing goes wrong."""
    world = SeededWorld(SEED, given=PLAN)
    run(Simulation(world, folder, [HEALTHY._replace(how="seconds", after=SECONDS)]))
    events = sum(map(len, world.entries.values()))
    assert events >= 500, f"only {events} events"
    return world.syncs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="at one sync in so many")
    options = parser.parse_args()
    with Folder() as folder:
        count = syncs(folder)
        for sync in range(1, count + 1, options.every):
            for kept in (0.0, 0.5):
                cut(folder, sync, kept)
            if sync % 100 == 1:
                print(f"the power failed at sync {sync} of {count}", flush=True)
    print(f"the power failed at each of {count} syncs, twice: nothing that was answered was lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
