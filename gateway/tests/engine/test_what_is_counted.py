"""What the engine counts for the metrics: how late deliveries are, what was given up or lost, breakers, tokens, and how
much of its retention the oldest waiting event has used."""

import asyncio

import pytest
from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld
from gateway.tests.world.network import BROKEN, Reply, VendorReply
from gateway.tests.world.vendors import HOST, KINDS, FakeVendor

from signalpost.domain.subscription import WEBHOOK
from signalpost.engine.counts import TokenAnswer
from signalpost.runtime.histogram import Histogram

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

HOUR, DAY = 3600.0, 24 * 3600.0


def within(histogram: Histogram, seconds: float) -> int:
    """How many values were counted up to a bound."""
    return sum(histogram.counts[: histogram.bounds.index(seconds) + 1])


def test_how_long_after_its_event_each_delivery_arrived_is_counted_once(world: ScriptedWorld) -> None:
    """A delivery that is retried is counted when it arrives, and a replay not at all."""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(100, 100))
        await gateway.create("one", "two", "three")
        await asyncio.sleep(5)
        world.endpoint("a").answers(BROKEN)
        await gateway.create("four", "five")
        await asyncio.sleep(5)
        world.endpoint("a").answers(Reply())
        await asyncio.sleep(500)
        arrived = gateway.engine.counts.delivery_seconds[WEBHOOK]
        assert (within(arrived, 5.0), within(arrived, 60.0), within(arrived, 300.0)) == (3, 3, 5)
        assert sum(arrived.counts) == 5
        await gateway.replay("a", "all", 1, 5)
        await asyncio.sleep(100)
        assert len(world.endpoint("a").sequences) == 10
        assert sum(arrived.counts) == 5
        assert sum(gateway.engine.counts.attempt_seconds[WEBHOOK].counts) == 12

    world.run(scenario)


def test_a_delivery_that_its_subscription_delays_is_not_late(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", after={"seconds": 7200})
        await gateway.create("one")
        await asyncio.sleep(2.5 * HOUR)
        arrived = gateway.engine.counts.delivery_seconds[WEBHOOK]
        assert within(arrived, 5.0) == sum(arrived.counts) == 1

    world.run(scenario)


def test_deliveries_are_counted_by_the_kind_of_their_destination(world: ScriptedWorld) -> None:
    world.destinations, world.vendors[HOST] = KINDS, FakeVendor(sign_in="grant")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.connect("c", signIn="grant")
        await gateway.deliver("s", "c", config={"text": "New"})
        await gateway.create("one", "two")
        await asyncio.sleep(10)
        counts = gateway.engine.counts
        assert {kind: sum(each.counts) for kind, each in counts.delivery_seconds.items()} == {WEBHOOK: 2, "fake": 2}
        assert {kind: sum(each.counts) for kind, each in counts.attempt_seconds.items()} == {WEBHOOK: 2, "fake": 2}
        assert counts.tokens == {"granted": 1}

    world.run(scenario)


@pytest.mark.parametrize(
    ("refuses", "reply", "counted"),
    [("invalid_client", None, "refused"), (None, VendorReply(500), "unanswered")],
)
def test_a_token_that_does_not_come_is_counted_by_why(
    world: ScriptedWorld, refuses: str | None, reply: VendorReply | None, counted: TokenAnswer
) -> None:
    world.destinations, vendor = KINDS, FakeVendor(sign_in="grant")
    world.vendors[HOST] = vendor
    vendor.refuses, vendor.give = refuses, lambda _call: reply

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", signIn="grant")
        await gateway.deliver("s", "c", config={"text": "New"})
        await gateway.create("one")
        await asyncio.sleep(0.5)
        assert gateway.engine.counts.tokens == {counted: 1}

    world.run(scenario)


def test_what_is_given_up_is_counted_and_a_breaker_that_opens(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(100,))
        await gateway.subscribe("well")
        world.endpoint("a").answers(BROKEN)
        await gateway.create(*(f"d{number}" for number in range(20)))
        await asyncio.sleep(3 * HOUR)
        counts = gateway.engine.counts
        assert (counts.given_up, counts.lost) == (20, 0)
        assert counts.breakers_opened == 1

    world.run(scenario)


def test_what_the_retention_takes_from_a_lane_is_counted_as_lost(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("paused", status="paused")
        await gateway.subscribe("well")
        await gateway.create("one", "two", "three")
        await asyncio.sleep(1.1 * DAY)
        assert gateway.health("paused")["lost"] == 3
        assert (gateway.engine.counts.lost, gateway.engine.counts.given_up) == (3, 0)

    world.run(scenario, retention_days=1)


def test_how_much_of_its_retention_the_oldest_waiting_event_has_used(world: ScriptedWorld) -> None:
    """Whatever it waits for: a pause, or a retry that only the store still knows of. The store is asked at most once a
    minute."""

    async def scenario(gateway: RunningGateway) -> None:
        used = gateway.engine.retention_use
        await gateway.subscribe("well")
        await gateway.subscribe("failing", delays=(86_400,))
        await gateway.subscribe("paused", status="paused")
        assert await used.ratio() == 0
        world.endpoint("failing").answers(BROKEN)
        await gateway.create("one")
        await asyncio.sleep(30)
        assert await used.ratio() == 0, "what was found less than a minute ago"
        await asyncio.sleep(0.5 * DAY)
        assert await used.ratio() == pytest.approx(0.25, rel=0.01)
        await gateway.change("paused", status="active")
        await asyncio.sleep(100)
        assert await used.ratio() == pytest.approx(0.25, rel=0.01), "the failing one still waits"
        world.endpoint("failing").answers(Reply())
        await asyncio.sleep(0.8 * DAY)
        assert await used.ratio() == 0

    world.run(scenario, retention_days=2)
