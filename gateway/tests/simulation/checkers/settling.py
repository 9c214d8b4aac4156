"""Once all is well, everything that was asked for is delivered or given up (`World` waits for that, so long and no
longer), and nobody lost anything."""

from typing import TYPE_CHECKING

from gateway.tests.simulation.checkers import Checker

if TYPE_CHECKING:
    from gateway.tests.simulation.world import Life


class Settling(Checker):
    def finished(self, life: "Life") -> None:
        for subscriber in self.world.clients.subscribers.values():
            found = life.engine.subscription(subscriber.tenant, subscriber.id)
            if any(subscriber.deleted.ever()):
                if subscriber.deleted.last and found is not None:
                    self.fail(f"{subscriber} was deleted, and is there")
                continue
            if found is None:
                self.fail(f"{subscriber} is gone")
                continue
            health = life.engine.health(found)
            if health["lost"] != 0:
                self.fail(f"{subscriber} says that it lost something: {health}")
