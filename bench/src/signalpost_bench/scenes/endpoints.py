"""Measures whether endpoints that want no event slow down those that do, in one tenant and in many."""

from msgspec.structs import replace

from signalpost_bench.harness import Harness
from signalpost_bench.results import Figures, Rows, Size
from signalpost_bench.scenes.throughput import published

MANY = 1_000
TENANTS = 100
ONE = "engine alone, flat out, 1 endpoint"
OF_ONE_TENANT = f"{MANY:,} endpoints of one tenant, against 1"
OF_MANY_TENANTS = f"{MANY:,} endpoints of {TENANTS} tenants, against 1"


def endpoints(harness: Harness, size: Size, _: Rows) -> Rows:
    """Publish to many endpoints, of which only as many in each tenant as the fan-out says want the events."""
    one = _published(harness, size, 1, 1)
    rows = {
        OF_ONE_TENANT: _published(harness, size, MANY, 1),
        OF_MANY_TENANTS: _published(harness, size, MANY, TENANTS),
    }
    against = {title: replace(row, ratio=(row.rate or 0) / (one.rate or 1)) for title, row in rows.items()}
    return {ONE: one, **against}


def _published(harness: Harness, size: Size, endpoints: int, tenants: int) -> Figures:
    least = harness.workload.fan_out * tenants
    workload = replace(harness.workload, endpoints=max(endpoints, least), tenants=tenants)
    with harness.engine(workload) as engine:
        return published(harness, engine, size.events)
