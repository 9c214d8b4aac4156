"""Runs worlds of joints one after the other: `python -m gateway.tests.joints.runner --help`."""

import argparse
import logging
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gateway.tests.captured_log import logged_to
from gateway.tests.joints.joint_world import TRACED, JointWorld
from gateway.tests.joints.plan import Plan
from gateway.tests.simulation.seeded_world import Violation
from gateway.tests.world.folder import Folder

from signalpost.cli.logs import read_record

SHOWN_EVERY = 5.0
ALL_STEPS = 10_000_000


def simulate(
    seed: int,
    folder: Path,
    given: Plan | None = None,
    traced: int = TRACED,
    only: Sequence[str] = (),
    but: Sequence[str] = (),
) -> JointWorld:
    """Run the world of a seed. Raises Violation, with the last steps. `only` these rules count, or all `but` these."""

    def counting(rule: str) -> bool:
        return (not only or rule in only) and rule not in but

    world = JointWorld(seed, folder, given, traced, counting)

    def look(record: logging.LogRecord) -> None:
        message, fields = read_record(record)
        if "exception" in fields:
            world.fail("defects", f"{message}: {str(fields['exception']).splitlines()[-1]}")
        world.logged(f"{message} {fields}")

    try:
        with logged_to(look, logging.INFO):
            world.run()
    except BaseException as error:
        steps = "\n".join(world.last_steps())
        error.add_note(f"{steps}\nTo run it again: make joints SEED={seed} COUNT=1")
        raise
    finally:
        world.close()
    return world


def _rules(names: str) -> tuple[str, ...]:
    return tuple(names.split(","))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--count", type=int, default=200, help="how many seeds, one after the other")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="end after so long")
    parser.add_argument("--only", type=_rules, default=(), help="only these rules count, with commas")
    parser.add_argument("--but", type=_rules, default=(), help="all rules but these count, with commas")
    parser.add_argument("--go-on", action="store_true", help="tell of violations, and go on")
    parser.add_argument("--trace", action="store_true", help="show every step")
    options = parser.parse_args()
    began = told = time.monotonic()
    seeds = attempts = 0
    violations: Counter[str] = Counter()
    with Folder() as folder:
        for seed in range(options.seed, options.seed + options.count):
            seeds += 1
            try:
                world = simulate(seed, folder, None, ALL_STEPS if options.trace else TRACED, options.only, options.but)
            except Violation as violation:
                if options.go_on:
                    print(f"{seed}: {str(violation)[:300]}", flush=True)
                    violations[str(violation).partition(":")[0]] += 1
                    continue
                print("\n".join(violation.__notes__))
                print(f"VIOLATION in seed {seed}: {violation}")
                return 1
            if options.trace:
                print("\n".join(world.last_steps()))
            attempts += world.attempts
            now = time.monotonic()
            if now - told > SHOWN_EVERY:
                told = now
                print(f"{seeds} seeds in {now - began:.0f} s, {attempts} attempts", flush=True)
            if now - began > options.minutes * 60:
                break
    print(f"{seeds} seeds in {time.monotonic() - began:.0f} s, {attempts} attempts {dict(violations) or ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
