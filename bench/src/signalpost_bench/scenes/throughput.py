"""Measures how many events a second can be sent, by the reference client and by the engine alone."""

from collections.abc import Mapping
from typing import Any

import msgspec

from signalpost_bench.harness import EngineProcess, Harness
from signalpost_bench.resource_monitor import MB, Usage
from signalpost_bench.results import Figures, Rows, Size, longest_ms
from signalpost_bench.workload import SECRET

LIMIT = "limit: the reference client"
ENGINE = "engine alone, flat out"
DRAIN = "engine alone, delivering what had gathered"
QUICKLY = 1_000
"""Events that warm an engine up before the clock starts."""


def limit(harness: Harness, size: Size, _: Rows) -> Rows:
    """Send with the reference client into the same sink, which gives the limit of the machine."""
    harness.sink.ask("forget")
    requests = size.events * 3
    with harness.reference() as reference:
        ran = reference.ask(
            "run",
            port=int(harness.url.rsplit(":", 1)[1]),
            requests=requests,
            payload=harness.workload.payload,
            certificate=harness.ca_file if harness.url.startswith("https:") else None,
        )
    return {LIMIT: Figures(rate=requests / ran["seconds"], cpu_us=ran["cpu"] / requests * 1e6)}


def flat_out(harness: Harness, size: Size, _: Rows) -> Rows:
    """Measure whole changes flat out: commit, event, delivery and record."""
    with harness.engine(harness.workload) as engine:
        return {ENGINE: published(harness, engine, size.events)}


def drain(harness: Harness, size: Size, _: Rows) -> Rows:
    """Deliver a backlog to subscriptions that resume."""
    with harness.engine(harness.workload, status="paused") as engine:
        engine.ask("publish", events=size.events)
        harness.sink.ask("forget", secret=SECRET)
        engine.stalls()
        before = engine.monitor.usage()
        began = engine.ask("resume")
        return {DRAIN: measured(harness, engine, before, began, size.events * harness.workload.fan_out)}


def published(harness: Harness, engine: EngineProcess, events: int) -> Figures:
    """Publish `events` on an engine that is warm, and wait until they are delivered."""
    fan_out = harness.workload.fan_out
    harness.sink.ask("forget", secret=SECRET)
    engine.ask("publish", events=QUICKLY)
    harness.expect(QUICKLY * fan_out)
    harness.sink.ask("forget", secret=SECRET)
    engine.stalls()
    engine.monitor.forget()
    before = engine.monitor.usage()
    began = engine.ask("publish", events=events)
    return measured(harness, engine, before, began, events * fan_out)


def measured(harness: Harness, engine: EngineProcess, before: Usage, began: int, due: int) -> Figures:
    """Wait for the deliveries that are due and check them. Returns the engine's figures since `began`."""
    harness.expect(due)
    found = harness.check(due)
    after = engine.monitor.usage()
    stalls = engine.stalls()
    more = {"stall ms": longest_ms(stalls), **harness.server_figures(before, after, due)}
    if after.of_children:
        more["CPU µs of workers"] = (after.of_children - before.of_children) / due * 1e6
    return msgspec.structs.replace(
        figures(found, began, due, before, after),
        wal_mb=engine.monitor.wal_most / MB,
        more=more,
        stalls=stalls,
    )


def figures(found: Mapping[str, Any], began: int, due: int, before: Usage, after: Usage) -> Figures:
    """The rate, and what each delivery cost, since `began`."""
    return Figures(
        rate=due / ((found["last"] - began) / 1e9),
        cpu_us=(after.cpu - before.cpu) / due * 1e6,
        memory_mb=after.memory / MB,
        disk_bytes=(after.disk - before.disk) / due,
    )
