"""What is measured. Each scene runs on a stage, checks what arrived, and answers one `Measured`."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from signalpost.bench.parts import Part
from signalpost.bench.stage import Stage
from signalpost.bench.workload import SECRET

TRICKLE_RATE = 100
QUICKLY = 1_000
"""Events that warm an engine up before the clock starts."""


class Measured(Struct, frozen=True, kw_only=True):
    """One scene's figures; None where a figure does not apply."""

    rate: float | None = None
    """Deliveries (or requests) a second."""
    cpu_us: float | None = None
    """CPU of the measured process for each."""
    memory_mb: float | None = None
    disk_bytes: float | None = None
    """On disk for each delivery."""
    p50_ms: float | None = None
    p99_ms: float | None = None
    p999_ms: float | None = None
    worst_ms: float | None = None
    start_s: float | None = None


class Size(Struct, frozen=True):
    """How long a scene goes on."""

    seconds: float
    """Of a steady scene."""
    events: int
    """Of a scene that is as fast as it can."""


def limit(stage: Stage, size: Size) -> Measured:
    """The reference client into the same sink."""
    stage.sink.ask("forget", secret="")
    with stage.reference() as reference:
        requests = size.events * 3
        ran = reference.ask(
            "run",
            port=stage.port,
            requests=requests,
            payload=stage.workload.payload,
            certificate=stage.certificate,
        )
    return Measured(rate=requests / ran["seconds"], cpu_us=ran["cpu"] / requests * 1e6)


def flat_out(stage: Stage, size: Size) -> Measured:
    """The engine alone: each document's change, its event, delivery and record."""
    with stage.plain(stage.workload) as plain:
        _warm(stage, plain)
        before = plain.ask("usage")
        published = plain.ask("publish", events=size.events)
        due = size.events * stage.workload.fan_out
        stage.expect(due)
        found = stage.check(due)
        after = plain.ask("usage")
        plain.ask("close")
    return _flat(found, published["began"], due, before, after)


def backlog(stage: Stage, size: Size) -> Measured:
    """What is already in the log, to subscriptions that resume."""
    with stage.plain(stage.workload, "paused") as plain:
        stage.sink.ask("forget", secret=SECRET)
        plain.ask("publish", events=size.events)
        before = plain.ask("usage")
        began = plain.ask("resume")
        due = size.events * stage.workload.fan_out
        stage.expect(due)
        found = stage.check(due)
        after = plain.ask("usage")
        plain.ask("close")
    return _flat(found, began, due, before, after)


def api(stage: Stage, size: Size) -> Measured:
    """Through HTTP: one change a request."""
    return _through_http(stage, size.events // 2, "change")


def bulk(stage: Stage, size: Size) -> Measured:
    """Through HTTP: one stream of an import."""
    return _through_http(stage, size.events, "import_all")


def latency(stage: Stage, size: Size, rate: int) -> Measured:
    """From the client's send of a change to the arrival of its event, at a steady rate."""
    with stage.gateway() as gateway, stage.load(gateway, stage.workload) as load:
        stage.sink.ask("forget", secret=SECRET)
        load.ask("trickle", rate=rate, seconds=1)
        stage.expect(rate * stage.workload.fan_out)
        stage.sink.ask("forget", secret=SECRET)
        before = gateway.usage()
        sent = load.ask("trickle", rate=rate, seconds=size.seconds)
        due = len(sent) * stage.workload.fan_out
        stage.expect(due)
        found = stage.check(due)
        after = gateway.usage()
    asked = dict(sent)
    took = sorted((at - asked[name]) / 1e6 for name, at in found["arrived"])
    cpu = (after["cpu"] - before["cpu"]) / due * 1e6
    return Measured(
        rate=due / ((max(at for _, at in found["arrived"]) - sent[0][1]) / 1e9),
        cpu_us=cpu,
        memory_mb=after["memory"] / 1e6,
        p50_ms=_share(took, 0.5),
        p99_ms=_share(took, 0.99),
        p999_ms=_share(took, 0.999),
        worst_ms=took[-1],
        start_s=gateway.start_seconds,
    )


def median(runs: Sequence[Measured]) -> Measured:
    """Each figure's median over the runs; of the worst latency, the worst."""

    def middle(name: str) -> float | None:
        values: list[float] = [value for run in runs if (value := getattr(run, name)) is not None]
        if not values:
            return None
        return max(values) if name == "worst_ms" else float(statistics.median(values))

    return Measured(**{name: middle(name) for name in Measured.__struct_fields__})


def _warm(stage: Stage, plain: Part) -> None:
    due = QUICKLY * stage.workload.fan_out
    stage.sink.ask("forget", secret=SECRET)
    plain.ask("publish", events=QUICKLY)
    stage.expect(due)
    stage.sink.ask("forget", secret=SECRET)


def _through_http(stage: Stage, events: int, how: str) -> Measured:
    with stage.gateway() as gateway, stage.load(gateway, stage.workload) as load:
        stage.sink.ask("forget", secret=SECRET)
        before = gateway.usage()
        ran = load.ask(how, events=events)
        due = events * stage.workload.fan_out
        stage.expect(due)
        found = stage.check(due)
        after = gateway.usage()
    return replace(_flat(found, ran["began"], due, before, after), start_s=gateway.start_seconds)


def _flat(
    found: Mapping[str, Any], began: int, due: int, before: Mapping[str, float], after: Mapping[str, float]
) -> Measured:
    seconds = (max(at for _, at in found["arrived"]) - began) / 1e9
    return Measured(
        rate=due / seconds,
        cpu_us=(after["cpu"] - before["cpu"]) / due * 1e6,
        memory_mb=after["memory"] / 1e6,
        disk_bytes=(after["disk"] - before["disk"]) / due,
    )


def _share(ascending: Sequence[float], share: float) -> float:
    value: float = ascending[min(len(ascending) - 1, int(len(ascending) * share))]
    return value


Scene = Callable[[Stage, Size], Measured]
FLAT: Mapping[str, tuple[str, Scene]] = {
    "limit": ("the reference client into the same sink", limit),
    "engine": ("engine alone, flat out", flat_out),
    "backlog": ("engine alone, delivering a backlog", backlog),
    "api": ("HTTP API, one change a request", api),
    "import": ("HTTP API, bulk import", bulk),
}
"""Scenes that are as fast as they can."""
