"""A disk that is nearly full, or full: documents wait outside, what was promised goes on, and it clears by itself."""

import asyncio

import pytest
from gateway.tests.engine.world import BROKEN, DISK_RESERVE_MB, Life, Reply, World

from signalpost.domain.errors import DiskNearlyFull
from signalpost.engine.maintenance.disk_reserve import LOOK_EVERY, MB

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

NEARLY_FULL = DISK_RESERVE_MB * MB - 1
JUST_ENOUGH = DISK_RESERVE_MB * MB
A_LOOK = LOOK_EVERY + 0.1


@pytest.fixture
def world(world: World) -> World:
    """One that looks at its disk as often as a gateway."""
    world.look_every = LOOK_EVERY
    return world


def _trouble(life: Life) -> str:
    return life.engine.trouble or ""


def test_below_the_reserve_documents_are_refused_until_there_is_space_again(world: World) -> None:
    async def scenario(life: Life) -> None:
        await life.create("before")
        world.disk_free = NEARLY_FULL
        await asyncio.sleep(A_LOOK)
        for command in (world.create("refused"), world.update("before"), world.delete("before")):
            with pytest.raises(DiskNearlyFull) as refusal:
                await life.submit(command)
            assert refusal.value.code == "disk_nearly_full"
            assert refusal.value.retry_after > 1
        world.disk_free = JUST_ENOUGH
        await asyncio.sleep(A_LOOK)
        await life.update("before")
        assert len(await life.log()) == 2

    world.run(scenario)


def test_meanwhile_deliveries_subscriptions_and_retries_go_on(world: World) -> None:
    async def scenario(life: Life) -> None:
        await life.subscribe("a", delays=(10,))
        world.endpoint("a").answers(Reply(after=3))
        await life.create("slow")
        await life.subscribe("b", delays=(10,))
        world.endpoint("b").answers(BROKEN)
        await life.create("failing")
        world.disk_free = 0
        await life.until(lambda: len(world.endpoint("b").calls) == 2)
        await life.until_recorded()
        assert [attempt.failure for attempt in life.attempts("b", 2)] == ["status", "status"]
        await life.until(lambda: world.endpoint("a").sequences == [1, 2])
        await life.change("a", status="paused")
        await life.subscribe("c")
        await life.unsubscribe("c")
        world.endpoint("b").answers(Reply())
        await life.retry("b", 2)
        await life.until(lambda: world.endpoint("b").sequences == [2])

    world.run(scenario)


def test_an_operator_is_told_in_health_and_once_in_the_log(world: World) -> None:
    async def scenario(life: Life) -> None:
        assert _trouble(life) == ""
        world.disk_free = 7 * MB
        await asyncio.sleep(5 * A_LOOK)
        trouble = _trouble(life)
        assert "7 MB are free" in trouble
        assert f"DISK_RESERVE_MB keeps {DISK_RESERVE_MB}" in trouble
        assert world.logged("error", "documents are refused") == 1
        world.disk_free = JUST_ENOUGH
        await asyncio.sleep(5 * A_LOOK)
        assert _trouble(life) == ""
        assert world.logged("info", "documents are taken") == 1

    world.run(scenario)


def test_a_gateway_that_starts_on_a_disk_that_is_nearly_full_takes_no_document(world: World) -> None:
    async def scenario(life: Life) -> None:
        with pytest.raises(DiskNearlyFull):
            await life.create("refused")

    world.disk_free = NEARLY_FULL
    world.run(scenario)


def test_a_write_that_finds_the_disk_full_makes_it_look_at_once(world: World) -> None:
    async def scenario(life: Life) -> None:
        world.faults.publish = DiskNearlyFull()
        world.disk_free = 0
        with pytest.raises(DiskNearlyFull):
            await life.create("refused")
        assert "nearly full" in _trouble(life)

    world.run(scenario)


def test_while_the_disk_cannot_be_looked_at_it_stays_as_it_was(world: World) -> None:
    async def scenario(life: Life) -> None:
        world.disk_free = -1
        await asyncio.sleep(A_LOOK)
        await life.create("taken")
        assert world.logged("warning", "free space cannot be read") == 1

    world.run(scenario)


def test_what_could_not_be_recorded_on_a_full_disk_is_recorded_once_there_is_space(world: World) -> None:
    async def scenario(life: Life) -> None:
        await life.subscribe("a")
        await life.create("x", "y", "z")
        world.faults.record = DiskNearlyFull()
        await life.until(lambda: len(world.endpoint("a").sequences) == 3)
        await asyncio.sleep(5)
        assert "cannot be recorded" in _trouble(life)
        assert life.attempts("a", 1) == []
        world.faults.record = None
        await asyncio.sleep(1)
        assert _trouble(life) == ""
        assert [len(life.attempts("a", sequence)) for sequence in (1, 2, 3)] == [1, 1, 1]
        assert world.lane("a").open == []

    world.run(scenario)
    world.run(lambda life: asyncio.sleep(5))
    assert sorted(world.endpoint("a").sequences) == [1, 2, 3], "a restart repeats nothing of it"
