"""Compares rehearsals with what then happens, one seed after the other: `python -m gateway.tests.joints.foretold.runner
--help`."""

import argparse
import sys
import time

from gateway.tests.joints.foretold.comparison import simulate
from gateway.tests.simulation.seeded_world import Violation
from gateway.tests.world.folder import Folder

SHOWN_EVERY = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--count", type=int, default=500, help="how many seeds, one after the other")
    options = parser.parse_args()
    began = told = time.monotonic()
    with Folder() as folder:
        for number, seed in enumerate(range(options.seed, options.seed + options.count), 1):
            try:
                simulate(seed, folder)
            except Violation as violation:
                print("\n".join(violation.__notes__))
                print(f"VIOLATION: {violation}")
                return 1
            now = time.monotonic()
            if now - told > SHOWN_EVERY or number == options.count:
                told = now
                print(f"{number} seeds in {now - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
