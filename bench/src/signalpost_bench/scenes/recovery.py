"""Whether a thousand endpoints that come back together are met by little at first, and hold up nobody."""

import time
from pathlib import Path

from msgspec.structs import replace

from signalpost.domain.timestamps import SECOND
from signalpost_bench import aged_database
from signalpost_bench.flaky_endpoints import STEP_SECONDS
from signalpost_bench.harness import EngineProcess, Stage
from signalpost_bench.results import Measured, Rows, Size, beside, latencies
from signalpost_bench.workload import SECRET

ENDPOINTS = 1_000
BEHIND = 100
"""Events that wait for each."""
ANSWER_SECONDS = 0.02
FIRST_PROBE = 3 * SECOND
WAIT = 2 * SECOND
"""Of each breaker: shorter than it would be, so that all come back within a second, and soon."""
BACK_SECONDS = 60.0
"""Within so long one of them has probed again."""
RATE = 100
"""New documents a second of the other tenant."""
OTHER = 2
LIVE = "/live"
RECOVERING = f"{ENDPOINTS:,} endpoints that recover together"
ALONE = "recovery: another tenant, before"
BESIDE = "recovery: another tenant, beside"


def recovery(stage: Stage, size: Size, _: Rows) -> Rows:
    """Their breakers are open, and meet failures, while the backlog gathers; then all are up at their next probe."""
    endpoints, behind = min(ENDPOINTS, size.events), min(BEHIND, max(1, size.events // 100))
    with stage.folder() as folder:
        _make_broken(stage, endpoints, folder)
        # Each change is of a document of its own: their order is not what is asked here.
        workload = replace(stage.workload, tenants=2, endpoints=0, documents=2 * behind)
        stage.sink.ask("be_frail", state="down")
        with stage.engine(workload, folder=folder) as engine:
            engine.ask("add_live", url=stage.url + LIVE, tenant=OTHER)
            engine.ask("publish", events=2 * behind)
            stage.sink.ask("forget", secret=SECRET, timed=LIVE)
            alone = latencies(_live(stage, engine, 0, size.seconds))
            stage.sink.ask("be_frail", state="up", answer_seconds=ANSWER_SECONDS)
            stage.sink.ask("forget", secret=SECRET, timed=LIVE)
            stage.sink.ask("wait_for", count=1, seconds=BACK_SECONDS)
            return {ALONE: alone, **_together(stage, engine, alone, endpoints * behind, size.seconds)}


def _make_broken(stage: Stage, endpoints: int, folder: Path) -> None:
    with stage.engine(replace(stage.workload, endpoints=0, documents=1), folder=folder) as engine:
        engine.ask("add_frail", urls=[f"{stage.url}/frail/{number}" for number in range(endpoints)])
    aged_database.break_all(folder, time.time_ns() // 1000 + FIRST_PROBE, WAIT)


def _together(stage: Stage, engine: EngineProcess, alone: Measured, deliveries: int, seconds: float) -> Rows:
    began = time.monotonic()
    took = _live(stage, engine, deliveries, seconds)
    seen = stage.sink.ask("seen")
    settled = seen["last"] - began
    broken = (
        (f"{seen['beyond']:,} requests came to endpoints that had as many as they may while they recover",)
        if seen["beyond"]
        else ()
    )
    at_once = {
        f"most at once, {step * STEP_SECONDS:g} to {(step + 1) * STEP_SECONDS:g} s": float(most)
        for step, most in enumerate(seen["most"])
    }
    they = Measured(rate=deliveries / settled, broken=broken, more={"settled after s": settled, **at_once})
    return {BESIDE: beside(alone, took, RECOVERING), RECOVERING: they}


def _live(stage: Stage, engine: EngineProcess, deliveries: int, seconds: float) -> list[float]:
    """What each arrival of the other tenant took, ms, once so many more have come."""
    sent: list[tuple[str, int]] = engine.ask("create_at_rate", rate=RATE, seconds=seconds, tenant=OTHER)
    due = deliveries + len(sent)
    stage.expect(due)
    asked = dict(sent)
    return [(at - asked[name]) / 1e6 for name, at in stage.check(due)["arrived"]]
