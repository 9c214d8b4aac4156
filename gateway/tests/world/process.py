"""One process of the gateway: the real engine and store, on an event loop, a clock, a network and threads that are
simulated.

A process runs from its making on. It ends in order if a test closes its engine and its store, and as if by SIGKILL
if it calls `kill`. Its database stays where it is, for the next one.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw
from gateway.tests.world.network import Network
from gateway.tests.world.store import FaultyStore, StoreFaults
from gateway.tests.world.virtual_time import VirtualClock, VirtualExecutor, VirtualLoop

from signalpost.api.rendering import kept_answers
from signalpost.commands.batch import BatchContext
from signalpost.domain.documents.links import Links
from signalpost.domain.timestamps import SECOND
from signalpost.engine.engine import Engine
from signalpost.engine.host import Host
from signalpost.engine.maintenance.disk_reserve import DiskReserve
from signalpost.engine.settings import EngineSettings
from signalpost.engine.tracing.traces import Traces
from signalpost.runtime.clock import Clock
from signalpost.runtime.process_birth import UNKNOWN
from signalpost.store.nouns.fleet import ALONE, NodeProcess, Terms
from signalpost.store.sqlite.store import Executors
from signalpost.store.vault import MasterKeys

if TYPE_CHECKING:
    from gateway.tests.world.world import World

LINKS = Links(b"", "")
MAX_CANCELLATIONS = 100
"""How often what still runs in a killed process is cancelled: some of it goes on after the first time."""


class Machine(NamedTuple):
    """What a process runs on, beside its database."""

    faults: StoreFaults
    work_seconds: Callable[[], float] | None = None
    """How long a thread takes to begin a piece of work, and to tell its result; None: both happen at once."""
    disk_reserve_mb: int = 0
    free_bytes: Callable[[], int] = lambda: 1 << 40
    """How much of the disk is free. May raise OSError."""
    look_every: float = 1e6
    """The seconds between two looks at that."""
    vfs: str | None = None
    """The file system on which SQLite works; None for the machine's own."""
    terms: Terms = ALONE
    """The terms of its fleet."""


class Process:
    """A running gateway."""

    def __init__(self, world: "World[Any]", database: Path, machine: Machine, settings: EngineSettings) -> None:
        self.world = world
        self.number = world.next_process_number()
        self.is_frozen = False
        """Whether it gets no turns for now, as if it was stopped by SIGSTOP."""
        self.is_dead = False
        self.loop = self._event_loop()
        self.loop.set_exception_handler(self._on_loop_error)
        self.clock = self._clock_of_machine()
        self.network = self._transport(settings.attempt_timeout)
        self.store = self._open(database, machine)
        disk = DiskReserve(machine.disk_reserve_mb, machine.free_bytes, VirtualExecutor(), machine.look_every)
        self.engine = Engine(
            self.store,
            self.network,
            self.network,
            self.clock,
            world.random,
            disk,
            settings,
            destinations=world.destinations,
            host=Host(
                process=NodeProcess(number=self.number, birth=self._birth()),
                has_ended=self._has_ended,
                boot_time=self._boot_time,
                cpu=lambda: 0.0,
                hear_time=self._hear_time,
            ),
            traces=self._traces(),
        )
        world.running.append(self)

    # --- Its machine: as simple as can be, unless a subclass says otherwise -------------------------------------------

    def _event_loop(self) -> VirtualLoop:
        return VirtualLoop(self.world.time)

    def _transport(self, attempt_timeout: float) -> Network:
        return Network(self.world, self.loop, self.number, attempt_timeout)

    def _clock_of_machine(self) -> Clock:
        return VirtualClock(self.world.wall, self.loop)

    def _traces(self) -> Traces | None:
        """What makes spans; None if nothing does."""
        return None

    def _boot_time(self) -> int:
        return round(self.loop.time() * SECOND)

    def _birth(self) -> str:
        """The birth of this process, as others of its machine know it; see `runtime/process_birth.py`."""
        return UNKNOWN

    def _has_ended(self, birth: str) -> bool:
        """What the machine says of a process."""
        return False

    def _hear_time(self, now: int, took: int) -> None:
        """Learn what the database's time was."""

    def _database_time(self) -> int:
        return self.clock.wall()

    def _open(self, database: Path, machine: Machine) -> FaultyStore:
        thread = VirtualExecutor(machine.work_seconds)
        try:
            return FaultyStore(
                machine.faults,
                database,
                MasterKeys([bytes(32)]),
                BatchContext(LINKS, kept_answers(LINKS), self.world.random.getrandbits),
                self._database_time,
                Executors(thread, thread, thread),
                self._on_broken,
                machine.vfs,
                terms=machine.terms,
                cpu=lambda: 0.0,
            )
        except BaseException:
            self.loop.close()
            raise

    def _on_broken(self, error: BaseException) -> None:
        self.world.database_broke(self, error)

    def _on_loop_error(self, _loop: object, context: dict[str, Any]) -> None:
        if not self.is_dead:
            self.world.unhandled(self, context)

    def kill(self) -> None:
        """End it at once. Nothing of it reaches the database or the network any more, and no one is told."""
        self.is_dead = True
        self.network.cut()
        self.world.running.remove(self)
        for connection in self._connections():
            with contextlib.suppress(apsw.Error):  # it was closed in order, or its disk is dead
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                connection.close()
        logging.disable()  # nor the log: what still runs finds its database closed, and would say so
        try:
            self._cancel_all()
        finally:
            logging.disable(logging.NOTSET)
        self.loop.close()

    def _cancel_all(self) -> None:
        for _ in range(MAX_CANCELLATIONS):
            tasks = asyncio.all_tasks(self.loop)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            self.loop.call_soon(lambda: None)  # so that no time passes
            self.loop.step()

    def _connections(self) -> list[apsw.Connection]:
        writer = self.store.writer
        return [*self.store.readers.connections, writer._connection, writer._checkpoint_connection]
