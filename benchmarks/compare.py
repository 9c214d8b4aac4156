"""Whether a change made anything faster: two checkouts measured in turns, so that a noisy minute hits both alike.

    git worktree add --detach ../before COMMIT
    .venv/bin/python benchmarks/compare.py ../before . --rounds 5 --scene api --scene import --events 20000

All other options go to `signalpost bench`. Each checkout is measured by its own bench, which uses parts of its gateway;
the packages of this environment serve both. A package that only the earlier checkout needs has to be added to
this environment (`uv pip install structlog` for those up to 2026-11-25). What to compare is the CPU that the measured
process spends on each delivery: a rate belongs to its minute. `start` is what a gateway takes from the start of its
process to ready.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

_BENCH = (sys.executable, "-c", "from signalpost_bench.command import app; app()", "--json", "--runs", "1")


class Figures(NamedTuple):
    cpu_us: float
    rate: float
    start_s: float
    """0 where no gateway was started."""


Rounds = dict[str, list[Figures]]
"""The figures of every round, by scene."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    given, options = parser.parse_known_args()
    trees = (given.before, given.after)
    found: dict[Path, Rounds] = {tree: defaultdict(list) for tree in trees}
    for number in range(given.rounds):
        for tree in trees if number % 2 == 0 else reversed(trees):
            _measure(tree, options, found[tree])
    table = Table(
        "scene", "CPU µs before", "after", "after / before", "a second before", "after", "start s before", "after"
    )
    for scene, rounds in found[given.before].items():
        before, after = _medians(rounds), _medians(found[given.after][scene])
        cpu = (f"{before.cpu_us:.1f}", f"{after.cpu_us:.1f}", f"{after.cpu_us / before.cpu_us:.2f}")
        start = (f"{before.start_s:.2f}", f"{after.start_s:.2f}") if before.start_s else ("", "")
        table.add_row(scene, *cpu, f"{before.rate:,.0f}", f"{after.rate:,.0f}", *start)
    Console().print(table)


def _measure(tree: Path, options: Sequence[str], rounds: Rounds) -> None:
    sources = os.pathsep.join(
        str(tree.resolve() / part / "src") for part in ("gateway", "receiver", "destinations", "bench")
    )
    done = subprocess.run(  # noqa: S603
        [*_BENCH, *options], env={**os.environ, "PYTHONPATH": sources}, stdout=subprocess.PIPE, check=True
    )
    for scene, figures in json.loads(done.stdout)["scenes"].items():
        if figures["cpu_us"] and figures["rate"]:
            rounds[scene].append(Figures(figures["cpu_us"], figures["rate"], figures["start_s"] or 0.0))


def _medians(rounds: Sequence[Figures]) -> Figures:
    return Figures(*map(statistics.median, zip(*rounds, strict=True)))


if __name__ == "__main__":
    main()
