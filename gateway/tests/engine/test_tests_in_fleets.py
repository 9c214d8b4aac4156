"""A test of an endpoint, sent by another node than the one that delivers to it."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.bodies import new_document, subscription_patch
from gateway.tests.engine.webhook_fleet import SUBSCRIPTION, WebhookFleet
from gateway.tests.simulation.fleet_node import FleetNode
from gateway.tests.world.network import Reply, SentRequest

from signalpost.commands.documents import CreateDocument
from signalpost.commands.subscriptions import PatchSubscription
from signalpost.domain.documents import sample
from signalpost.domain.event import EventType
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND, format_timestamp
from signalpost.engine.settings import EngineSettings

DOCUMENTS = 5


class TroubledFleet(WebhookFleet):
    """The endpoint of this fleet fails until it is mended, and its breaker is open."""

    def __init__(self, folder: Path) -> None:
        self.is_mended = False
        super().__init__(folder, EngineSettings())
        for number in range(1, DOCUMENTS + 1):
            self.create_another(number)
        self.drive(80.0)
        assert self.health(self.owner)["breaker"] == "open", "and a probe has just failed: the next is not near"

    def create_another(self, number: int) -> None:
        self.ask(
            CreateDocument(
                tenant_id=1, document_id=f"00000000-0000-4000-8000-{number:012d}", new=new_document(),
                source_app="app", idempotency=None,
            )
        )  # fmt: skip

    def answer(self, sent: SentRequest) -> Reply:
        self.requests.append(sent)
        return Reply(after=0.1) if self.is_mended else Reply(status=500, after=0.1)

    @property
    def other(self) -> FleetNode:
        return next(node for node in self.running if node is not self.owner)

    def found(self, node: FleetNode) -> Subscription:
        found = node.engine.directory.subscription(1, SUBSCRIPTION)
        assert found is not None
        return found

    def patch(self, **fields: object) -> None:
        patch = subscription_patch(**fields)
        self.ask(PatchSubscription(tenant_id=1, subscription_id=SUBSCRIPTION, patch=patch))

    def health(self, node: FleetNode) -> dict[str, Any]:
        task = node.loop.create_task(node.engine.lanes.views.of(self.found(node)))
        self.drive(1.0)
        return task.result().shown()

    def test(self, node: FleetNode, *, of: Subscription | None = None) -> None:
        tested = of or self.found(node)
        event = sample.event(EventType.CREATED, 1, SECOND, lambda bits: (1 << bits) - 1)
        task = node.loop.create_task(node.engine.endpoint_tests.run(tested, event))
        self.drive(2.0)
        assert (task.result().failure is None) is self.is_mended


@pytest.mark.parametrize("owner_tests", [True, False])
def test_a_delivered_test_closes_the_breaker_whichever_node_sent_it_c16(tmp_path: Path, *, owner_tests: bool) -> None:
    with closing(TroubledFleet(tmp_path)) as fleet:
        before = fleet.found(fleet.owner)
        fleet.is_mended = True
        fleet.requests.clear()
        fleet.test(fleet.owner if owner_tests else fleet.other)
        assert {node.engine: fleet.health(node)["breaker"] for node in fleet.running} == {
            node.engine: "closed" for node in fleet.running
        }
        assert len(fleet.requests) > 2, "and what waits goes out"
        assert fleet.found(fleet.owner).etag == before.etag, "who edits the subscription meanwhile is not disturbed"


def test_a_test_that_fails_at_another_node_changes_nothing(tmp_path: Path) -> None:
    with closing(TroubledFleet(tmp_path)) as fleet:
        subscription, health = fleet.found(fleet.owner), fleet.health(fleet.owner)
        fleet.test(fleet.other)
        after = fleet.health(fleet.owner)
        assert fleet.found(fleet.owner) == subscription
        assert (after["breaker"], after["failingSince"]) == ("open", health["failingSince"])


def test_a_test_of_a_former_url_closes_no_breaker(tmp_path: Path) -> None:
    with closing(TroubledFleet(tmp_path)) as fleet:
        former = fleet.found(fleet.other)
        fleet.subscribed["s2"] = (1, SUBSCRIPTION)
        fleet.patch(url="https://s2/")
        fleet.drive(120.0)
        failing = fleet.health(fleet.owner)
        assert failing["failingSince"] is not None
        fleet.is_mended = True
        fleet.test(fleet.other, of=former)
        assert fleet.health(fleet.owner) == failing


@pytest.mark.parametrize("asked", ["a test", "a resume", "another endpoint"])
def test_what_was_asked_of_an_endpoint_while_its_node_was_lost_is_the_probe_of_the_next_node_c16(
    tmp_path: Path, asked: str
) -> None:
    with closing(TroubledFleet(tmp_path)) as fleet:
        owner, other = fleet.owner, fleet.other
        fleet.drive(240.0)
        fleet.create_another(DOCUMENTS + 1)  # the others may have been given up
        if asked == "a resume":
            fleet.patch(status="paused")
        probe_at = fleet.health(owner)["nextProbeAt"]
        fleet.kill(owner)
        fleet.is_mended = True
        if asked == "a test":
            fleet.test(other)
        else:
            fleet.subscribed["s2"] = (1, SUBSCRIPTION)
            fleet.patch(**({"status": "active"} if asked == "a resume" else {"url": "https://s2/"}))
        fleet.drive(25.0)
        assert fleet.owner is other
        assert format_timestamp(other.clock.wall()) < probe_at
        assert fleet.health(other)["breaker"] == "closed"
