"""A sender among hostile receivers, for as long as wanted, and a million answers with nonces. See benchmarks/zoo.md.

    .venv/bin/python -m benchmarks.zoo    # five minutes, 200 at once, a million nonces
    .venv/bin/python -m benchmarks.zoo --seconds 10 --nonces 20000

Exits with 1 where an attempt took longer than it may, ended with a class that is not its behaviour's, or had another's
answer; where memory grew by more than 64 MB; or where a descriptor or a task was left.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

import uvloop
from gateway.tests.zoo.behaviours import BEHAVIOURS
from gateway.tests.zoo.visitors import MARGIN, TIMEOUT, Watch, ask_for_echoes, process, visit
from rich.console import Console
from rich.table import Table


def show(watch: Watch, console: Console) -> None:
    table = Table("behaviour", "what it does", "ends", "attempts", "longest s", box=None)
    for behaviour in BEHAVIOURS:
        name = behaviour.name
        ends = ", ".join(f"{end}" for end, _ in watch.classes.get(name, Counter()).most_common())
        table.add_row(name, behaviour.does, ends, f"{watch.attempts[name]:,}", f"{watch.longest.get(name, 0):.3f}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=300.0, help="how long the zoo is visited [300]")
    parser.add_argument("--at-once", type=int, default=200, help="attempts at once [200]")
    parser.add_argument(
        "--nonces", type=int, default=1_000_000, help="requests that are told apart by nonces [1000000]"
    )
    parser.add_argument("--seed", type=int, default=1, help="of what the echoing receiver does [1]")
    given = parser.parse_args()
    console = Console(width=120, highlight=False)
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        ca_file = Path(folder) / "ca.pem"
        if given.seconds:
            with process("keepers", str(TIMEOUT), str(MARGIN), str(ca_file)) as ports:
                watch = uvloop.run(visit(given.seconds, given.at_once, json.loads(ports), ca_file, console))
            show(watch, console)
            faults += watch.faults
        if given.nonces:
            with process("echoes", str(given.seed)) as port:
                faults += uvloop.run(ask_for_echoes(given.nonces, int(port), console)).faults
    for fault, times in Counter(faults).most_common(20):
        console.print(f"FAULT ({times}): {fault}")
    console.print("No fault." if not faults else f"{len(faults)} faults.")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
