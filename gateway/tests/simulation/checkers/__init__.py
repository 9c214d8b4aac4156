"""What must hold, whatever goes wrong. Each checker knows the contract and what was seen from outside, nothing else."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.tests.simulation.history import Asked
    from gateway.tests.simulation.life import Life
    from gateway.tests.simulation.network import Sent
    from gateway.tests.simulation.world import World


class Checker:
    """Sees everything as it happens; overrides what it looks at. `fail` ends the world."""

    def __init__(self, world: "World") -> None:
        self.world = world

    def fail(self, message: str) -> None:
        self.world.fail(type(self).__module__.rpartition(".")[2], message)

    def asked(self, asked: "Asked") -> None: ...

    def told(self, asked: "Asked") -> None: ...

    def sent(self, sent: "Sent") -> None:
        """Before the ledger (`World.delivery`) takes note of it."""

    def ended(self, sent: "Sent") -> None:
        """After the ledger took note of it."""

    def began(self, life: "Life") -> None:
        """A process is about to take up what is on its disk."""

    def finished(self, life: "Life") -> None:
        """All is well again and everything settled; the last process still runs."""

    async def read(self, life: "Life") -> None:
        """The same moment, for those that ask the gateway for something."""
