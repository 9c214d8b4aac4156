"""Measures what a fleet costs that has nothing to do: beats, polls, and what is looked at now and then."""

import time
from contextlib import ExitStack

from signalpost_bench.harness import Harness
from signalpost_bench.postgres_place import make_tenants
from signalpost_bench.results import Figures, Rows, Size

NODES = 3
TENANTS = 10_000
NODE = f"a node of {NODES} with {TENANTS:,} tenants, idle"
SETTLES_SECONDS = 8.0
"""Seconds after which every node has read what there is, and has seen the others twice."""


def idle_fleet(harness: Harness, size: Size, _: Rows) -> Rows:
    with harness.new_database() as url, ExitStack() as running:
        assert url is not None
        nodes = [running.enter_context(harness.gateway_on(url))]
        make_tenants(url, TENANTS)
        nodes += [running.enter_context(harness.gateway_on(url)) for _ in range(NODES - 1)]
        time.sleep(SETTLES_SECONDS)
        before = [node.monitor.usage() for node in nodes]
        time.sleep(size.seconds)
        after = [node.monitor.usage() for node in nodes]
    shares = [(now.cpu - then.cpu) / size.seconds * 100 for then, now in zip(before, after, strict=True)]
    spent = harness.server_figures(before[0], after[0], round(size.seconds * 1000))
    figures = {"% of a core": max(shares)}
    if "server µs" in spent:
        figures["% of a core of the server"] = spent["server µs"] / 10
    figures["WAL B/s"] = spent["WAL B"] * 1000
    return {NODE: Figures(memory_mb=max(each.memory for each in after) / 1e6, more=figures)}
