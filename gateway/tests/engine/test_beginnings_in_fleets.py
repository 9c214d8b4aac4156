"""A subscription that begins in the past, in a fleet: made through any node, its lane begins where it says (C14)."""

from contextlib import closing
from pathlib import Path

import pytest
from gateway.tests.bodies import document_patch, subscription_request
from gateway.tests.engine.webhook_fleet import DOCUMENT, WebhookFleet
from gateway.tests.simulation.fleet_world import SECRET

from signalpost.commands.documents import PatchDocument
from signalpost.commands.subscriptions import CreateSubscription
from signalpost.domain import beginning
from signalpost.engine.settings import EngineSettings


@pytest.mark.parametrize("through", [0, 1])
@pytest.mark.parametrize("after", [0, 3, 10])
def test_it_gets_exactly_what_follows_its_beginning_whichever_node_makes_it(
    tmp_path: Path, after: int, through: int
) -> None:
    with closing(WebhookFleet(tmp_path, EngineSettings())) as fleet:
        first, second = fleet.running
        fleet.create(first)
        for number in range(9):
            patch = PatchDocument(tenant_id=1, document_id=DOCUMENT, patch=document_patch(title=f"no. {number}"))
            fleet.ask(patch, (first, second)[number % 2])
        fleet.drive(10.0)
        identity = "00000000-0000-4000-b000-000000000002"
        fleet.subscribed["s2"] = (1, identity)
        fleet.ask(
            CreateSubscription(
                tenant_id=1,
                subscription_id=identity,
                new=subscription_request(url="https://s2/", eventTypes=7),
                secret=SECRET,
                retry_delays=(10,) * 6,
                begins=beginning.after(after, 1),
            ),
            (first, second)[through],
        )
        fleet.ask(PatchDocument(tenant_id=1, document_id=DOCUMENT, patch=document_patch(title="later")), first)
        fleet.drive(60.0)
        sent = [request.sequence for request in fleet.requests if request.host == "s2"]
        assert sent == [*range(after + 1, 12)]
