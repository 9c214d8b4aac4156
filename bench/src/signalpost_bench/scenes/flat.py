"""As fast as it can: the reference client, and the engine alone."""

from collections.abc import Mapping
from typing import Any

import msgspec

from signalpost_bench.harness import EngineProcess, Stage
from signalpost_bench.resource_monitor import MB, Usage
from signalpost_bench.results import Measured, Rows, Size, longest_ms
from signalpost_bench.workload import SECRET

LIMIT = "limit: the reference client"
ENGINE = "engine alone, flat out"
DRAIN = "engine alone, delivering what had gathered"
QUICKLY = 1_000
"""Events that warm an engine up before the clock starts."""


def limit(stage: Stage, size: Size, _: Rows) -> Rows:
    """The reference client into the same sink."""
    stage.sink.ask("forget")
    requests = size.events * 3
    with stage.reference() as reference:
        ran = reference.ask(
            "run",
            port=int(stage.url.rsplit(":", 1)[1]),
            requests=requests,
            payload=stage.workload.payload,
            certificate=stage.ca_file if stage.url.startswith("https:") else None,
        )
    return {LIMIT: Measured(rate=requests / ran["seconds"], cpu_us=ran["cpu"] / requests * 1e6)}


def flat_out(stage: Stage, size: Size, _: Rows) -> Rows:
    """Each document's change, its event, delivery and record."""
    with stage.engine(stage.workload) as engine:
        return {ENGINE: published(stage, engine, size.events)}


def drain(stage: Stage, size: Size, _: Rows) -> Rows:
    """What is in the log already, to subscriptions that resume."""
    with stage.engine(stage.workload, status="paused") as engine:
        engine.ask("publish", events=size.events)
        stage.sink.ask("forget", secret=SECRET)
        engine.stalls()
        before = engine.gauge.usage()
        began = engine.ask("resume")
        return {DRAIN: measured(stage, engine, before, began, size.events * stage.workload.fan_out)}


def published(stage: Stage, engine: EngineProcess, events: int) -> Measured:
    """An engine that is warm publishes `events` and delivers them."""
    fan_out = stage.workload.fan_out
    stage.sink.ask("forget", secret=SECRET)
    engine.ask("publish", events=QUICKLY)
    stage.expect(QUICKLY * fan_out)
    stage.sink.ask("forget", secret=SECRET)
    engine.stalls()
    engine.gauge.forget()
    before = engine.gauge.usage()
    began = engine.ask("publish", events=events)
    return measured(stage, engine, before, began, events * fan_out)


def measured(stage: Stage, engine: EngineProcess, before: Usage, began: int, due: int) -> Measured:
    """Wait for what is due and check it; the figures of the engine since `began`."""
    stage.expect(due)
    found = stage.check(due)
    stalls = engine.stalls()
    return msgspec.structs.replace(
        figures(found, began, due, before, engine.gauge.usage()),
        wal_mb=engine.gauge.wal_most / MB,
        more={"stall ms": longest_ms(stalls)},
        stalls=stalls,
    )


def figures(found: Mapping[str, Any], began: int, due: int, before: Usage, after: Usage) -> Measured:
    """What arrived from `began` on, and what that took."""
    return Measured(
        rate=due / ((found["last"] - began) / 1e9),
        cpu_us=(after.cpu - before.cpu) / due * 1e6,
        memory_mb=after.memory / MB,
        disk_bytes=(after.disk - before.disk) / due,
    )
