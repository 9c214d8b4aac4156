"""Which node owns which lane, while subscriptions come and go."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from gateway.tests.bodies import subscription_request
from gateway.tests.engine.idle_fleet import IdleFleet
from gateway.tests.simulation.fleet_node import FleetNode
from gateway.tests.simulation.fleet_world import A_FEW_BEATS, SECRET

from signalpost.commands.subscriptions import CreateSubscription, DeleteSubscription

TENANT = 1
LANES = 7


class Fleet(IdleFleet):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.start_nodes(3)

    def subscribe(self, node: FleetNode, number: int) -> None:
        new = subscription_request(url=f"https://s{number}.example/")
        subscription = CreateSubscription(
            tenant_id=TENANT, subscription_id=self.id_of(number), new=new, secret=SECRET, retry_delays=(1,)
        )
        node.loop.create_task(node.engine.submit(subscription))

    def unsubscribe(self, node: FleetNode, number: int) -> None:
        gone = DeleteSubscription(tenant_id=TENANT, subscription_id=self.id_of(number))
        node.loop.create_task(node.engine.submit(gone))

    def id_of(self, number: int) -> str:
        return f"00000000-0000-4000-8000-{number:012}"

    def unowned(self) -> list[int]:
        """The lanes that no node owns."""
        return [number for (number,) in self.rows("SELECT subscription_number FROM lane WHERE owner IS NULL")]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with closing(Fleet(tmp_path)) as fleet:
        yield fleet


@pytest.mark.parametrize("asked", [0, 1, 2])
def test_no_lane_is_left_without_a_node_if_others_are_deleted_through_one(fleet: Fleet, asked: int) -> None:
    """Few lanes are spread anew with each one less. The node that deletes it hears of that from no other."""
    node = [*fleet.running][asked]
    for number in range(LANES):
        fleet.subscribe(node, number)
    fleet.drive(A_FEW_BEATS)
    for number in range(LANES - 1):
        fleet.unsubscribe(node, number)
        fleet.drive(A_FEW_BEATS)
        assert fleet.unowned() == []
