"""Where the time of a scene goes: runs `signalpost bench` under py-spy and tells of the measured process alone.

Counts threads that hold the interpreter's lock: Python's own work, without what SQLite and the kernel do meanwhile.
Prints how often each function was running (`self`) or under way (`all`), and the share of each module, and writes the
stacks in the collapsed form that speedscope.app and flamegraph.pl show as a flame graph. See README.md.
"""

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

MEASURED = ("-m signalpost_bench.engine_process", "-m signalpost_bench.probed_gateway", "-c from signalpost.cli.main")
"""What the command lines of measured processes have in them; the last, those of old checkouts."""
RATE = 400
"""Looks a second."""
PLACE = re.compile(r"^(?P<function>.*) \((?P<file>[^)]*?)(?::\d+)?\)$")
Stack = tuple[str, ...]


def record(scene: str, options: list[str], raw: Path) -> None:
    here = Path(sys.executable).parent
    bench = [str(here / "signalpost"), "bench", "--scene", scene, "--runs", "1", *options]
    spy = [
        str(here / "py-spy"),
        "record",
        "--subprocesses",
        "--format",
        "raw",
        "--rate",
        str(RATE),
        "--threads",
        "--gil",
    ]
    subprocess.run([*spy, "--output", str(raw), "--", *bench], check=True)  # noqa: S603


def stacks(raw: Path) -> Counter[Stack]:
    """The stacks of the measured process, each from its thread on, with functions instead of lines."""
    found: Counter[Stack] = Counter()
    for line in raw.read_text().splitlines():
        whole, _, count = line.rpartition(" ")
        frames = whole.split(";")
        owner = max((at for at, frame in enumerate(frames) if frame.startswith("process ")), default=-1)
        if owner >= 0 and any(words in frames[owner] for words in MEASURED):
            # A semicolon of a command line ends a frame as well.
            thread = next(at for at in range(owner, len(frames)) if frames[at].startswith("thread "))
            stack = tuple(map(_function, frames[thread:]))
            if not any("<frozen importlib" in function for function in stack):
                found[stack] += int(count)
    return found


def _function(frame: str) -> str:
    place = PLACE.match(frame)
    if place is None:
        return re.sub(r"^thread \(\d+\)(: )?", "thread ", frame)
    file = re.sub(r".*/(site-packages|lib/python[^/]*)/", "", place["file"])
    return f"{place['function']} ({file})"


def shares(counted: Counter[Stack]) -> tuple[Counter[str], Counter[str]]:
    """How often each function was at the end of a stack, and anywhere in it."""
    own: Counter[str] = Counter()
    all_: Counter[str] = Counter()
    for stack, count in counted.items():
        own[stack[-1]] += count
        for function in set(stack):
            all_[function] += count
    return own, all_


def show(counted: Counter[Stack], most: int) -> None:
    total = sum(counted.values())
    own, all_ = shares(counted)
    modules = Counter[str]()
    for function, count in own.items():
        modules[function.rpartition("(")[2].rstrip(")")] += count
    console = Console(width=120)
    console.print(f"{total:,} looks")
    console.print(
        _table(
            "function", ("self", "all"), ((name, (own[name], all_[name])) for name, _ in own.most_common(most)), total
        )
    )
    console.print(_table("module", ("self",), ((name, (count,)) for name, count in modules.most_common(most)), total))


def _table(what: str, columns: Iterable[str], rows: Iterable[tuple[str, tuple[int, ...]]], total: int) -> Table:
    table = Table(what, *columns, box=None)
    for name, counts in rows:
        table.add_row(name, *(f"{count / total:.1%}" for count in counts))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scene")
    parser.add_argument("--most", type=int, default=25, help="rows of each table")
    parser.add_argument("--out", type=Path, default=Path("profile.collapsed"), help="where the stacks go")
    asked, options = parser.parse_known_args()
    raw = asked.out.with_suffix(".raw")
    record(asked.scene, options, raw)
    counted = stacks(raw)
    raw.unlink()
    asked.out.write_text("".join(f"{';'.join(stack)} {count}\n" for stack, count in counted.items()))
    show(counted, asked.most)


if __name__ == "__main__":
    main()
