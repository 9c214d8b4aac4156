"""Five times the load that the HTTP API can take: what is taken is delivered, the rest is told so, and who asks for
little gets it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from signalpost_bench.child_process import ChildProcess
from signalpost_bench.data_directory import bench_settings, make_tenants
from signalpost_bench.harness import Harness
from signalpost_bench.operator import Operator
from signalpost_bench.overload_clients import Group
from signalpost_bench.results import Figures, Rows, Size
from signalpost_bench.workload import SECRET, tenant_name

TENANTS = tuple(tenant_name(number) for number in range(1, 9))
FLOODING, *OTHERS, MODEST = TENANTS
AT_PEAK = 64
"""Clients that together have the API do all it can."""
TIMES = 5
CLIENTS = 960
"""Connections of the flood: nearly as many as a gateway serves at once by default."""
FLOODS = 0.7
"""The share of the clients, and of what they ask for, that one tenant has."""
MODEST_CLIENTS = 4
MODEST_RATE = 25
MIN_TAKEN = 0.8
MAX_OPERATOR_MS = 1_000.0
JUDGED_SECONDS = 5.0
"""Seconds below which a run is judged by its answers alone, not by its times."""
PEAK = "the HTTP API's peak, 64 clients of 8 tenants"
OVER = f"{TIMES} times that asked for, by {CLIENTS} clients, against the peak"
OF_MODEST = "in it, the tenant that asks for little"
Told = Mapping[str, Mapping[str, Any]]


def overload(harness: Harness, size: Size, _: Rows) -> Rows:
    """Measure the peak first, then five times its rate on as many connections as there may be."""
    with harness.folder() as folder:
        asyncio.run(make_tenants(bench_settings(folder, harness.url, None), len(TENANTS)))
        with harness.gateway(folder) as gateway, harness.overload(gateway, TENANTS) as overload:
            evenly = [Group(tenant, AT_PEAK // len(TENANTS)) for tenant in TENANTS]
            _run(harness, overload, evenly, min(1.0, size.seconds))  # warm
            peak = _run(harness, overload, evenly, size.seconds)
            rate = _accepted(peak) / size.seconds
            with Operator(gateway) as operator:
                told = _run(harness, overload, _groups(int(rate * TIMES)), size.seconds)
    return {
        PEAK: Figures(rate=rate, p99_ms=max(each["accepted_p99_ms"] or 0.0 for each in peak.values())),
        OVER: _over(told, rate, size.seconds, operator.worst_ms),
        OF_MODEST: _modest(told[MODEST], size.seconds),
    }


def _groups(rate: int) -> list[Group]:
    flooding = Group(FLOODING, int(CLIENTS * FLOODS), int(rate * FLOODS))
    clients = (CLIENTS - flooding.clients) // len(OTHERS)
    others = (Group(tenant, clients, int(rate * (1 - FLOODS)) // len(OTHERS)) for tenant in OTHERS)
    return [flooding, *others, Group(MODEST, MODEST_CLIENTS, MODEST_RATE)]


def _run(harness: Harness, overload: ChildProcess, groups: list[Group], seconds: float) -> Told:
    """What each tenant was told. What was accepted has arrived, each change by its name, and nothing else has."""
    harness.sink.ask("forget", secret=SECRET, timed="/")
    told: Told = overload.ask("run", groups=msgspec.to_builtins(groups), seconds=seconds)
    accepted = _accepted(told)
    harness.expect(accepted)
    harness.check(accepted, names={name for each in told.values() for name in each["accepted"]})
    return told


def _accepted(told: Told) -> int:
    return sum(len(each["accepted"]) for each in told.values())


def _over(told: Told, peak: float, seconds: float, operator: Mapping[str, float]) -> Figures:
    rate = _accepted(told) / seconds
    other = {what: count for each in told.values() for what, count in each["other"].items()}
    broken = []
    is_judged = seconds >= JUDGED_SECONDS
    if is_judged and rate < MIN_TAKEN * peak:
        broken.append(f"of its peak, the API took {rate / peak:.0%}, and at least {MIN_TAKEN:.0%} are wanted")
    if other:
        broken.append(f"there were answers other than 2xx and 429 with Retry-After: {other}")
    broken += [
        f"an operator's call ({name}) took {worst:.0f} ms, and at most {MAX_OPERATOR_MS:.0f} are allowed"
        for name, worst in operator.items()
        if is_judged and worst > MAX_OPERATOR_MS
    ]
    more = {
        "asked a second": sum(each["asked"] for each in told.values()) / seconds,
        "refused a second": sum(each["refused"] for each in told.values()) / seconds,
        "refusal p99 ms": max((each["refused_p99_ms"] or 0.0 for each in told.values()), default=0.0),
        **{f"{name} worst ms": worst for name, worst in operator.items()},
    }
    return Figures(
        rate=rate,
        ratio=rate / peak,
        p99_ms=max(each["accepted_p99_ms"] or 0.0 for each in told.values()),
        more=more,
        broken=tuple(broken),
    )


def _modest(told: Mapping[str, Any], seconds: float) -> Figures:
    return Figures(
        rate=len(told["accepted"]) / seconds, p99_ms=told["accepted_p99_ms"], more={"refused": told["refused"]}
    )
