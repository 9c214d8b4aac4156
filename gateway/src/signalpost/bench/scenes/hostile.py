"""Whether hostile endpoints and a tenant with a backlog hold up the other tenants."""

from msgspec.structs import replace

from signalpost.bench.measured import Rows, Size, beside, latencies
from signalpost.bench.stage import EngineProcess, Stage
from signalpost.bench.workload import SECRET

EACH = 50
"""Endpoints that never answer, as many that never end their answer, as many that answer at 4.9 s."""
RATE = 100
"""New documents a second of the other tenant."""
OTHER = 2
"""The tenant that has neither hostile endpoints nor a backlog."""
LIVE = "/live"
ALONE = "another tenant, before"
HOSTILE = f"{3 * EACH} hostile endpoints and a backlog"
BESIDE = f"another tenant, beside {HOSTILE}"


def hostile(stage: Stage, size: Size, _: Rows) -> Rows:
    """The first tenant's endpoints resume at once, each with the backlog behind it; one of them is well."""
    workload = replace(stage.workload, tenants=2, endpoints=1, fan_out=1)
    bad = [f"{stage.url}/bad/{how}/{number}" for how in ("hole", "drip", "late") for number in range(EACH)]
    with stage.engine(workload, status="paused") as engine:
        engine.ask("add_paused", urls=bad)
        engine.ask("add_live", url=stage.url + LIVE, tenant=OTHER)
        # The changes take turns among the tenants' documents.
        engine.ask("publish", events=2 * size.backlog)
        alone = latencies(_live(stage, engine, 0, size.seconds))
        return {ALONE: alone, BESIDE: beside(alone, _live(stage, engine, size.backlog, size.seconds), HOSTILE)}


def _live(stage: Stage, engine: EngineProcess, behind: int, seconds: float) -> list[float]:
    """What each arrival took, ms."""
    stage.sink.ask("forget", secret=SECRET, timed=LIVE)
    if behind:
        engine.ask("resume")
    sent: list[tuple[str, int]] = engine.ask("create_at_rate", rate=RATE, seconds=seconds, tenant=OTHER)
    stage.expect(behind + len(sent))
    asked = dict(sent)
    return [(at - asked[name]) / 1e6 for name, at in stage.check(behind + len(sent))["arrived"]]
