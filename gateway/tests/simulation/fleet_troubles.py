"""What goes wrong with the nodes of a fleet, and when that is over."""

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING

from gateway.tests.simulation.fleet_node import FleetNode

if TYPE_CHECKING:
    from gateway.tests.simulation.fleet_world import FleetWorld

GRACE = 5.2
MAX_NODES = 5


class FleetTroubles:
    def __init__(self, world: "FleetWorld") -> None:
        self._world = world
        self._random = world.random
        self._ends: list[tuple[float, int, Callable[[], None]]] = []
        """When each trouble ends, in this order, and what ends it."""
        self._begun = 0
        self._kinds: dict[str, Callable[[FleetNode], None]] = {
            "kill": self._kill,
            "freeze": self._freeze,
            "cut": self._cut,
            "slow_down": self._slow_down,
            "lose_answers": self._lose_answers,
            "stop": self._stop,
            "join": self._join,
            "forget": self._forget,
            "fail_over": self._fail_over,
        }
        self._is_failing_over = False

    @property
    def next_end(self) -> float:
        """When a trouble ends next; infinity if there is none."""
        return self._ends[0][0] if self._ends else inf

    def end_next(self) -> None:
        _, _, end = heappop(self._ends)
        end()

    def end_all(self) -> None:
        while self._ends:
            self.end_next()

    def begin_one(self) -> None:
        """Let something happen to a node that is at work, if there is one."""
        at_work = [node for node in self._world.running if node.is_at_work]
        kind = self._random.choice(self._world.plan.troubles)
        if not at_work or not self._is_possible(kind):
            return
        node = self._random.choice(at_work)
        self._world.counts[kind] += 1
        self._world.trace(f"process {node.number}: {kind}")
        self._kinds[kind](node)

    def _is_possible(self, kind: str) -> bool:
        running = self._world.running
        if kind == "join":
            return len(running) < MAX_NODES
        if kind == "fail_over":
            return not self._is_failing_over
        return kind != "freeze" or (len(running) > 1 and not any(node.is_frozen for node in running))

    # --- Nodes that come and go ---------------------------------------------------------------------------------------

    def _kill(self, node: FleetNode) -> None:
        node.begin_trouble()  # which never ends
        self._world.kill(node)
        if self._random.random() < 0.7 or not self._world.running:
            self._world.start_node(node.machine if node.number % 2 else None)

    def _stop(self, node: FleetNode) -> None:
        """End a node in order, as SIGTERM does, and start another in its place."""
        node.is_stopping = True

        async def stop() -> None:
            await node.engine.close(GRACE)
            await node.store.close()

        stopping = node.loop.create_task(stop())
        self._world.start_node()
        while not stopping.done():
            self._world.step_before(inf)
        stopping.result()
        self._world.trace(f"process {node.number} has stopped")
        node.kill()

    def _join(self, _: FleetNode) -> None:
        self._world.start_node()

    # --- Nodes that others lose ---------------------------------------------------------------------------------------

    def _freeze(self, node: FleetNode) -> None:
        node.is_frozen = True
        node.begin_trouble()

        def thaw() -> None:
            self._world.trace(f"process {node.number} thaws")
            node.is_frozen = False
            # What it had under way then ends at once, and is recorded a little later, if it still counts.
            node.end_trouble(1.0)

        self._later(self._random.choice((0.5, 3.0, 7.0, 13.0, 20.0)), thaw)

    def _cut(self, node: FleetNode) -> None:
        node.wire.is_cut = True
        node.begin_trouble()

        def mend() -> None:
            self._world.trace(f"process {node.number} reaches the database again")
            node.wire.is_cut = False
            node.end_trouble(2.0)

        self._later(self._random.choice((0.5, 3.0, 8.0, 15.0)), mend)

    def _slow_down(self, node: FleetNode) -> None:
        node.wire.is_slow = True
        node.begin_trouble()

        def recover() -> None:
            node.wire.is_slow = False
            node.end_trouble(6.0)

        self._later(self._random.uniform(1.0, 20.0), recover)

    def _lose_answers(self, node: FleetNode) -> None:
        node.wire.loses = self._random.choice((0.2, 0.6))
        node.begin_trouble()

        def recover() -> None:
            node.wire.loses = 0.0
            node.end_trouble(6.0)

        self._later(self._random.uniform(1.0, 20.0), recover)

    def _forget(self, node: FleetNode) -> None:
        """The database loses the node's row, as a standby does that takes over without it. Others take its lanes at
        once, and the node learns of it with its next beat."""
        self._world.rows("DELETE FROM node WHERE id = ?", node.store.fleet.node_id)
        node.be_forgotten()

    # --- The database -------------------------------------------------------------------------------------------------

    def _fail_over(self, _: FleetNode) -> None:
        """The server is lost, and a standby takes over that has followed it up to now and no further."""
        self._is_failing_over = True
        standby = self._world.database.copied()

        def take_over() -> None:
            self._world.trace("a standby has taken over")
            self._world.database.is_down = self._is_failing_over = False

        def crash() -> None:
            if any((node.wire.at_work and node.is_frozen) or not node.has_started for node in self._world.running):
                # A frozen node's transaction would run later, and a node that finds no database does not start.
                if not self._world.is_healing:
                    self._later(1.0, crash)
                return
            self._world.crash_database(standby)
            self._later(self._random.choice((0.0, 0.5, 3.0, 8.0)), take_over)

        self._later(self._random.choice((0.0, 0.3, 1.0, 3.0)), crash)

    def _later(self, seconds: float, end: Callable[[], None]) -> None:
        self._begun += 1
        heappush(self._ends, (self._world.time.now + seconds, self._begun, end))
