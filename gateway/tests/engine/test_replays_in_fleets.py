"""A replay, and a skip of the backlog that cancels it, asked of another node than the one that delivers."""

from contextlib import closing
from pathlib import Path

import pytest
from gateway.tests.bodies import subscription_patch
from gateway.tests.engine.webhook_fleet import SUBSCRIPTION, WebhookFleet

from signalpost.commands.replays import StartReplay
from signalpost.commands.subscriptions import PatchSubscription
from signalpost.domain.delivery.replay import ReplayChoice, ReplayRange
from signalpost.engine.settings import EngineSettings


@pytest.mark.parametrize("owner_is_asked", [True, False])
def test_what_was_replayed_before_the_backlog_was_skipped_is_not_sent(tmp_path: Path, *, owner_is_asked: bool) -> None:
    with closing(WebhookFleet(tmp_path, EngineSettings())) as fleet:
        fleet.create()
        fleet.drive(5.0)
        assert [sent.sequence for sent in fleet.requests] == [1]
        asked = next(node for node in fleet.running if (node is fleet.owner) is owner_is_asked)

        def patch(**fields: object) -> PatchSubscription:
            return PatchSubscription(tenant_id=1, subscription_id=SUBSCRIPTION, patch=subscription_patch(**fields))

        fleet.ask(patch(status="paused"), asked)
        everything = ReplayRange(from_at=0, to_at=fleet.owner.clock.wall(), from_sequence=1, to_sequence=1)
        replay = StartReplay(
            tenant_id=1, subscription_id=SUBSCRIPTION, replay_id="00000000-0000-4000-a000-000000000001",
            choice=ReplayChoice("all"), range=everything, count=1, count_is_capped=False,
        )  # fmt: skip
        fleet.ask(replay, asked)
        fleet.drive(5.0)
        fleet.owner.wire.is_slow = not owner_is_asked  # it hears of the skip before it reads which replays run
        fleet.ask(patch(status="active", skipBacklog=True), asked)
        fleet.drive(30.0)
        assert [sent.sequence for sent in fleet.requests] == [1]
