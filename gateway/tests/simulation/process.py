"""One process of the gateway in a seeded world: on a simulated disk, with clients that wait for its answers, and with a
plan of how it ends."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import apsw
from gateway.tests.simulation.crash_plan import CrashPlan, DiskFaults, PlannedStoreFaults
from gateway.tests.simulation.history import ClientCall
from gateway.tests.world.disk import VFS, Disk
from gateway.tests.world.process import Machine, Process

from signalpost.domain.event import Event
from signalpost.engine.settings import EngineSettings
from signalpost.store.sqlite.codec import unpack_uuid
from signalpost.store.sqlite.connect import connect

if TYPE_CHECKING:
    from gateway.tests.simulation.seeded_world import SeededWorld


class SimulatedProcess(Process):
    """A running gateway, and what goes wrong with it."""

    def __init__(self, world: "SeededWorld", disk: Disk, crash_plan: CrashPlan) -> None:
        self._counts, self._commit_seconds = world.counts, world.plan.commit_seconds
        self.disk = disk
        self.crash_plan = crash_plan
        self.disk_faults = DiskFaults(crash_plan, disk, world.counts)
        self.clients: asyncio.Task[None] | None = None
        self.waiting: dict[ClientCall, None] = {}
        """The calls whose clients wait for an answer of this process."""
        self.has_started = False
        self.exits = False
        """Whether its disk failed, so that it is about to end by itself."""
        faults = PlannedStoreFaults(crash_plan, world.random, world.time, world.counts)
        plan = world.plan
        super().__init__(
            world,
            disk.database,
            Machine(faults, self._work_seconds, vfs=VFS),
            EngineSettings(
                retention_days=plan.days,
                disable_after_days=plan.days,
                cache_bytes=plan.cache_bytes,
                limits=plan.limits,
                lane_bounds=plan.bounds,
                rest_after=plan.rest_after,
            ),
        )

    @property
    def connection(self) -> apsw.Connection:
        """A connection for reads that stand for a client's."""
        return self.store.readers.connections[-1]

    def log(self, tenant: int, after: int) -> list[Event]:
        """What follows a sequence in a tenant's log, to the end."""
        found: list[Any] = self.connection.execute(
            "SELECT tenant_id, sequence, at, id, type, document_id, body FROM event"
            " WHERE tenant_id = ? AND sequence > ? ORDER BY sequence",
            (tenant, after),
        ).fetchall()
        return [
            Event(tenant_id, sequence, at, unpack_uuid(event_id), event_type, unpack_uuid(document_id), body)
            for tenant_id, sequence, at, event_id, event_type, document_id, body in found
        ]

    @contextlib.contextmanager
    def connection_to_write(self) -> Iterator[apsw.Connection]:
        """Open a connection for what another process would write."""
        connection = connect(self.disk.database, vfs=VFS)
        try:
            yield connection
        finally:
            connection.close()

    def _work_seconds(self) -> float:
        random = self.world.random
        if random.random() < self.crash_plan.stalls:
            self._counts["slow disk"] += 1
            return random.uniform(0.1, 1.0)
        return random.random() * self._commit_seconds
