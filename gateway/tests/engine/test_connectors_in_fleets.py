"""Connectors at two nodes. A long call of a node that is lost in the middle of it does not overlap with one of the
lane's new owner, and what one node does with a connection holds at the other."""

import json
import re
from collections.abc import Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from gateway.tests.bodies import new_document
from gateway.tests.engine.idle_fleet import IdleFleet
from gateway.tests.simulation.fleet_node import FleetNode
from gateway.tests.world.network import VendorCall, VendorReply
from gateway.tests.world.store import Operation
from gateway.tests.world.vendors import HOST, KINDS, FakeVendor, Lengthy

from signalpost.commands.connections import CreateConnection, DeleteConnection
from signalpost.commands.documents import CreateDocument
from signalpost.commands.subscriptions import CreateConnectorSubscription
from signalpost.engine.connectors.connectors import GONE
from signalpost.store.nouns.fleet import SHARED

CONNECTION = "00000000-0000-4000-a000-000000000001"
SUBSCRIPTION = "00000000-0000-4000-b000-000000000001"
T = TypeVar("T")
LATE = Lengthy.seconds - 1
"""The seconds after which the vendor answers."""


class Fleet(IdleFleet):
    """Two nodes, and a vendor who takes as long as a call may."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.destinations = KINDS
        self.its = FakeVendor()
        self.its.take = lambda _call: VendorReply(after=LATE)
        self.start_nodes(2)

    def vendor(self, host: str) -> FakeVendor | None:
        return self.its if host == HOST else None

    def ask(self, *commands: Any) -> None:
        for command in commands:
            node = next(node for node in self.running if not node.is_frozen)
            self.result(node, node.engine.submit(command))

    def result(self, node: FleetNode, work: Coroutine[Any, Any, T]) -> T:
        """The result of some work at a node, a second later."""
        task = node.loop.create_task(work)
        self.drive(1.0)
        return task.result()

    def subscribe(self, kind: str = "lengthy", **config: Any) -> None:
        self.ask(
            CreateConnection(
                tenant_id=1, connection_id=CONNECTION, kind=kind, name="c", config={}, needs_consent=False
            ),
            CreateConnectorSubscription(
                tenant_id=1, subscription_id=SUBSCRIPTION, kind=kind, connection_id=CONNECTION,
                url="https://vendor.example", name="s", event_types=("documentCreated",), retry_delays=(10,) * 6,
                config=config,
            ),
        )  # fmt: skip
        self.drive(10.0)

    def create(self) -> None:
        document = "00000000-0000-4000-8000-000000000001"
        self.ask(
            CreateDocument(tenant_id=1, document_id=document, new=new_document(), source_app="app", idempotency=None)
        )

    @property
    def calls(self) -> list[VendorCall]:
        return self.its.calls

    @property
    def owner(self) -> FleetNode:
        [(owner,)] = self.rows("SELECT owner FROM lane")
        return next(node for node in self.running if node.store.fleet.node_id == owner)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with closing(Fleet(tmp_path)) as fleet:
        yield fleet


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_lane_with_a_long_call_under_way_waits_for_its_end_and_then_gets_another_owner(
    fleet: Fleet, *, is_killed: bool
) -> None:
    fleet.subscribe()
    lost = fleet.owner
    fleet.create()
    assert [call.process for call in fleet.calls] == [lost.number]
    if is_killed:
        fleet.kill(lost)
    else:
        lost.is_frozen = True
    fleet.drive(60.0)
    first, again = fleet.calls
    assert again.process != first.process
    assert again.at >= first.at + LATE, "the first call can still be at work at the vendor"
    assert again.at < first.at + SHARED.dead_after + Lengthy.seconds + 3 * SHARED.beat_every
    if not is_killed:
        lost.is_frozen = False
        fleet.drive(30.0)
        assert fleet.calls == [first, again]


def test_a_mail_of_a_node_that_is_lost_is_sent_again_by_another_as_the_same_mail(fleet: Fleet) -> None:
    """C15"""
    fleet.its.take = lambda _call: VendorReply(250, after=25.0 if len(fleet.calls) == 1 else 0.01)
    fleet.subscribe("posting")
    lost = fleet.owner
    fleet.create()
    fleet.kill(lost)
    fleet.drive(90.0)
    first, again = fleet.calls
    assert again.process != first.process
    assert len({re.findall(rb"Message-ID: (\S+)", call.body)[0] for call in (first, again)}) == 1
    fleet.drive(90.0)
    assert fleet.calls == [first, again]


def test_a_lane_with_short_calls_gets_another_owner_as_soon_as_its_own_is_dead(fleet: Fleet) -> None:
    fleet.its.take = lambda _call: VendorReply(after=1.0)
    fleet.subscribe("fake")
    fleet.owner.is_frozen = True
    began = fleet.time.now
    fleet.create()
    fleet.drive(30.0)
    [call] = fleet.calls
    assert call.at < began + SHARED.dead_after + 3 * SHARED.beat_every


def test_a_node_that_was_frozen_between_two_calls_of_an_attempt_does_not_make_the_second(fleet: Fleet) -> None:
    fleet.its.take = lambda _call: VendorReply(after=1.0)
    fleet.subscribe(does="twice")
    lost = fleet.owner
    fleet.create()
    lost.is_frozen = True
    fleet.drive(60.0)
    lost.is_frozen = False
    fleet.drive(30.0)
    assert [call.process for call in fleet.calls].count(lost.number) == 1
    assert len(fleet.its.messages) == 3, "the other node made both"


@pytest.mark.parametrize("kind", ["fake", "lengthy"])
def test_a_node_that_was_frozen_while_it_read_for_a_call_does_not_make_it(fleet: Fleet, kind: str) -> None:
    fleet.its.take = lambda _call: VendorReply(after=1.0)
    fleet.subscribe(kind)
    lost = fleet.owner
    before = lost.wire.before

    async def freeze(operation: Operation) -> None:
        lost.is_frozen = lost.is_frozen or operation is Operation.MADE
        await before(operation)

    lost.wire.before = freeze  # type: ignore[method-assign]
    fleet.create()
    assert fleet.calls == []
    fleet.drive(60.0)
    lost.wire.before = before  # type: ignore[method-assign]
    lost.is_frozen = False
    fleet.drive(30.0)
    [call] = fleet.calls
    assert call.process != lost.number
    assert json.loads(call.body)["event"]


def test_a_node_that_was_taken_for_dead_and_is_back_does_not_go_on_with_an_attempt_of_before(fleet: Fleet) -> None:
    fleet.its.take = lambda _call: VendorReply(after=6.0)
    fleet.subscribe(does="twice")
    lost = fleet.owner
    fleet.create()
    fleet.rows("DELETE FROM node WHERE id = ?", lost.store.fleet.node_id)
    lost.be_forgotten()
    fleet.drive(5.0)
    assert len(fleet.calls) == 1
    assert len(fleet.rows("SELECT 1 FROM node")) == 2, "it has joined again"
    fleet.drive(60.0)
    assert ["channel" in call.headers for call in fleet.calls] == [False, False, True], "the attempt began anew"


def test_a_connection_that_one_node_deletes_is_gone_at_the_other(fleet: Fleet) -> None:
    """The other has it open, and would go on to renew its tokens."""
    config = {"signIn": "grant"}
    fleet.its = FakeVendor(sign_in="grant")
    fleet.ask(
        CreateConnection(
            tenant_id=1, connection_id=CONNECTION, kind="fake", name="c", config=config, needs_consent=False
        )
    )
    fleet.drive(3.0)
    one, other = fleet.running
    known = other.engine.directory.connection(1, CONNECTION)
    assert known is not None
    assert fleet.result(other, other.engine.connectors.test(known)).works
    fleet.result(one, one.engine.submit(DeleteConnection(tenant_id=1, connection_id=CONNECTION)))
    fleet.drive(3.0)
    assert other.engine.directory.connection(1, CONNECTION) is None
    assert other.engine.directory.connections(1) == []
    asked = len(fleet.its.token_calls) + len(fleet.calls)
    refused = fleet.result(other, other.engine.connectors.test(known))
    assert (refused.works, refused.detail) == (False, GONE)
    assert len(fleet.its.token_calls) + len(fleet.calls) == asked
