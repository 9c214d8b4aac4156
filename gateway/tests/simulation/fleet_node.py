"""One node of a fleet in a simulated world, and its way to the database.

A node is *lost* while it is in trouble, and for a while after that with what it had begun before; if it was killed, for
ever. What it does then may be done again by others.
"""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from gateway.tests.world.process import Machine, Process
from gateway.tests.world.store import Operation, StoreFaults
from msgspec.structs import replace

from signalpost.domain.errors import Unavailable
from signalpost.domain.timestamps import SECOND
from signalpost.runtime.clock import DatabaseClock
from signalpost.store.nouns.fleet import SHARED

if TYPE_CHECKING:
    from gateway.tests.simulation.fleet_world import FleetWorld


MAX_DRIFT = 0.001
"""The share by which a machine's clock runs fast or slow at most: ten times what a bad quartz does."""


STARTS_AGAIN_AFTER = 0.5
"""The seconds between two tries to start a node."""
NOT_BEATS = frozenset(Operation) - {Operation.BEAT}
CHECKED_BEHIND_A_POOLER = frozenset(
    (Operation.HISTORY, Operation.PUBLISH, Operation.RECORD, Operation.CLAIM, Operation.LOOK)
)
"""What looks in its transaction whether the database is what the node remembers; see `Wire._accepts`."""


class Wire(StoreFaults):
    """The way of one node to the database."""

    def __init__(self, world: "FleetWorld", node: "FleetNode") -> None:
        self._world = world
        self._node = node
        self.is_cut = False
        self.is_slow = False
        self._history: int | None = None
        """Which history of the database the node has found so far; None if it remembers nothing of any."""
        self.asked: Counter[Operation] = Counter()
        """What reached the database."""
        self.loses = 0.0
        """The share of requests of which the answer is lost."""
        self._beat_began = 0.0
        self.lease_until = 0.0
        """Until when the node may start attempts, by the beats whose answers it had."""

    async def before(self, operation: Operation) -> None:
        if operation is Operation.BEAT:
            self._beat_began = self._world.time.now
        if operation is Operation.LEAVE:
            self._history = None
        await asyncio.sleep(self._seconds())
        while self._world.database.is_down and not self._node.has_started:
            await asyncio.sleep(STARTS_AGAIN_AFTER)  # whoever supervises it does that
        if self.is_cut or self._world.database.is_down:
            raise Unavailable("The database cannot be reached.")
        if not self._accepts(operation):
            raise Unavailable("The database is not what it was before the connection was lost.")
        self.asked[operation] += 1
        if operation in (Operation.CLAIM, Operation.RELEASE):
            self._world.trace(f"process {self._node.number}: {operation}")

    async def after(self, operation: Operation) -> None:
        history = self._world.database.history
        await asyncio.sleep(self._seconds())
        is_lost = self.is_cut or history != self._world.database.history
        if is_lost or self._world.random.random() < self.loses:
            raise Unavailable("The answer was lost.")
        if operation is Operation.BEAT:
            self.lease_until = self._beat_began + SHARED.lease * (1.0 + MAX_DRIFT)
            self._node.hear_of_beat(self._beat_began)

    @property
    def history(self) -> str:
        return str(self._world.database.history)

    def _accepts(self, operation: Operation) -> bool:
        """Whether what leads to the database now may do this for a node that remembers what it found there. A new
        connection to another history is refused to all but beats. A pooler keeps its clients' connections, so there
        each transaction looks that must not be made by what was true before."""
        if operation not in (CHECKED_BEHIND_A_POOLER if self._world.plan.pooled else NOT_BEATS):
            return True
        if self._history is None:
            self._history = self._world.database.history
        return self._history == self._world.database.history

    def _seconds(self) -> float:
        return self._world.random.uniform(0.0, 2.0 if self.is_slow else 0.004)


class FleetNode(Process):
    """One node, and what the world knows of it."""

    clock: DatabaseClock
    world: "FleetWorld"

    def __init__(self, world: "FleetWorld", machine: int) -> None:
        self.machine = machine
        self.wire = Wire(world, self)
        self._troubles = 0
        self._lost_until = 0.0
        self._forgotten_at: float | None = None
        self.has_started = False
        self.is_stopping = False
        self.clients: list[asyncio.Task[None]] = []
        self._ahead, self._drift = world.random.uniform(-1.0, 1.0), world.random.uniform(-1.0, 1.0)
        super().__init__(
            world,
            world.database.path,
            Machine(self.wire, lambda: world.random.uniform(0.0, 0.002), terms=world.terms),
            replace(world.engine_settings, rest_after=world.plan.rest_after),
        )
        self.store.fleet.on_announced = lambda marks: world.announced(self, marks)

    # --- Its machine's clock, which differs from the database's -------------------------------------------------------

    def _clock_of_machine(self) -> DatabaseClock:
        wrong_by = round(self._ahead * self.world.plan.apart * SECOND)
        return DatabaseClock(self._boot_time, lambda: self.world.wall.now + wrong_by)

    def _boot_time(self) -> int:
        return round(self.loop.time() * SECOND * (1.0 + self._drift * MAX_DRIFT))

    def _hear_time(self, now: int, took: int) -> None:
        self.clock.hear(now, took)

    def _database_time(self) -> int:
        return self.world.wall.now

    # --- Its machine's kernel, which knows its own processes alone ----------------------------------------------------

    def _birth(self) -> str:
        return f"{self.machine} {self.number}"

    def _has_ended(self, birth: str) -> bool:
        machine, _, process = birth.partition(" ")
        return int(machine) == self.machine and self.world.nodes[int(process)].is_dead

    # --- What the world knows of it -----------------------------------------------------------------------------------

    @property
    def is_at_work(self) -> bool:
        return self.has_started and not self.is_frozen and not self.is_stopping

    @property
    def is_forgotten(self) -> bool:
        """Whether no beat has told it yet that the database does not know it any more."""
        return self._forgotten_at is not None

    def begin_trouble(self) -> None:
        self._troubles += 1

    def end_trouble(self, over_within: float) -> None:
        """The trouble is over; what the node had begun before is over `over_within` so many seconds."""
        self._troubles -= 1
        self._lost_until = max(self._lost_until, self.world.time.now + over_within)

    def be_forgotten(self) -> None:
        """The database does not know it any more. It is in trouble until its next beat."""
        if self._forgotten_at is None:
            self.begin_trouble()
        self._forgotten_at = self.world.time.now

    def hear_of_beat(self, began: float) -> None:
        """A beat that began then has told it what the database knows."""
        if self._forgotten_at is not None and began >= self._forgotten_at:
            self._forgotten_at = None
            self.store.lanes.refused.clear()
            self.end_trouble(0.0)

    def was_lost_since(self, at: float) -> bool:
        return self._troubles > 0 or self._lost_until >= at
