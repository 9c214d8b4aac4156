"""Whether the retention keeps up with the intake that it follows: how much is there that it should have removed, while
documents are changed as fast as they can be.

.venv/bin/python benchmarks/retention.py --seconds 60 --subscriptions 10 --tenants 1

Events are kept for some seconds in place of days. Changes wait while deliveries are far behind: a lane that is behind
by more than is kept loses its events, which no operator would bear. The gateway is in this process and has no HTTP
in front of it; the endpoint, which answers at once, is in another. Printed each second: events committed, events
removed, and how many the retention has yet to remove. The backlog may swing, and must not grow.
"""

import argparse
import asyncio
import logging
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import uvloop

from signalpost.embedded import Documents
from signalpost.engine.engine import Engine
from signalpost.engine.lanes.lane_states import CAUGHT_UP
from signalpost.engine.maintenance.passes import make_pass
from signalpost.engine.maintenance.retention import Retention
from signalpost.gateway import Gateway
from signalpost.runtime.clock import SystemClock
from signalpost.runtime.garbage_collector import collect_rarely
from signalpost.store.store import Store
from signalpost_bench import postgres_server
from signalpost_bench.child_process import ChildProcess
from signalpost_bench.data_directory import bench_settings, make_tenants
from signalpost_bench.embedded_api import EmbeddedApi
from signalpost_bench.workload import SECRET, Workload, tenant_name

WAITING = 512
"""How many changes are asked for and not answered."""
DOCUMENTS = 2_000
"""How many documents there are at least. Of each, one event at a time is sent to an endpoint (C17): with few documents,
that would be what is measured."""
PASS_EVERY = 0.1
BEHIND = 10_000
"""How many deliveries may wait before changes wait for them."""
LOOK_EVERY = 0.01


class Progress(msgspec.Struct):
    committed: int = 0
    removed: int = 0
    backlog: int = 0


class Run:
    def __init__(self, gateway: Gateway, keep: float) -> None:
        self._engine: Engine = gateway._engine
        self._store: Store = gateway._services.store
        self._clock = SystemClock()
        self._keep = round(keep * 1_000_000)
        self._retention = Retention(
            self._store, self._clock, self._engine.directory, self._engine.lanes, self._engine.counts
        )
        self._ends_at = 0.0
        self._may_change = asyncio.Event()

    async def go(self, documents: list[tuple[Documents, str]], seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds
        values = count()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._retain())
            tasks.create_task(self._tell())
            tasks.create_task(self._hold_back())
            for _ in range(WAITING):
                tasks.create_task(self._change(documents, values))

    async def _change(self, documents: list[tuple[Documents, str]], values: Iterator[int]) -> None:
        while time.monotonic() < self._ends_at:
            await self._may_change.wait()
            value = next(values)
            of_tenant, document_id = documents[value % len(documents)]
            await of_tenant.patch(document_id, contract_value=value % 1_000_000 + 1.5)

    async def _hold_back(self) -> None:
        while time.monotonic() < self._ends_at:
            (self._may_change.clear if self._waiting() > BEHIND else self._may_change.set)()
            await asyncio.sleep(LOOK_EVERY)
        self._may_change.set()

    def _waiting(self) -> int:
        """How many deliveries lanes have not taken in yet."""
        lanes = self._engine.lanes
        seen = lanes.offers.seen
        return sum(
            seen[worker.subscription.tenant_id] - worker.lane.head
            for worker in lanes.here.workers
            if worker.progress is not CAUGHT_UP
        )

    async def _retain(self) -> None:
        while time.monotonic() < self._ends_at:
            await make_pass(self._pass_once, "a pass failed")
            await asyncio.sleep(PASS_EVERY)

    async def _pass_once(self) -> None:
        for tenant_id in self._engine.directory.tenant_ids:
            await self._retention.prune(tenant_id, self._clock.wall(), self._keep)

    async def _tell(self) -> None:
        before = await self._look()
        print(f"{'s':>5}{'committed/s':>14}{'removed/s':>14}{'backlog':>14}", flush=True)
        began = last = time.monotonic()
        while (now := time.monotonic()) < self._ends_at:
            await asyncio.sleep(1.0)
            seen, now = await self._look(), time.monotonic()
            rates = [(seen.committed - before.committed) / (now - last), (seen.removed - before.removed) / (now - last)]
            print(f"{now - began:5.0f}{rates[0]:14,.0f}{rates[1]:14,.0f}{seen.backlog:14,}", flush=True)
            before, last = seen, now

    async def _look(self) -> Progress:
        seen, old = Progress(), self._clock.wall() - self._keep
        for tenant_id in self._engine.directory.tenant_ids:
            floor = await self._store.log.floor(tenant_id)
            seen.committed += (await self._store.log.after(tenant_id, 1 << 40, 1)).last
            seen.removed += floor - 1
            seen.backlog += max(0, await self._store.log.sequence_at(tenant_id, old) - floor)
        return seen


async def measure(folder: Path, sink: str, asked: argparse.Namespace, database_url: str | None) -> None:
    settings = bench_settings(folder, sink, None, database_url)
    await make_tenants(settings, asked.tenants)
    async with Gateway(settings) as gateway:
        api = EmbeddedApi(gateway.app, gateway.operator_key)
        of_tenants = [gateway.documents_of(tenant_name(number), "bench") for number in range(1, asked.tenants + 1)]
        fields = Workload().new_document()

        async def make(number: int) -> tuple[Documents, str]:
            of_tenant = of_tenants[number % asked.tenants]
            made = await of_tenant.create(
                type=fields["type"],
                title=fields["title"],
                owner_email=fields["ownerEmail"],
                author_email=fields["authorEmail"],
                additional_facts=fields["additionalFacts"],
            )
            return of_tenant, str(made.external_id)

        documents: list[tuple[Documents, str]] = []
        while len(documents) < DOCUMENTS:
            documents += await asyncio.gather(*map(make, range(WAITING)))
        for number in range(asked.subscriptions):
            # Each tenant has so many; with --narrow, one of them alone wants what is changed.
            wants = "documentUpdated" if number == 0 or not asked.narrow else "documentDeleted"
            for tenant in range(1, asked.tenants + 1):
                body = {"url": f"{sink}/{tenant}/{number}", "eventTypes": [wants], "secret": SECRET}
                await api.call("POST", "/v1/subscriptions", body, tenant_name(tenant))
        await Run(gateway, asked.keep).go(documents, asked.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--keep", type=float, default=10.0, help="seconds for which events are kept")
    parser.add_argument("--subscriptions", type=int, default=1, help="of each tenant")
    parser.add_argument("--narrow", action="store_true", help="only one subscription wants what is changed")
    parser.add_argument("--tenants", type=int, default=1)
    parser.add_argument("--postgres", action="store_true")
    asked = parser.parse_args()
    logging.getLogger("signalpost").disabled = True
    collect_rarely()
    with tempfile.TemporaryDirectory() as folder, ChildProcess("sink", 0) as child:
        sink = f"http://127.0.0.1:{child.ask('listen', certificate=None, kept='alive')}"
        if not asked.postgres:
            uvloop.run(measure(Path(folder), sink, asked, None))
            return
        with postgres_server.running() as server:
            uvloop.run(measure(Path(folder), sink, asked, server.url()))


if __name__ == "__main__":
    main()
