"""Whether a change made anything faster: two checkouts measured in turns, so that a noisy minute hits both alike.

    git worktree add --detach ../before COMMIT
    .venv/bin/python benchmarks/compare.py ../before . --rounds 5 --scene api --scene import --events 20000

All other options go to `signalpost bench`. Each checkout is measured by its own bench, which uses parts of its gateway;
the packages of this environment serve both. A package that only the earlier checkout needs has to be added to
this environment (`uv pip install structlog` for those up to 2026-11-25). What to compare is the CPU that the measured
process spends on each delivery: a rate belongs to its minute. `start` is what a gateway takes from the start of its
process to ready. Both checkouts are compiled first, as an installation is, whatever the environment says of bytecode:
to compile the modules takes more than half of a start, and grows with every line.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
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
    with tempfile.TemporaryDirectory() as compiled:
        for tree in trees:
            subprocess.run(  # noqa: S603
                [sys.executable, "-m", "compileall", "-q", *_sources(tree)],
                env=_environment(tree, compiled),
                check=True,
            )
        for number in range(given.rounds):
            for tree in trees if number % 2 == 0 else reversed(trees):
                _measure(_environment(tree, compiled), options, found[tree])
    table = Table(
        "scene", "CPU µs before", "after", "after / before", "a second before", "after", "start s before", "after"
    )
    for scene, rounds in found[given.before].items():
        before, after = _medians(rounds), _medians(found[given.after][scene])
        cpu = (f"{before.cpu_us:.1f}", f"{after.cpu_us:.1f}", f"{after.cpu_us / before.cpu_us:.2f}")
        start = (f"{before.start_s:.2f}", f"{after.start_s:.2f}") if before.start_s else ("", "")
        table.add_row(scene, *cpu, f"{before.rate:,.0f}", f"{after.rate:,.0f}", *start)
    Console().print(table)


def _sources(tree: Path) -> list[str]:
    return [str(tree.resolve() / part / "src") for part in ("gateway", "receiver", "destinations", "bench")]


def _environment(tree: Path, compiled: str) -> dict[str, str]:
    """For a process that runs a checkout, with bytecode in the folder `compiled`."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": os.pathsep.join(_sources(tree)), "PYTHONPYCACHEPREFIX": compiled}


def _measure(environment: Mapping[str, str], options: Sequence[str], rounds: Rounds) -> None:
    done = subprocess.run([*_BENCH, *options], env=environment, stdout=subprocess.PIPE, check=True)  # noqa: S603
    for scene, figures in json.loads(done.stdout)["scenes"].items():
        if figures["cpu_us"] and figures["rate"]:
            rounds[scene].append(Figures(figures["cpu_us"], figures["rate"], figures["start_s"] or 0.0))


def _medians(rounds: Sequence[Figures]) -> Figures:
    return Figures(*map(statistics.median, zip(*rounds, strict=True)))


if __name__ == "__main__":
    main()
