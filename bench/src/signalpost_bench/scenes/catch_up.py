"""Measures whether lanes that work off a backlog slow down a lane that has none."""

import time
from typing import Any

from msgspec.structs import replace

from signalpost_bench.harness import EngineProcess, Harness
from signalpost_bench.results import Figures, Rows, Size, latencies, longest_ms
from signalpost_bench.workload import SECRET

LANES = 100
RATE = 100
"""New documents a second, which only the live lane wants."""
MAX_SECONDS = 300.0
LIVE = "/live"
ALONE = "live lane, nobody catching up"
BESIDE = f"live lane, {LANES} lanes catching up at once"
CATCHING_UP = f"{LANES} lanes catching up"


def catch_up(harness: Harness, size: Size, _: Rows) -> Rows:
    """A hundred lanes of one tenant resume at once, each with a backlog of a tenth of the run's events."""
    behind = size.events // 10
    workload = replace(harness.workload, endpoints=LANES, fan_out=LANES)
    with harness.engine(workload, status="paused") as engine:
        engine.ask("publish", events=behind)
        engine.ask("add_live", url=harness.url + LIVE)
        return {
            ALONE: live_lane(harness, engine, 0, "create_at_rate", min(size.seconds, MAX_SECONDS)),
            **_caught_up(harness, engine, behind),
        }


def _caught_up(harness: Harness, engine: EngineProcess, behind: int) -> Rows:
    began = time.monotonic_ns()
    live = live_lane(harness, engine, behind * LANES, "catch_up", MAX_SECONDS)
    return {BESIDE: live, CATCHING_UP: Figures(rate=behind * LANES / ((time.monotonic_ns() - began) / 1e9))}


def live_lane(
    harness: Harness, engine: EngineProcess, behind: int, how: str, seconds: float, **given: object
) -> Figures:
    """The latencies of a live lane while the engine does `how`, and delivers a backlog of `behind` events beside it."""
    harness.sink.ask("forget", secret=SECRET, timed=LIVE)
    engine.stalls()
    sent: list[tuple[str, int]] = engine.ask(how, rate=RATE, seconds=seconds, **given)
    harness.expect(behind + len(sent))
    found: dict[str, Any] = harness.check(behind + len(sent))
    stalls = engine.stalls()
    asked = dict(sent)
    return replace(
        latencies([(at - asked[name]) / 1e6 for name, at in found["arrived"]]),
        memory_mb=engine.monitor.usage().memory / 1e6,
        stalls=stalls,
        more={"stall ms": longest_ms(stalls)},
    )
