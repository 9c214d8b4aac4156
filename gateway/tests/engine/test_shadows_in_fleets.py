"""A shadow whose lane another node has than that of its original."""

from contextlib import closing
from pathlib import Path

import pytest
from gateway.tests.bodies import document_patch, subscription_patch
from gateway.tests.engine.webhook_fleet import DOCUMENT, SUBSCRIPTION, WebhookFleet

from signalpost.commands.documents import PatchDocument
from signalpost.commands.shadows import CreateShadow, PromoteShadow
from signalpost.commands.subscriptions import PatchSubscription
from signalpost.domain.shadow import ShadowRequest
from signalpost.engine.settings import EngineSettings

SHADOW = "00000000-0000-4000-b000-000000000002"
SECRET = "a secret of its own"


@pytest.mark.parametrize("through", [0, 1])
def test_a_shadow_follows_its_original_and_is_promoted_whichever_node_has_its_lane(
    tmp_path: Path, through: int
) -> None:
    """C14, C17"""
    with closing(WebhookFleet(tmp_path, EngineSettings())) as fleet:
        first, second = fleet.running
        fleet.create(first)
        fleet.subscribed["s2"] = (1, SHADOW)
        new = ShadowRequest(shadow_of=SUBSCRIPTION, url="https://s2/")
        fleet.ask(CreateShadow(tenant_id=1, subscription_id=SHADOW, new=new, secret=SECRET), (first, second)[through])
        titles = iter(range(100))

        def change(times: int) -> None:
            for number in range(times):
                patch = document_patch(title=f"no. {next(titles)}")
                fleet.ask(PatchDocument(tenant_id=1, document_id=DOCUMENT, patch=patch), fleet.running[number % 2])

        change(3)
        only = subscription_patch(when={"field": "document.title", "in": ["no. 4", "no. 6"]})
        fleet.ask(PatchSubscription(tenant_id=1, subscription_id=SUBSCRIPTION, patch=only), second)
        change(4)
        fleet.drive(30.0)
        sent = {host: [each.sequence for each in fleet.requests if each.host == host] for host in ("s1", "s2")}
        assert sent == {"s1": [1, 2, 3, 4, 6, 8], "s2": [2, 3, 4, 6, 8]}
        fleet.requests.clear()
        fleet.ask(PromoteShadow(tenant_id=1, subscription_id=SHADOW, shadow_of=SUBSCRIPTION), second)
        fleet.subscribed |= {"s1": (1, SHADOW), "s2": (1, SUBSCRIPTION)}
        every = subscription_patch(when=None)
        fleet.ask(PatchSubscription(tenant_id=1, subscription_id=SUBSCRIPTION, patch=every), first)
        change(1)
        fleet.drive(30.0)
        assert {each.host: "signalpost-shadow" in each.headers for each in fleet.requests} == {"s1": True, "s2": False}
