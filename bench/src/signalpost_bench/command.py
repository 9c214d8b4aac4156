"""`signalpost bench`: measure a gateway on this machine."""

import logging
import os
import platform
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import App, Parameter, validators
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from signalpost.cli.client import CommandError, Misuse
from signalpost.cli.terminal.options import Count, flag, repeatable
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.parts import Line, ShownTable
from signalpost.cli.terminal.text import remarks
from signalpost_bench.child_process import RunFailed
from signalpost_bench.harness import Harness
from signalpost_bench.python_build import WARNING, Build, build_here
from signalpost_bench.results import OVERTAKEN, Figures, Size, median
from signalpost_bench.scenes import SCENES, Place, with_needs
from signalpost_bench.scenes.throughput import LIMIT
from signalpost_bench.workload import Workload

SQLITE = "sqlite:///"
_SCENES = "; ".join(f"{name}: {scene.about}" for name, scene in SCENES.items())
_COLUMNS: Mapping[str, tuple[str, str]] = {
    "rate": ("a second", ",.0f"),
    "share": ("of limit", ".1%"),
    "ratio": ("ratio", ".2f"),
    "cpu_us": ("CPU µs", ".1f"),
    "p50_ms": ("p50 ms", ".2f"),
    "p99_ms": ("p99 ms", ".2f"),
    "p999_ms": ("p99.9", ".2f"),
    "worst_ms": ("worst", ".1f"),
    "memory_mb": ("MB", ".0f"),
    "disk_bytes": ("disk B", ",.0f"),
    "wal_mb": ("WAL MB", ".0f"),
    "start_s": ("start s", ".2f"),
}
"""The columns of the table: the figure, its heading, and how it is written."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What to measure, as the options of the command say it."""

    scene: Annotated[list[str] | None, repeatable(f"Run only this scene; repeatable. {_SCENES}.")] = None
    endpoints: Annotated[Count, Parameter(help="Total number of subscriptions.")] = 1
    tenants: Annotated[Count, Parameter(help="Number of tenants that the subscriptions are spread over.")] = 1
    fan_out: Annotated[Count, Parameter(help="How many subscriptions of a tenant get each event.")] = 1
    payload: Annotated[Count, Parameter(help="Approximate size of an event in bytes.")] = 1_300
    documents: Annotated[Count, Parameter(help="How many documents are changed in turn.")] = 5_000
    ordering: Literal["loose", "strict"] = "loose"
    tls: Annotated[bool, flag("Deliver over TLS.")] = False
    events: Annotated[Count, Parameter(help="Changes in each run of a scene that runs flat out.")] = 30_000
    duration: Annotated[
        float, Parameter(validator=validators.Number(gt=0), help="Seconds of each run of a steady scene.")
    ] = 10.0
    backlog: Annotated[Count, Parameter(help="Events in the database of the scene backlog.")] = 100_000
    runs: Annotated[Count, Parameter(help="Number of runs; the table shows their medians.")] = 3
    database_url: Annotated[
        str | None,
        Parameter(
            help="Where databases are made: sqlite:///FOLDER, for example on another disk; postgresql://USER@HOST/NAME "
            "for a server on which that user may create databases; postgresql: starts one from a package."
        ),
    ] = None
    processes: Annotated[Count, Parameter(help="Processes of a gateway; on PostgreSQL behind HTTP only.")] = 1

    @property
    def workload(self) -> Workload:
        return Workload(
            endpoints=max(self.endpoints, self.fan_out * self.tenants),
            tenants=self.tenants,
            fan_out=self.fan_out,
            payload=self.payload,
            documents=self.documents,
            ordering=self.ordering,
        )

    @property
    def database(self) -> Place:
        is_postgres = self.database_url is not None and self.database_url.startswith("postgres")
        return "postgresql" if is_postgres else "sqlite"


app = App(name="bench", help_format="plaintext")


@app.default
def bench(*, asked: Annotated[RunOptions | None, Parameter(name="*")] = None, out: Output = TEXT) -> None:
    """See the package: its docstring is the help of the command."""
    # Gateways that run in this process to prepare a database must not write into the table or the JSON.
    logging.getLogger("signalpost").disabled = True
    # A person who ends it otherwise than with Ctrl-C would leave its parts, and their databases, behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    asked = asked or RunOptions()
    found = _measure(asked)
    machine = _machine()
    out.show({"machine": machine, **_plain(asked), "scenes": msgspec.to_builtins(found)}, _told(machine, found))
    judge(found)


def _measure(asked: RunOptions) -> dict[str, Figures]:
    """Raises Misuse, and CommandError if a run does not count."""
    names = _scenes(asked.scene, asked.tenants, asked.database)
    on_postgres = asked.database == "postgresql"
    place = None if on_postgres or asked.database_url is None else _folder(asked.database_url)
    postgres = asked.database_url if on_postgres else None
    size = Size(asked.duration, asked.events, asked.backlog)
    try:
        with Harness(asked.workload, place, tls=asked.tls, postgres=postgres, processes=asked.processes) as harness:
            return _run(harness, names, size, asked.runs)
    except RunFailed as failed:
        raise CommandError(f"The run does not count: {failed}.") from None


def judge(found: Mapping[str, Figures]) -> None:
    """Raises CommandError if a bound was not held."""
    if broken := [sentence for row in found.values() for sentence in row.broken]:
        raise CommandError(f"A bound was not held: {'; '.join(broken)}.")


def _scenes(asked: Sequence[str] | None, tenants: int, place: Place) -> list[str]:
    """Raises Misuse."""
    for name in asked or ():
        if name not in SCENES:
            raise Misuse(f"There is no scene {name}: choose from {', '.join(SCENES)}.")
    names = with_needs(asked or [name for name, scene in SCENES.items() if scene.in_table])
    if wrong := [name for name in names if place not in SCENES[name].on]:
        able = ", ".join(name for name, scene in SCENES.items() if place in scene.on)
        raise Misuse(f"{wrong[0]} is not measured on {place}: choose from {able}.")
    if tenants > 1 and not all(SCENES[name].of_many_tenants for name in names):
        able = " or ".join(f"--scene {name}" for name, scene in SCENES.items() if scene.of_many_tenants)
        raise Misuse(f"With --tenants, choose {able}.")
    return names


def _folder(url: str) -> Path:
    """Raises Misuse."""
    if not url.startswith(SQLITE):
        raise Misuse(f"--database-url must be {SQLITE}FOLDER or a postgresql URL, not {url}.")
    folder = Path(url.removeprefix(SQLITE))
    if not folder.is_dir():
        raise Misuse(f"There is no folder {folder}: make it first. (sqlite:////tmp/x is /tmp/x, sqlite:///x is ./x.)")
    return folder


def _run(harness: Harness, names: Sequence[str], size: Size, runs: int) -> dict[str, Figures]:
    """Scenes take turns, so that a noisy minute hits every one alike."""
    measured: dict[str, list[Figures]] = {}
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=remarks, transient=True, disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task("", total=None)
        for run in range(1, runs + 1):
            earlier: dict[str, Figures] = {}
            for name in names:
                shown.update(task, description=f"run {run} of {runs}: {SCENES[name].about}")
                earlier |= SCENES[name].run(harness, size, earlier)
            for title, row in earlier.items():
                measured.setdefault(title, []).append(row)
    return {title: median(rows) for title, rows in measured.items()}


def _plain(asked: RunOptions) -> dict[str, Any]:
    return {
        "database": asked.database,
        "processes": asked.processes,
        "workload": msgspec.to_builtins(asked.workload),
        "tls": asked.tls,
        "events": asked.events,
        "duration": asked.duration,
        "runs": asked.runs,
    }


def _machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "python": platform.python_version(),
        "build": build_here(),
        "system": platform.platform(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _told(machine: dict[str, Any], found: Mapping[str, Figures]) -> Parts:
    yield (
        f"{machine['cores']} cores of {machine['processor']}, Python {machine['python']} ({machine['build']}), "
        f"{machine['system']}"
    )
    if machine["build"] == Build.PLAIN:
        yield Line(Text(WARNING, style="yellow"))
    limit = found[LIMIT].rate if LIMIT in found else None
    rows = []
    for title, row in found.items():
        share = row.rate / limit if limit and row.rate else None
        figures = {**msgspec.structs.asdict(row), "share": share}
        more = ", ".join(
            f"{name} {_figure(value, ',.0f' if value >= 1_000 else '.3g')}" for name, value in row.more.items()
        )
        rows.append([title, *(_figure(figures[name], form) for name, (_, form) in _COLUMNS.items()), more])
    columns = ["scene", *(shown for shown, _ in _COLUMNS.values()), "and"]
    used = [at for at in range(len(columns)) if any(row[at] for row in rows)]
    yield ShownTable([columns[at] for at in used], [[row[at] for at in used] for row in rows], "Nothing was measured.")
    overtaken = sum(int(row.more.get(OVERTAKEN, 0)) for row in found.values())
    order = (
        f"; {overtaken:,} came after a later one of their document" if overtaken else ", in the order of its document"
    )
    yield Line(Text(f"Every event arrived once, verified{order}.", style="green"))


def _figure(value: float | None, form: str) -> str | None:
    return None if value is None else format(value, form)
