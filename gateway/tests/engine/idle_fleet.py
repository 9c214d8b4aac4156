"""A simulated fleet in which nothing happens but what a test asks for."""

from pathlib import Path

from gateway.tests.simulation.fleet_plan import FleetPlan
from gateway.tests.simulation.fleet_world import FleetWorld

_NOTHING = FleetPlan(
    tenants=1, nodes=2, subscriptions=0, documents=0, faults=0, pauses=(1e9,), reply_after=(0.1,), failing=0.0
)


class IdleFleet(FleetWorld):
    """A fleet without clients, subscriptions and faults of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(1, folder, _NOTHING)

    def start_nodes(self, count: int) -> None:
        """Start so many nodes, one after the other."""
        for _ in range(count):
            self.start_node()
            self.drive(3.0)
