"""Runs worlds of joints one after the other: `python -m gateway.tests.joints.runner --help`."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from gateway.tests.joints.joint_world import TRACED, JointWorld
from gateway.tests.joints.plan import (
    Plan,
    draw_fleet,
    draw_fleet_of_readers,
    draw_readers,
    draw_sockets,
    draw_sockets_of_workers,
)
from gateway.tests.simulation.logs import live
from gateway.tests.simulation.seeded_world import Violation
from gateway.tests.world.folder import Folder

SHOWN_EVERY = 10.0
ALL_STEPS = 10_000_000


def simulate(
    seed: int,
    folder: Path,
    given: Plan | None = None,
    traced: int = TRACED,
    only: Sequence[str] = (),
    but: Sequence[str] = (),
    *,
    goes_on: bool = False,
) -> JointWorld:
    """Run the world of a seed. Raises Violation, with the last steps, unless it `goes_on`. `only` these rules count, or
    all `but` these."""

    def counting(rule: str) -> bool:
        return (not only or rule in only) and rule not in but

    world = JointWorld(seed, folder, given, traced, counting, goes_on=goes_on)
    live(world, f"{_target(given)} SEED={seed} COUNT=1", world.logged)
    return world


def _target(given: Plan | None) -> str:
    """The target of `make` that runs such a world."""
    if given is None:
        return "joints"
    if given.wires is None:
        if given.readers is None:
            return "joints-of-fleets"
        return "joints-of-readers" if given.nodes == 1 else "joints-of-fleets-of-readers"
    return "sockets" if given.wires.worker_lasts is None else "sockets-of-workers"


def _rules(names: str) -> tuple[str, ...]:
    return tuple(names.split(","))


def _plan(seed: int, options: argparse.Namespace) -> Plan | None:
    """The plan of a world, if it is not the one that the world draws itself."""
    if options.workers:
        return draw_sockets_of_workers(Random(seed))
    if options.sockets:
        return draw_sockets(Random(seed))
    if options.readers and options.fleets:
        return draw_fleet_of_readers(Random(seed))
    if options.readers:
        return draw_readers(Random(seed))
    return draw_fleet(Random(seed)) if options.fleets else None


def survey(seeds: range, folder: Path, options: argparse.Namespace) -> None:
    """Tell of each rule that is broken, after how many worlds it was found, and in how many of all."""
    times: Counter[str] = Counter()
    began = told = time.monotonic()
    attempts = 0
    for number, seed in enumerate(seeds, 1):
        traced = ALL_STEPS if options.trace else 1
        world = simulate(seed, folder, _plan(seed, options), traced, options.only, options.but, goes_on=True)
        attempts += world.attempts
        if options.trace:
            print("\n".join(world.last_steps()))
        for rule, message in world.complaints.items():
            if rule not in times:
                print(f"{number:>6}  {rule:<20} seed {seed}: {message[:300]}", flush=True)
            times[rule] += 1
        now = time.monotonic()
        is_over = number == len(seeds) or now - began > options.minutes * 60
        if is_over or (now - told > SHOWN_EVERY and not options.trace):
            told = now
            print(f"{number} worlds, {attempts} attempts: {dict(times.most_common())}", flush=True)
        if is_over:
            return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--count", type=int, default=200, help="how many seeds, one after the other")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="end after so long")
    parser.add_argument("--fleets", action="store_true", help="worlds with several nodes on one database")
    parser.add_argument("--readers", action="store_true", help="worlds of readers alone, with the retention")
    parser.add_argument("--sockets", action="store_true", help="worlds in which the real sender sends, over sockets")
    parser.add_argument("--workers", action="store_true", help="worlds in which it is a worker, lost again and again")
    parser.add_argument("--only", type=_rules, default=(), help="only these rules count, with commas")
    parser.add_argument("--but", type=_rules, default=(), help="all rules but these count, with commas")
    parser.add_argument("--survey", action="store_true", help="tell after how many worlds each broken rule is found")
    parser.add_argument("--trace", action="store_true", help="show every step")
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.count)
    with Folder() as folder:
        if options.survey:
            survey(seeds, folder, options)
            return 0
        try:
            _run(seeds, folder, options)
        except Violation as violation:
            print("\n".join(violation.__notes__))
            print(f"VIOLATION: {violation}")
            return 1
    return 0


def _run(seeds: range, folder: Path, options: argparse.Namespace) -> None:
    """Run one world after the other. Raises Violation."""
    began = told = time.monotonic()
    attempts = 0
    for number, seed in enumerate(seeds, 1):
        traced = ALL_STEPS if options.trace else TRACED
        world = simulate(seed, folder, _plan(seed, options), traced, options.only, options.but)
        if options.trace:
            print("\n".join(world.last_steps()))
        attempts += world.attempts
        now = time.monotonic()
        is_over = number == len(seeds) or now - began > options.minutes * 60
        if now - told > SHOWN_EVERY or is_over:
            told = now
            print(f"{number} seeds in {now - began:.0f} s, {attempts} attempts", flush=True)
        if is_over:
            return


if __name__ == "__main__":
    sys.exit(main())
