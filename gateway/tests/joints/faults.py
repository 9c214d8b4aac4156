"""What goes wrong with one process: its way to the database takes time, and fails for a while."""

import asyncio
from typing import TYPE_CHECKING

from gateway.tests.world.store import Operation, StoreFaults

from signalpost.domain.errors import Unavailable

if TYPE_CHECKING:
    from gateway.tests.joints.joint_world import JointWorld

FAILING = frozenset((Operation.RECORD, Operation.PAGE, Operation.BODIES, Operation.LANES))
"""What fails while the database does not answer. Commits and beats have worlds of their own (`simulation/`)."""


class JointFaults(StoreFaults):
    def __init__(self, world: "JointWorld") -> None:
        self._world = world
        self.until = 0.0
        """Until when the database does not answer."""

    async def before(self, operation: Operation) -> None:
        """Takes time in a fleet, and raises Unavailable while the database does not answer."""
        if self._world.plan.nodes > 1:
            await asyncio.sleep(self._world.random.uniform(0.0, 0.004))
        if operation in FAILING and self._world.time.now < self.until:
            self._world.counts["no answer of the database"] += 1
            raise Unavailable("The database does not answer.")
