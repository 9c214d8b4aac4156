"""Runs worlds one after the other, and shows how it goes: `python -m gateway.tests.simulation.runner --help`."""

import argparse
import sys
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

from gateway.tests.simulation import fleet_world
from gateway.tests.simulation.coverage import Coverage
from gateway.tests.simulation.fleet_plan import TROUBLES, with_trouble
from gateway.tests.simulation.logs import watched
from gateway.tests.simulation.seeded_world import TRACED, SeededWorld, Violation
from gateway.tests.simulation.simulation import Simulation
from gateway.tests.world.folder import Folder

TRACED_EVERY = 25
"""The lines of one world in so many are traced, which makes it slow."""
SHOWN_EVERY = 5.0
"""The seconds between two lines of progress."""
ALL_STEPS = 10_000_000


class Report:
    """Sums over the worlds that were run."""

    def __init__(self) -> None:
        self.seeds = 0
        self.attempts = 0
        self.faults: Counter[str] = Counter()

    def add(self, world: SeededWorld | fleet_world.FleetWorld) -> None:
        self.seeds += 1
        self.attempts += world.attempts
        self.faults += world.counts


def simulate(seed: int, folder: Path, traced: int = TRACED) -> SeededWorld:
    """Run the world of a seed. Raises Violation, with the last `traced` steps of the world."""
    world = SeededWorld(seed, traced)
    run(Simulation(world, folder))
    return world


def run(simulation: Simulation) -> None:
    """Let everything happen in a world. Raises Violation, with what a person needs to find its cause."""
    world = simulation.world
    try:
        with watched(world.logged):
            simulation.run()
    except BaseException as error:
        world.close()
        error.add_note(failure(world))
        raise


def failure(world: SeededWorld) -> str:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    steps = "\n".join(world.last_steps())
    return (
        f"seed {world.seed}: {world.plan}\nthe last steps (seconds of virtual time):\n{steps}\n"
        f"To run it again (Python {version}, the same lock): make simulate SEED={world.seed} COUNT=1"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--count", type=int, default=200, help="how many seeds, one after the other")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="end after so long")
    parser.add_argument("--fleets", action="store_true", help="worlds of several nodes on one database")
    parser.add_argument("--trouble", choices=TROUBLES, help="of fleets: this happens in every world")
    parser.add_argument("--trace", action="store_true", help="show every step")
    parser.add_argument("--coverage", action="store_true", help="show which of the gateway's lines were not reached")
    options = parser.parse_args()
    report, coverage, began = Report(), Coverage(), time.monotonic()
    told = began
    with Folder() as folder:
        for seed in range(options.seed, options.seed + options.count):
            looks = options.coverage or seed % TRACED_EVERY == 0
            try:
                with coverage.looking() if looks else nullcontext():
                    traced = ALL_STEPS if options.trace else TRACED
                    world: SeededWorld | fleet_world.FleetWorld
                    if options.fleets:
                        plan = options.trouble and with_trouble(seed, options.trouble)
                        world = fleet_world.simulate(seed, folder, plan, traced)
                    else:
                        world = simulate(seed, folder, traced)
            except Violation as violation:
                print("\n".join(violation.__notes__))
                print(f"VIOLATION in seed {seed}: {violation}")
                return 1
            report.add(world)
            if options.trace:
                print("\n".join(world.last_steps()))
            now = time.monotonic()
            if now - told > SHOWN_EVERY:
                told = now
                print(line(report, now - began), flush=True)
            if now - began > options.minutes * 60:
                break
    print(line(report, time.monotonic() - began))
    for kind, count in sorted(report.faults.items()):
        print(f"{count:>9}  {kind}")
    reported = coverage.report()
    print(next(reported))
    if options.coverage:
        print("\n".join(reported))
    return 0


def line(report: Report, seconds: float) -> str:
    rate = report.attempts / time.process_time()
    return (
        f"{report.seeds} seeds in {seconds:.0f} s, {report.attempts} attempts, {rate:.0f} a second of one core, "
        f"{report.faults.total()} faults"
    )


if __name__ == "__main__":
    sys.exit(main())
