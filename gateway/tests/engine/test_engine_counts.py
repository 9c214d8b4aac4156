"""How many deliveries of a subscription wait, and how many failed: `health` knows, and counts nothing to know it."""

import asyncio

import pytest
from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld
from gateway.tests.world.network import BROKEN, HANG, Reply

from signalpost.domain.delivery.lane_bounds import Bounds

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

DAY = 24 * 3600.0


def counts(gateway: RunningGateway) -> tuple[int, int]:
    health = gateway.health("a")
    return health["waiting"], health["failed"]


@pytest.fixture(params=["all retries in memory", "few retries in memory"])
def small(world: ScriptedWorld, request: pytest.FixtureRequest) -> ScriptedWorld:
    if request.param == "few retries in memory":
        world.bounds = Bounds(retries_kept=2, retries_loaded=3)
    return world


def test_what_is_not_settled_waits_and_what_is_given_up_failed(
    small: ScriptedWorld,
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(1_000,))
        assert counts(gateway) == (0, 0)
        small.endpoint("a").answers(HANG)
        await gateway.create(*(f"d{number}" for number in range(10)))
        await gateway.update("d0", times=12)
        await asyncio.sleep(0.5)
        assert counts(gateway) == (22, 0)
        small.endpoint("a").answers(BROKEN)
        await asyncio.sleep(500)
        assert counts(gateway) == (22, 0)
        await asyncio.sleep(20_000)
        assert counts(gateway) == (0, 22)
        assert (await gateway.engine.lanes.views.overview()).failed == 22

    small.run(scenario)


def test_counts_survive_a_crash(small: ScriptedWorld) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(1_000,))
        await gateway.subscribe("b")
        small.endpoint("a").answers(BROKEN)
        await gateway.create(*(f"d{number}" for number in range(10)))
        await asyncio.sleep(2_500)
        await gateway.create(*(f"e{number}" for number in range(10)))
        await asyncio.sleep(100)
        assert counts(gateway) == (10, 10)

    async def second(gateway: RunningGateway) -> None:
        assert counts(gateway) == (10, 10)
        overview = await gateway.engine.lanes.views.overview()
        assert (overview.waiting["active"], overview.failed) == (10, 10)

    small.crash(first)
    small.run(second)


def test_retries_and_replays_take_failed_ones_up_again(small: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=())
        small.endpoint("a").answers(BROKEN)
        await gateway.create(*(f"d{number}" for number in range(10)))
        await asyncio.sleep(10)
        assert counts(gateway) == (0, 10)
        small.endpoint("a").answers(Reply())
        await gateway.retry("a", 3)
        await asyncio.sleep(5)
        assert counts(gateway) == (0, 9)
        small.endpoint("a").answers(BROKEN)
        await gateway.replay("a", "failed", 1, 5)
        await asyncio.sleep(5)
        assert counts(gateway) == (4, 5)
        small.endpoint("a").answers(Reply())
        await asyncio.sleep(1_000)
        assert counts(gateway) == (0, 5)

    small.run(scenario)


def test_a_backlog_that_is_skipped_has_failed(small: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(1_000,))
        small.endpoint("a").answers(BROKEN)
        await gateway.create(*(f"d{number}" for number in range(20)))
        await asyncio.sleep(10)
        assert counts(gateway) == (20, 0)
        await gateway.change("a", status="paused")
        await gateway.change("a", status="active", skipBacklog=True)
        await gateway.until_recorded()
        assert counts(gateway) == (0, 20)

    small.run(scenario)


def test_what_the_retention_removes_is_counted_no_more(small: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=())
        small.endpoint("a").answers(BROKEN)
        await gateway.create(*(f"d{number}" for number in range(10)))
        await asyncio.sleep(DAY / 2)
        await gateway.create("e")
        await asyncio.sleep(1)
        assert counts(gateway) == (0, 11)
        await asyncio.sleep(DAY * 0.6)
        assert counts(gateway) == (0, 1)

    small.run(scenario, retention_days=1)
