"""One process of the gateway: its real engine and store, on a disk, a network and threads that are simulated."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import apsw
from gateway.tests.simulation.disk import VFS, Disk
from gateway.tests.simulation.faults import Doom, Faults
from gateway.tests.simulation.history import Asked
from gateway.tests.simulation.loop import VirtualClock, VirtualExecutor, VirtualLoop
from gateway.tests.simulation.network import Network

from signalpost.domain.documents.links import Links
from signalpost.domain.errors import Unavailable
from signalpost.domain.event import Event
from signalpost.engine.engine import Engine
from signalpost.engine.maintenance.disk_reserve import DiskReserve
from signalpost.store.sqlite.database import connect
from signalpost.store.sqlite.store import Executors, SqliteStore
from signalpost.store.store import LaneFlush, LaneFlushed, LaneRow, LaneWanted
from signalpost.store.vault import Vault

if TYPE_CHECKING:
    from gateway.tests.simulation.world import World


class SimulatedError(Exception):
    """Something that nobody foresaw."""

    def __str__(self) -> str:
        return "SimulatedError"


class WatchedStore(SqliteStore):
    """Tells when a lane turns out to be another process's. May fail in ways of its own."""

    fenced = False
    fails: Callable[[str], None]
    """Asked before what may fail, by its name."""

    async def record(self, flushes: Sequence[LaneFlush]) -> dict[int, LaneFlushed]:
        self.fails("record")
        recorded = await super().record(flushes)
        self.fenced = self.fenced or len(recorded) < len(flushes)
        return recorded

    async def events_after(self, tenant_id: int, sequence: int, limit: int) -> list[Event]:
        self.fails("page")
        return await super().events_after(tenant_id, sequence, limit)

    async def event_bodies(self, tenant_id: int, sequences: Sequence[int]) -> list[Event]:
        self.fails("bodies")
        return await super().event_bodies(tenant_id, sequences)

    async def load_lanes(self, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
        self.fails("lane")
        return await super().load_lanes(wanted)


class Life:
    """One process of the gateway."""

    def __init__(self, world: "World", number: int, disk: Disk, doom: Doom) -> None:
        self.world = world
        self.number = number
        self.doom = doom
        self.disk = disk
        self.loop = VirtualLoop(world.time)
        self.loop.set_exception_handler(self._on_loop_error)
        self.network = Network(world, self.loop, number)
        self.clients: asyncio.Task[None] | None = None
        self.waiting: dict[Asked, None] = {}
        self.is_dead = False
        self.has_started = False
        self.began_at = world.time.now
        self.exits = False
        """The disk failed: it is about to end by itself."""
        self.faults = Faults(doom, world.random, world.counts)
        self.faults.disk = disk
        disk.gate = self.faults.gate
        clock = VirtualClock(world, self.loop)
        self.clock = clock
        work = VirtualExecutor(self._work_seconds)
        self.store = self._open(Executors(work, work, work))
        self.store.fails = self._fails
        self.engine = Engine(
            self.store,
            self.network,
            clock,
            world.random,
            world.plan.days,
            DiskReserve(0, lambda: 1 << 40, VirtualExecutor(), look_every=1e6),
            cache_bytes=world.plan.cache_bytes,
            limits=world.plan.limits,
            disable_after_days=world.plan.days,
            lane_bounds=world.plan.bounds,
        )

    def _open(self, executors: Executors) -> WatchedStore:
        bits, wall = self.world.random.getrandbits, self.clock.wall
        try:
            return WatchedStore(
                self.disk.database, Vault(bytes(32)), Links(b"", ""), wall, bits, executors, self._on_broken, VFS
            )
        except BaseException:
            self.loop.close()
            raise

    @property
    def connection(self) -> apsw.Connection:
        """For reads that stand for a client's."""
        return self.store.readers.connections[-1]

    @contextlib.contextmanager
    def connection_to_write(self) -> Iterator[apsw.Connection]:
        """For what another node would write."""
        connection = connect(self.disk.database, vfs=VFS)
        try:
            yield connection
        finally:
            connection.close()

    def _work_seconds(self) -> float:
        random = self.world.random
        if random.random() < self.doom.stalls:
            self.world.counts["slow disk"] += 1
            return random.uniform(0.1, 1.0)
        return random.random() * self.world.plan.commit_seconds

    def _fails(self, what: str) -> None:
        """Not at the start: a process that cannot read its store does not start."""
        window, age = self.doom.unreadable, self.world.time.now - self.began_at
        if window is not None and max(0.1, window[0]) <= age < window[1] and self.world.random.random() < 0.5:
            self.world.counts[f"error: {what}"] += 1
            raise self.world.random.choice((Unavailable("busy"), SimulatedError(what)))

    def _on_broken(self, _error: BaseException) -> None:
        self.exits = True

    def _on_loop_error(self, _loop: object, context: dict[str, Any]) -> None:
        if not self.is_dead and not self.disk.dead:
            self.world.fail("defects", f"an error that nobody handles: {context}")

    def bury(self) -> None:
        """Nothing of it reaches anybody any more; what still runs in it ends."""
        self.is_dead = self.network.dead = self.world.buries = True
        self.world.alive.remove(self)
        for connection in (
            *self.store.readers.connections,
            self.store.writer._connection,
            self.store.writer._checkpoint_connection,
        ):
            with contextlib.suppress(apsw.Error):
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                connection.close()
        for _ in range(100):
            tasks = asyncio.all_tasks(self.loop)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            self.loop.call_soon(lambda: None)
            self.loop.step()
        self.loop.close()
        self.world.buries = False
