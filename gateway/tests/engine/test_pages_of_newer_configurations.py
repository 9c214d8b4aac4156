"""A page of the log that is newer than the configuration that a node knows: each event meets the filters of its time
all the same, one from before the change and one from after it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from gateway.tests.bodies import document_patch, subscription_patch
from gateway.tests.engine.webhook_fleet import DOCUMENT, SUBSCRIPTION, WebhookFleet
from gateway.tests.simulation.fleet_node import FleetNode
from gateway.tests.world.store import Operation

from signalpost.commands.documents import PatchDocument
from signalpost.commands.subscriptions import PatchSubscription
from signalpost.domain.errors import Unavailable
from signalpost.engine.settings import EngineSettings

CREATED, UPDATED = 1, 2
WHILE_UNREAD = 4.0
"""Seconds for which a node has the events and cannot read the configuration."""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[WebhookFleet]:
    with closing(WebhookFleet(tmp_path, EngineSettings(cache_bytes=0))) as fleet:
        fleet.ask(_wants(CREATED))
        fleet.drive(10.0)
        yield fleet


class Way:
    """The way of a node to the database, on which some of what it asks does not come through."""

    def __init__(self, node: FleetNode) -> None:
        self.closed: set[Operation] = set()
        before = node.wire.before

        async def closed(operation: Operation) -> None:
            await before(operation)
            if operation in self.closed:
                raise Unavailable("It does not come through.")

        node.wire.before = closed  # type: ignore[method-assign]


def _wants(types: int) -> PatchSubscription:
    return PatchSubscription(tenant_id=1, subscription_id=SUBSCRIPTION, patch=subscription_patch(eventTypes=types))


def _want_updates_and_make_one(fleet: WebhookFleet, at: FleetNode) -> None:
    fleet.ask(_wants(UPDATED), at)
    patch = PatchDocument(tenant_id=1, document_id=DOCUMENT, patch=document_patch(title="t"), if_match=None)
    fleet.ask(patch, at)


def _sent(fleet: WebhookFleet) -> list[tuple[int, int]]:
    return [(request.process, request.sequence) for request in fleet.requests]


def test_a_lane_that_reads_on_waits_for_the_configuration_of_what_it_read_c14(fleet: WebhookFleet) -> None:
    owner = fleet.owner
    other = next(each for each in fleet.running if each is not owner)
    way = Way(owner)
    way.closed = {Operation.PAGE}
    fleet.create(other)
    way.closed = {Operation.PAGE, Operation.FOLLOW}
    _want_updates_and_make_one(fleet, other)
    way.closed = {Operation.FOLLOW}
    fleet.drive(WHILE_UNREAD)
    way.closed = set()
    fleet.drive(WHILE_UNREAD)
    assert _sent(fleet) == [(owner.number, 1), (owner.number, 2)]


def test_a_lane_that_is_claimed_waits_for_the_configuration_of_what_its_log_had_last_c14(fleet: WebhookFleet) -> None:
    fleet.start_node()
    fleet.drive(10.0)
    owner = fleet.owner
    other, heir = (each for each in fleet.running if each is not owner)
    fleet.create(other)
    fleet.drive(3.0)
    way = Way(heir)
    way.closed = {Operation.FOLLOW}
    owner.is_frozen = True  # it learns of none of this
    owner.begin_trouble()
    _want_updates_and_make_one(fleet, other)
    for lost in (owner, other):
        fleet.kill(lost)
    fleet.drive(20.0)
    way.closed = set()
    fleet.drive(20.0)
    assert _sent(fleet) == [(owner.number, 1), (heir.number, 2)]
