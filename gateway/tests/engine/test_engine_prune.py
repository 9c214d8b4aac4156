"""A log that was pruned while the gateway was stopped: subscriptions that lost something say so, and all go on behind
it."""

import asyncio

import pytest
from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld
from gateway.tests.world.network import BROKEN, HANG, Reply, SentRequest

from signalpost.domain.timestamps import SECOND
from signalpost.store.database import PrunedRows
from signalpost.store.sqlite.database import SqliteDatabase

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

OLD, RECENT = ("one", "two", "three"), ("four", "five")


def prune_between(world: ScriptedWorld) -> PrunedRows:
    """Remove the old events."""
    between = world.query("SELECT at FROM event WHERE sequence = 3 AND tenant_id > 0")[0][0] + SECOND
    told: list[tuple[int, int]] = []
    now = world.wall.at(world.time.now)
    pruned = SqliteDatabase(world.path).prune(now, now - between, lambda *step: told.append(step))
    assert told[-1] == (3, 3)
    return pruned


async def publish(gateway: RunningGateway) -> None:
    await gateway.create(*OLD)
    await asyncio.sleep(100)
    await gateway.create(*RECENT)
    await asyncio.sleep(1)


def test_what_was_delivered_or_not_yet_old_is_not_touched(world: ScriptedWorld) -> None:
    async def before(gateway: RunningGateway) -> None:
        await gateway.subscribe("well")
        await publish(gateway)

    async def after(gateway: RunningGateway) -> None:
        await gateway.create("six")
        await asyncio.sleep(1)
        assert gateway.health("well")["lost"] == 0

    world.run(before)
    pruned = prune_between(world)
    assert (pruned.removed["event"], pruned.removed["attempt"], pruned.lost) == (3, 3, {})
    world.run(after)
    assert world.endpoint("well").sequences == [1, 2, 3, 4, 5, 6]
    assert world.logged("error", "") == 0


def test_a_lane_that_had_not_read_them_says_how_many_it_lost(world: ScriptedWorld) -> None:
    async def before(gateway: RunningGateway) -> None:
        await gateway.subscribe("paused", status="paused")
        await publish(gateway)

    async def after(gateway: RunningGateway) -> None:
        await gateway.change("paused", status="active")
        await gateway.until(lambda: len(world.endpoint("paused").sequences) == 2)
        assert gateway.health("paused")["lost"] == 3

    world.run(before)
    assert prune_between(world).lost == {world.ids["paused"]: 3}
    world.run(after)
    assert world.endpoint("paused").sequences == [4, 5]
    assert world.logged("error", "events were removed before they were delivered") == 1
    assert world.lane("paused").health["lost"] == 3


@pytest.mark.parametrize("ordering", ["loose", "strict"])
def test_a_lane_that_had_them_wait_for_a_retry_says_how_many_it_lost(world: ScriptedWorld, ordering: str) -> None:
    async def before(gateway: RunningGateway) -> None:
        await gateway.subscribe("failing", delays=(3600,), ordering=ordering)
        world.endpoint("failing").answers(BROKEN)
        await gateway.create("one")
        await gateway.update("one", times=2)
        await asyncio.sleep(100)
        await gateway.create(*RECENT)
        await asyncio.sleep(1)

    async def after(gateway: RunningGateway) -> None:
        world.endpoint("failing").answers(Reply())
        assert gateway.health("failing")["lost"] == 3
        await gateway.until(lambda: len(world.endpoint("failing").sequences) == 2)

    world.run(before)
    assert prune_between(world).lost == {world.ids["failing"]: 3}
    world.run(after)
    assert sorted(world.endpoint("failing").sequences) == [4, 5]
    assert world.lane("failing").health["lost"] == 3


def test_a_lane_that_had_them_on_their_way_says_how_many_it_lost(world: ScriptedWorld) -> None:
    """The lane took them in, and a crash came before they were answered."""

    def first_alone(call: SentRequest) -> Reply:
        return Reply() if call.sequence == 1 else HANG

    async def before(gateway: RunningGateway) -> None:
        await gateway.subscribe("hanging")
        world.endpoint("hanging").answer = first_alone
        await gateway.create(*OLD)
        await asyncio.sleep(2)
        await gateway.create(*RECENT)
        await gateway.until_recorded()

    async def after(gateway: RunningGateway) -> None:
        assert gateway.health("hanging")["lost"] == 2
        await gateway.until(lambda: len(world.endpoint("hanging").sequences) == 3)

    world.crash(before)
    assert world.lane("hanging").open[:2] == [2, 3]
    assert prune_between(world).lost == {world.ids["hanging"]: 2}
    world.endpoint("hanging").answers(Reply())
    world.run(after)
    assert world.endpoint("hanging").sequences == [1, 4, 5]
