"""Whether hostile endpoints and a tenant with a backlog hold up the other tenants."""

from msgspec.structs import replace

from signalpost.bench.measured import Measured, Rows, Size, latencies
from signalpost.bench.parts import PartFailed
from signalpost.bench.stage import EngineProcess, Stage
from signalpost.bench.workload import SECRET

EACH = 50
"""Endpoints that never answer, as many that never end their answer, as many that answer at 4.9 s."""
RATE = 100
"""New documents a second of the other tenant."""
OTHER = 2
"""The tenant that has neither hostile endpoints nor a backlog."""
LEAST_MS = 100.0
JUDGED_LEAST = 500
"""A 99th percentile of fewer arrivals says nothing, and is not judged."""
LIVE = "/live"
ALONE = "another tenant, before"
BESIDE = f"another tenant, beside {3 * EACH} hostile endpoints and a backlog"


def hostile(stage: Stage, size: Size, _: Rows) -> Rows:
    """The first tenant's endpoints resume at once, each with the backlog behind it; one of them is well."""
    workload = replace(stage.workload, tenants=2, endpoints=1, fan_out=1)
    bad = [f"{stage.url}/bad/{how}/{number}" for how in ("hole", "drip", "late") for number in range(EACH)]
    with stage.engine(workload, status="paused") as engine:
        engine.ask("add_paused", urls=bad)
        engine.ask("add_live", url=stage.url + LIVE, tenant=OTHER)
        # The changes take turns among the tenants' documents.
        engine.ask("publish", events=2 * size.backlog)
        alone = _live(stage, engine, 0, size.seconds)
        beside = _live(stage, engine, size.backlog, size.seconds)
    if size.seconds * RATE >= JUDGED_LEAST:
        judge(alone.p99_ms or 0.0, beside.p99_ms or 0.0)
    return {ALONE: alone, BESIDE: replace(beside, ratio=(beside.p99_ms or 0.0) / (alone.p99_ms or 1.0))}


def judge(alone_ms: float, beside_ms: float) -> None:
    """Raises PartFailed where the other tenant's p99 is beyond twice what it was, and beyond 100 ms."""
    most = max(2 * alone_ms, LEAST_MS)
    if beside_ms > most:
        raise PartFailed(
            f"the other tenant's p99 was {beside_ms:.1f} ms beside hostile endpoints: at most {most:.1f} ms are allowed"
        )


def _live(stage: Stage, engine: EngineProcess, behind: int, seconds: float) -> Measured:
    stage.sink.ask("forget", secret=SECRET, timed=LIVE)
    if behind:
        engine.ask("resume")
    sent: list[tuple[str, int]] = engine.ask("create_at_rate", rate=RATE, seconds=seconds, tenant=OTHER)
    stage.expect(behind + len(sent))
    asked = dict(sent)
    return latencies([(at - asked[name]) / 1e6 for name, at in stage.check(behind + len(sent))["arrived"]])
