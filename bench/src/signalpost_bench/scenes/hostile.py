"""Whether hostile endpoints and a tenant with a backlog hold up the other tenants."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from signalpost_bench.child_process import RunFailed
from signalpost_bench.harness import USUAL_TIMEOUT, EngineProcess, Harness
from signalpost_bench.results import Figures, Rows, Size, beside, latencies
from signalpost_bench.workload import SECRET

EACH = 50
BAD = {"hole": "that never answer", "drip": "that never end their answer", "late": "that answer after 4.9 s"}
"""What the sink calls the endpoints that are not well, `EACH` of each, and what they do."""
RATE = 100
"""New documents a second of the other tenant."""
OTHER = 2
"""The tenant that has neither hostile endpoints nor a backlog."""
LIVE = "/live"
ALONE = "another tenant, before"
HOSTILE = f"{len(BAD) * EACH} hostile endpoints and a backlog"
BESIDE = f"another tenant, beside {HOSTILE}"
WELL = "the endpoint among those that is well, with as much behind"


def attempts_at(how: str) -> str:
    return f"attempts at those {BAD[how]}"


class _Figures(NamedTuple):
    live_ms: list[float]
    """What each of the other tenant's events took."""
    well_ns: int
    """From the resume to the last event of the backlog that the well endpoint got."""
    badly: Mapping[str, int]
    """Requests that came to endpoints that are not well."""


def hostile(harness: Harness, size: Size, _: Rows) -> Rows:
    """The first tenant's endpoints resume at once, each with the backlog behind it; one of them is well."""
    workload = replace(harness.workload, tenants=2, endpoints=1, fan_out=1)
    with harness.engine(workload, status="paused", attempt_timeout=USUAL_TIMEOUT) as engine:
        engine.ask("add_paused", urls=[f"{harness.url}/bad/{how}/{number}" for how in BAD for number in range(EACH)])
        engine.ask("add_live", url=harness.url + LIVE, tenant=OTHER)
        # The changes take turns among the tenants' documents.
        engine.ask("publish", events=2 * size.backlog)
        alone = latencies(_see(harness, engine, 0, size.seconds).live_ms)
        seen = _see(harness, engine, size.backlog, size.seconds)
    check_visited(seen.badly)
    return {
        ALONE: alone,
        BESIDE: beside(alone, seen.live_ms, HOSTILE),
        WELL: Figures(
            rate=size.backlog / (seen.well_ns / 1e9), more={attempts_at(how): seen.badly[how] for how in BAD}
        ),
    }


def check_visited(badly: Mapping[str, int]) -> None:
    """Raises PartFailed: beside endpoints that nothing is sent to, no caller is held up."""
    if idle := [BAD[how] for how in BAD if not badly.get(how)]:
        raise RunFailed(f"no attempt was made at the endpoints {', or '.join(idle)}")


def _see(harness: Harness, engine: EngineProcess, behind: int, seconds: float) -> _Figures:
    harness.sink.ask("forget", secret=SECRET, timed="/")
    began = engine.ask("resume") if behind else 0
    asked: dict[str, int] = dict(engine.ask("create_at_rate", rate=RATE, seconds=seconds, tenant=OTHER))
    harness.expect(behind + len(asked))
    found = harness.check(behind + len(asked))
    live = {name: at for name, at in found["arrived"] if name in asked}
    well = [at for name, at in found["arrived"] if name not in asked]
    if len(live) != len(asked) or len(well) != behind:
        raise RunFailed(f"of {behind:,} events the endpoint that is well got {len(well):,}")
    return _Figures(
        [(at - asked[name]) / 1e6 for name, at in live.items()], max(well, default=0) - began, found["badly"]
    )
