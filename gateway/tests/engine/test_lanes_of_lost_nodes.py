"""Webhooks of a node that is lost while it attempts them: nobody else sends before what it began can be over, and it
sends nothing that it had not begun."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.bodies import new_document, subscription_request
from gateway.tests.simulation.fleet_node import FleetNode
from gateway.tests.simulation.fleet_plan import FleetPlan
from gateway.tests.simulation.fleet_world import SECRET, FleetWorld
from gateway.tests.world.network import Reply, SentRequest
from gateway.tests.world.store import Operation

from signalpost.commands.documents import CreateDocument
from signalpost.commands.subscriptions import CreateSubscription
from signalpost.engine.fleet.lane_owner import ATTEMPT_SECONDS
from signalpost.engine.settings import EngineSettings
from signalpost.runtime.clock import MAX_ADJUSTMENT
from signalpost.store.fleet import SHARED

NOBODY_ELSE = FleetPlan(
    tenants=1, nodes=2, subscriptions=0, documents=0, faults=0, pauses=(1e9,), reply_after=(0.1,), failing=0.0
)
LONG = 30.0
"""An ATTEMPT_TIMEOUT that is longer than a node needs to be dead."""
SUBSCRIPTION = "00000000-0000-4000-b000-000000000001"


class Fleet(FleetWorld):
    """Two nodes, one of which owns the lane of a webhook."""

    def __init__(self, folder: Path, settings: EngineSettings) -> None:
        self.engine_settings = settings
        super().__init__(1, folder, NOBODY_ELSE)
        self.requests: list[SentRequest] = []
        self.answers_after = 0.1
        for _ in range(2):
            self.start_node()
            self.drive(3.0)
        self.subscribed["s1"] = (1, SUBSCRIPTION)
        self.ask(
            CreateSubscription(
                tenant_id=1,
                subscription_id=SUBSCRIPTION,
                new=subscription_request(url="https://s1/", eventTypes=7),
                secret=SECRET,
                retry_delays=(10,) * 6,
            )
        )
        self.drive(10.0)

    def answer(self, sent: SentRequest) -> Reply:
        self.requests.append(sent)
        return Reply(after=self.answers_after)

    def ask(self, command: Any) -> None:
        node = next(node for node in self.running if not node.is_frozen)
        task = node.loop.create_task(node.engine.submit(command))
        self.drive(1.0)
        task.result()

    def create(self) -> None:
        document = "00000000-0000-4000-8000-000000000001"
        self.ask(
            CreateDocument(tenant_id=1, document_id=document, new=new_document(), source_app="app", idempotency=None)
        )

    @property
    def owner(self) -> FleetNode:
        [(owner,)] = self.rows("SELECT owner FROM lane")
        return next(node for node in self.running if node.store.fleet.node_id == owner)


@pytest.fixture
def settings() -> EngineSettings:
    return EngineSettings()


@pytest.fixture
def fleet(tmp_path: Path, settings: EngineSettings) -> Iterator[Fleet]:
    with closing(Fleet(tmp_path, settings)) as fleet:
        yield fleet


@pytest.mark.parametrize("settings", [EngineSettings(attempt_timeout=LONG)])
def test_a_lane_is_not_claimed_before_attempts_that_may_take_long_can_be_over(fleet: Fleet) -> None:
    fleet.answers_after = LONG - 1
    lost = fleet.owner
    fleet.create()
    assert [request.process for request in fleet.requests] == [lost.number]
    lost.is_frozen = True
    lost.begin_trouble()
    fleet.drive(90.0)
    first, again = fleet.requests
    assert again.process != lost.number
    assert again.at >= first.at + LONG, "the first attempt can still be at its endpoint"
    assert again.at < first.at + SHARED.dead_after + LONG + 3 * SHARED.beat_every


def test_a_lane_gets_another_owner_as_soon_as_its_own_is_dead_and_not_before(fleet: Fleet) -> None:
    fleet.answers_after = 60.0
    lost = fleet.owner
    fleet.create()
    lost.is_frozen = True
    lost.begin_trouble()
    fleet.drive(30.0)
    first, again = fleet.requests[:2]
    assert SHARED.lease + ATTEMPT_SECONDS < again.at - first.at < SHARED.dead_after + 3 * SHARED.beat_every


@pytest.mark.parametrize("settings", [EngineSettings(cache_bytes=0)])
def test_a_node_that_was_frozen_while_it_read_an_event_does_not_send_it(fleet: Fleet) -> None:
    lost = fleet.owner
    before = lost.wire.before

    async def freeze(operation: Operation) -> None:
        lost.is_frozen = lost.is_frozen or operation is Operation.BODIES
        await before(operation)

    lost.wire.before = freeze  # type: ignore[method-assign]
    lost.begin_trouble()
    fleet.create()
    assert lost.is_frozen, "it had the event in memory"
    assert fleet.requests == []
    fleet.drive(60.0)
    lost.wire.before = before  # type: ignore[method-assign]
    lost.is_frozen = False
    fleet.drive(30.0)
    [request] = fleet.requests
    assert request.process != lost.number


def test_an_attempt_of_five_seconds_is_over_when_its_node_is_dead_however_clocks_are_adjusted() -> None:
    """The observer's clock may be on its way to the database's, and so count up to so much too fast."""
    assert SHARED.lease + ATTEMPT_SECONDS < SHARED.dead_after * (1 - MAX_ADJUSTMENT)
