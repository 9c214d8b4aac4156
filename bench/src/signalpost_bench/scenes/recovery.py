"""Whether a thousand endpoints that come back together are met by little at first, and hold up nothing."""

import time
from pathlib import Path

from msgspec.structs import replace

from signalpost_bench import aged_database
from signalpost_bench.flaky_endpoints import STEP_SECONDS
from signalpost_bench.harness import PATIENT_DELAYS, EngineProcess, Harness
from signalpost_bench.results import Figures, Rows, Size, beside, latencies
from signalpost_bench.workload import SECRET

ENDPOINTS = 1_000
BEHIND = 100
"""Events that wait for each."""
ANSWER_SECONDS = 0.02
FIRST_PROBE_US = 3_000_000
WAIT_US = 2_000_000
"""When each breaker probes: sooner than it would, so that all endpoints come back soon and within a second."""
BACK_SECONDS = 60.0
"""Seconds within which one of them has probed again."""
RATE = 100
"""New documents a second of the other tenant."""
OTHER = 2
LIVE = "/live"
RECOVERING = f"{ENDPOINTS:,} endpoints that recover together"
ALONE = "recovery: another tenant, before"
BESIDE = "recovery: another tenant, beside"


def recovery(harness: Harness, size: Size, _: Rows) -> Rows:
    """Their breakers are open, and meet failures, while the backlog gathers; then all are up at their next probe."""
    endpoints, behind = min(ENDPOINTS, size.events), min(BEHIND, max(1, size.events // 100))
    with harness.folder() as folder:
        _make_broken(harness, endpoints, folder)
        # Each change is of a document of its own: their order is not what is asked here.
        workload = replace(harness.workload, tenants=2, endpoints=0, documents=2 * behind)
        harness.sink.ask("set_flaky", state="down")
        with harness.engine(workload, folder=folder, retry_delays=PATIENT_DELAYS) as engine:
            engine.ask("add_live", url=harness.url + LIVE, tenant=OTHER)
            engine.ask("publish", events=2 * behind)
            harness.sink.ask("forget", secret=SECRET, timed=LIVE)
            alone = latencies(_live(harness, engine, 0, size.seconds))
            harness.sink.ask("set_flaky", state="up", answer_seconds=ANSWER_SECONDS)
            harness.sink.ask("forget", secret=SECRET, timed=LIVE)
            harness.sink.ask("wait_for", count=1, seconds=BACK_SECONDS)
            return {ALONE: alone, **_together(harness, engine, alone, endpoints * behind, size.seconds)}


def _make_broken(harness: Harness, endpoints: int, folder: Path) -> None:
    with harness.engine(
        replace(harness.workload, endpoints=0, documents=1), folder=folder, retry_delays=PATIENT_DELAYS
    ) as engine:
        engine.ask("add_active", urls=[f"{harness.url}/flaky/{number}" for number in range(endpoints)])
    aged_database.break_all(folder, time.time_ns() // 1000 + FIRST_PROBE_US, WAIT_US)


def _together(harness: Harness, engine: EngineProcess, alone: Figures, deliveries: int, seconds: float) -> Rows:
    began = time.monotonic()
    took = _live(harness, engine, deliveries, seconds)
    seen = harness.sink.ask("seen")
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
    they = Figures(rate=deliveries / settled, broken=broken, more={"settled after s": settled, **at_once})
    return {BESIDE: beside(alone, took, RECOVERING), RECOVERING: they}


def _live(harness: Harness, engine: EngineProcess, deliveries: int, seconds: float) -> list[float]:
    """What each arrival of the other tenant took, ms, once so many more have come."""
    sent: list[tuple[str, int]] = engine.ask("create_at_rate", rate=RATE, seconds=seconds, tenant=OTHER)
    due = deliveries + len(sent)
    harness.expect(due)
    asked = dict(sent)
    return [(at - asked[name]) / 1e6 for name, at in harness.check(due)["arrived"]]
