"""Webhooks of a node that is lost while it attempts them: no other node sends before what it began can be over, and it
sends nothing that it had not begun."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from gateway.tests.bodies import subscription_patch
from gateway.tests.engine.webhook_fleet import SUBSCRIPTION, WebhookFleet
from gateway.tests.simulation.fleet_node import FleetNode
from gateway.tests.world.store import Operation

from signalpost.commands.subscriptions import PatchSubscription
from signalpost.engine.fleet.lane_owner import OVER_WITH_ITS_NODE
from signalpost.engine.settings import EngineSettings
from signalpost.runtime.clock import MAX_ADJUSTMENT
from signalpost.store.nouns.fleet import SHARED

LONG = 30.0
"""An ATTEMPT_TIMEOUT that is longer than a node needs to be dead."""


@pytest.fixture
def settings() -> EngineSettings:
    return EngineSettings()


@pytest.fixture
def fleet(tmp_path: Path, settings: EngineSettings) -> Iterator[WebhookFleet]:
    with closing(WebhookFleet(tmp_path, settings)) as fleet:
        yield fleet


@pytest.mark.parametrize("settings", [EngineSettings(attempt_timeout=LONG)])
def test_a_lane_is_not_claimed_before_attempts_that_may_take_long_can_be_over(fleet: WebhookFleet) -> None:
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


def test_a_lane_gets_another_owner_as_soon_as_its_own_is_dead_and_not_before(fleet: WebhookFleet) -> None:
    fleet.answers_after = 60.0
    lost = fleet.owner
    fleet.create()
    lost.is_frozen = True
    lost.begin_trouble()
    fleet.drive(30.0)
    first, again = fleet.requests[:2]
    assert SHARED.lease + OVER_WITH_ITS_NODE < again.at - first.at < SHARED.dead_after + 3 * SHARED.beat_every


def until_sent_again(fleet: WebhookFleet, lost: FleetNode, machine: int) -> float:
    """Kill a node that waits for an answer, and start another; how many seconds pass until the event is sent again."""
    fleet.answers_after = 4.0
    fleet.create()
    lost.begin_trouble()
    fleet.kill(lost)
    killed_at = fleet.time.now
    fleet.start_node(machine)
    fleet.drive(SHARED.dead_after + LONG + 3 * SHARED.beat_every)
    _, again, *_ = fleet.requests
    return again.at - killed_at


@pytest.mark.parametrize("settings", [EngineSettings(), EngineSettings(attempt_timeout=LONG)])
@pytest.mark.parametrize("alone", [True, False])
def test_a_node_that_is_killed_and_started_anew_goes_on_at_once(fleet: WebhookFleet, alone: bool) -> None:
    lost = fleet.owner
    for other in [node for node in fleet.running if node is not lost]:
        if alone or other.machine == lost.machine:
            fleet.kill(other)
    fleet.drive(SHARED.dead_after + 3 * SHARED.beat_every)
    assert until_sent_again(fleet, lost, lost.machine) < 3.0


@pytest.mark.parametrize("settings", [EngineSettings(), EngineSettings(attempt_timeout=LONG)])
def test_a_node_on_another_machine_waits_until_the_lease_of_one_that_was_killed_has_ended(
    fleet: WebhookFleet, settings: EngineSettings
) -> None:
    lost = fleet.owner
    for other in [node for node in fleet.running if node is not lost]:
        fleet.kill(other)
    fleet.drive(SHARED.dead_after + 3 * SHARED.beat_every)
    assert until_sent_again(fleet, lost, lost.machine + 1) > SHARED.lease + settings.attempt_timeout


@pytest.mark.parametrize("settings", [EngineSettings(attempt_timeout=LONG)])
def test_what_is_made_while_nobody_owns_a_lane_counts_as_its_lag(fleet: WebhookFleet) -> None:
    lost = fleet.owner
    other = next(node for node in fleet.running if node is not lost)
    lost.is_frozen = True
    lost.begin_trouble()
    fleet.drive(SHARED.dead_after + 3 * SHARED.beat_every)
    assert fleet.lag(other) == 0
    fleet.create()
    assert fleet.requests == [], "nobody owns the lane yet"
    assert fleet.lag(other) == 1
    fleet.drive(LONG)
    assert [request.process for request in fleet.requests] == [other.number]
    assert fleet.lag(other) == 0


@pytest.mark.parametrize("settings", [EngineSettings(attempt_timeout=LONG)])
def test_what_a_subscription_does_not_want_is_no_lag_while_nobody_owns_its_lane(fleet: WebhookFleet) -> None:
    lost = fleet.owner
    other = next(node for node in fleet.running if node is not lost)
    patch = subscription_patch(eventTypes=4)  # deletions
    fleet.ask(PatchSubscription(tenant_id=1, subscription_id=SUBSCRIPTION, patch=patch))
    lost.is_frozen = True
    lost.begin_trouble()
    fleet.drive(SHARED.dead_after + 3 * SHARED.beat_every)
    fleet.create()
    assert fleet.lag(other) == 0


@pytest.mark.parametrize("settings", [EngineSettings(cache_bytes=0)])
def test_a_node_that_was_frozen_while_it_read_an_event_does_not_send_it(fleet: WebhookFleet) -> None:
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
    assert SHARED.lease + OVER_WITH_ITS_NODE < SHARED.dead_after * (1 - MAX_ADJUSTMENT)
