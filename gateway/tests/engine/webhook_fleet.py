"""Two nodes of a simulated fleet, one of which owns the lane of a webhook."""

from pathlib import Path
from typing import Any

from gateway.tests.bodies import new_document, subscription_request
from gateway.tests.engine.idle_fleet import IdleFleet
from gateway.tests.simulation.fleet_node import FleetNode
from gateway.tests.simulation.fleet_world import SECRET
from gateway.tests.world.network import Reply, SentRequest

from signalpost.commands.documents import CreateDocument
from signalpost.commands.subscriptions import CreateSubscription
from signalpost.engine.settings import EngineSettings

SUBSCRIPTION = "00000000-0000-4000-b000-000000000001"
DOCUMENT = "00000000-0000-4000-8000-000000000001"


class WebhookFleet(IdleFleet):
    """Two nodes, one of which owns the lane of a webhook."""

    def __init__(self, folder: Path, settings: EngineSettings) -> None:
        self.engine_settings = settings
        super().__init__(folder)
        self.requests: list[SentRequest] = []
        self.answers_after = 0.1
        self.start_nodes(2)
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

    def ask(self, command: Any, of: FleetNode | None = None) -> None:
        """Have a command committed, by any node that is not frozen unless one is named, and a second pass."""
        node = of or next(node for node in self.running if not node.is_frozen)
        task = node.loop.create_task(node.engine.submit(command))
        self.drive(1.0)
        task.result()

    def create(self, of: FleetNode | None = None) -> None:
        self.ask(
            CreateDocument(tenant_id=1, document_id=DOCUMENT, new=new_document(), source_app="app", idempotency=None),
            of,
        )

    def lag(self, of: FleetNode) -> int:
        """The lag of the webhook, as a node tells it."""
        subscription = of.engine.directory.subscription(1, SUBSCRIPTION)
        assert subscription is not None
        task = of.loop.create_task(of.engine.lanes.views.of(subscription))
        self.drive(1.0)
        return task.result().lag

    @property
    def owner(self) -> FleetNode:
        [(owner,)] = self.rows("SELECT owner FROM lane")
        return next(node for node in self.running if node.store.fleet.node_id == owner)
