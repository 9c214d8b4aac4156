"""What must hold, whatever goes wrong. Each checker knows the contract and what was seen from outside, nothing else."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.tests.simulation.history import ClientCall
    from gateway.tests.simulation.process import SimulatedProcess
    from gateway.tests.simulation.seeded_world import SeededWorld
    from gateway.tests.world.network import SentRequest


class Checker:
    """Sees everything as it happens; overrides what it looks at. `fail` ends the world."""

    def __init__(self, world: "SeededWorld") -> None:
        self.world = world

    def fail(self, message: str) -> None:
        self.world.fail(type(self).__module__.rpartition(".")[2], message)

    def called(self, call: "ClientCall") -> None: ...

    def answered(self, call: "ClientCall") -> None: ...

    def sent(self, sent: "SentRequest") -> None:
        """Before the ledger (`SeededWorld.delivery`) takes note of it."""

    def ended(self, sent: "SentRequest") -> None:
        """After the ledger took note of it."""

    def started(self, process: "SimulatedProcess") -> None:
        """A process is about to take up what is on its disk."""

    def finished(self, process: "SimulatedProcess") -> None:
        """All is well again and everything settled; the last process still runs."""

    async def read(self, process: "SimulatedProcess") -> None:
        """The same moment, for those that ask the gateway for something."""
