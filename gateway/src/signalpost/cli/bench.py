"""`signalpost bench`: measure a gateway on this machine."""

import os
import platform
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from signalpost.bench import scenes
from signalpost.bench.parts import PartFailed
from signalpost.bench.scenes import Measured, Size
from signalpost.bench.stage import Stage
from signalpost.bench.workload import Workload
from signalpost.cli.client import CommandError
from signalpost.cli.output import Json, console, print_json, print_table, say

Only = Literal["limit", "engine", "backlog", "api", "import", "latency"]


def bench(
    *,
    endpoints: Annotated[int, Parameter(help="Subscriptions in all.")] = 1,
    tenants: Annotated[int, Parameter(help="Tenants that they are spread over (engine and backlog only).")] = 1,
    fan_out: Annotated[int, Parameter(help="How many subscriptions of a tenant get each event.")] = 1,
    payload: Annotated[int, Parameter(help="Bytes of an event, roughly.")] = 1_300,
    documents: Annotated[int, Parameter(help="How many documents are changed in turn.")] = 5_000,
    ordering: Literal["loose", "strict"] = "loose",
    tls: Annotated[bool, Parameter(negative="", help="Deliver over TLS.")] = False,
    events: Annotated[int, Parameter(help="Changes in each run of a scene that is as fast as it can.")] = 30_000,
    duration: Annotated[float, Parameter(help="Seconds of each latency run.")] = 10.0,
    runs: Annotated[int, Parameter(help="The table shows their medians.")] = 3,
    only: Annotated[list[Only] | None, Parameter(help="Only this scene; as often as needed.")] = None,
    as_json: Json = False,
) -> None:
    """Measure a gateway on this machine: rates, latency, CPU, memory and disk, and check that nothing was lost.

    Every rate is also a share of the limit: what a client that does nothing but send reaches into the same endpoint in
    the same run. A run in which an event did not arrive once, verified and in the order of its document, fails.

    Example: signalpost bench --only engine --fan-out 10 --runs 5
    """
    workload = Workload(
        endpoints=max(endpoints, fan_out * tenants),
        tenants=tenants,
        fan_out=fan_out,
        payload=payload,
        documents=documents,
        ordering=ordering,
    )
    wanted: list[Only] = list(only or ["limit", "engine", "backlog", "api", "import", "latency"])
    if tenants > 1 and any(name in ("api", "import", "latency") for name in wanted):
        raise CommandError("With --tenants, measure the engine and the backlog: --only limit --only engine.")
    try:
        with Stage(workload, tls=tls) as stage:
            found = _measure(stage, wanted, Size(duration, events), runs)
    except PartFailed as failed:
        raise CommandError(f"The run does not count: {failed}.") from None
    if as_json:
        print_json({"machine": _machine(), "workload": msgspec.to_builtins(workload), "tls": tls, **found})
    else:
        _show(found)


def _measure(stage: Stage, wanted: list[Only], size: Size, runs: int) -> dict[str, Any]:
    """Runs take turns, so that a noisy minute hits every scene alike."""
    measured: dict[str, list[Measured]] = {}
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        for run in range(1, runs + 1):
            for name in wanted:
                if name == "latency":
                    continue
                title, scene = scenes.FLAT[name]
                progress.update(task, description=f"run {run} of {runs}: {title}")
                measured.setdefault(title, []).append(scene(stage, size))
        if "latency" in wanted:
            half = _half_rate(measured)
            for run in range(1, runs + 1):
                for rate in filter(None, (scenes.TRICKLE_RATE, half)):
                    title = f"latency at {rate:,}/s"
                    progress.update(task, description=f"run {run} of {runs}: {title}")
                    measured.setdefault(title, []).append(scenes.latency(stage, size, rate))
    return {"scenes": {title: msgspec.to_builtins(scenes.median(found)) for title, found in measured.items()}}


def _half_rate(measured: dict[str, list[Measured]]) -> int | None:
    """Half of what the API takes flat out, in round numbers; None where that was not measured."""
    found = measured.get(scenes.FLAT["api"][0])
    return None if found is None else int((scenes.median(found).rate or 0) / 200) * 100


def _machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _show(found: dict[str, Any]) -> None:
    machine = _machine()
    say(f"{machine['cores']} cores of {machine['processor']}, Python {machine['python']}, {machine['system']}")
    limit = (found["scenes"].get(scenes.FLAT["limit"][0]) or {}).get("rate")
    columns = (
        "scene",
        "a second",
        "of limit",
        "CPU µs",
        "p50 ms",
        "p99 ms",
        "p99.9",
        "worst",
        "MB",
        "disk B",
        "start s",
    )
    rows = []
    for title, m in found["scenes"].items():
        share = f"{m['rate'] / limit:.1%}" if limit and m["rate"] else None
        latencies = [_figure(m[name], ".2f") for name in ("p50_ms", "p99_ms", "p999_ms", "worst_ms")]
        rows.append(
            (
                title, _figure(m["rate"], ",.0f"), share, _figure(m["cpu_us"], ".1f"), *latencies,
                _figure(m["memory_mb"], ".0f"), _figure(m["disk_bytes"], ",.0f"), _figure(m["start_s"], ".2f"),
            )
        )  # fmt: skip
    print_table(columns, rows, "Nothing was measured.")
    console.print("Every event arrived once, verified, in the order of its document.", style="green")


def _figure(value: float | None, form: str) -> str | None:
    return None if value is None else format(value, form)
