"""Runs worlds of notices one after the other: `python -m gateway.tests.notices.runner --help`."""

import argparse
import sys
import time
from collections import Counter

from gateway.tests.notices.notice_world import simulate
from gateway.tests.notices.plan import draw
from gateway.tests.notices.week import THE_WEEK, check_few
from gateway.tests.simulation.seeded_world import Violation
from gateway.tests.world.folder import Folder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--count", type=int, default=100, help="how many seeds, one after the other")
    parser.add_argument("--nodes", type=int, help="how many nodes each world has, if not as many as it draws")
    parser.add_argument("--week", action="store_true", help="a week of a thousand subscriptions instead, for each seed")
    options = parser.parse_args()
    with Folder() as folder:
        for seed in range(options.seed, options.seed + options.count):
            began = time.monotonic()
            plan = THE_WEEK._replace(nodes=options.nodes or 1) if options.week else draw(seed, options.nodes)
            try:
                world = simulate(seed, folder, plan)
                told = Counter(f"{each.kind} {each.what}" for each in world.checks.notices)
                print(
                    f"seed {seed}, nodes {plan.nodes}: {world.attempts} attempts, {world.edges} changes of endpoints,"
                    f" {told.total()} notices in {time.monotonic() - began:.0f} s: {dict(told)}",
                    flush=True,
                )
                if options.week:
                    check_few(world)
            except Violation as violation:
                print("\n".join(getattr(violation, "__notes__", ())))
                print(f"VIOLATION: {violation}")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
