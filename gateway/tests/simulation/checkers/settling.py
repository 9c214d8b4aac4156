"""Once all is well, everything that was asked for is delivered or given up, and no subscription lost anything.
`Simulation` waits for the first, and fails if it takes too long."""

from typing import TYPE_CHECKING

from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.history import Subscriber

if TYPE_CHECKING:
    from gateway.tests.simulation.process import SimulatedProcess


class Settling(Checker):
    def finished(self, process: "SimulatedProcess") -> None:
        for subscriber in self.world.clients.subscribers.values():
            found = process.engine.directory.subscription(subscriber.tenant, subscriber.id)
            if any(subscriber.deleted.ever()):
                if subscriber.deleted.last and found is not None:
                    self.fail(f"{subscriber} was deleted, and is there")
                continue
            if found is None:
                self.fail(f"{subscriber} is gone")
                continue
            lane = process.engine.lanes.views.here(found)
            assert lane is not None
            lost = lane.standing.health.lost
            # What was still unread counts as lost whether it was asked for or not: nobody looked any more.
            may_have_lost = self.world.floor[subscriber.tenant] > 1
            if (lost and not may_have_lost) or (self._lost(subscriber) and not lost):
                self.fail(f"{subscriber} says that it lost {lost}")

    def _lost(self, subscriber: Subscriber) -> bool:
        """Whether the retention took something before it was delivered."""
        entries = self.world.entries[subscriber.tenant]
        gone = entries[: self.world.floor[subscriber.tenant] - 1]
        wanted = (e for e in gone if e.sequence > subscriber.skipped_to and subscriber.wants(e.sequence, e.type))
        return any(not self.world.delivery(subscriber, entry.sequence).is_over for entry in wanted)
