"""A disk that is nearly full, or full: documents wait outside, what was promised goes on, and it clears by itself."""

import asyncio

import pytest
from gateway.tests.engine.scripted_world import DISK_RESERVE_MB, RunningGateway, ScriptedWorld
from gateway.tests.world.network import BROKEN, Reply

from signalpost.domain.errors import DiskNearlyFull
from signalpost.engine.maintenance.disk_reserve import LOOK_EVERY, MB

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

NEARLY_FULL = DISK_RESERVE_MB * MB - 1
JUST_ENOUGH = DISK_RESERVE_MB * MB
A_LOOK = LOOK_EVERY + 0.1


@pytest.fixture
def world(world: ScriptedWorld) -> ScriptedWorld:
    """One that looks at its disk as often as a gateway."""
    world.look_every = LOOK_EVERY
    return world


def _trouble(gateway: RunningGateway) -> str:
    return gateway.engine.trouble or ""


def test_below_the_reserve_documents_are_refused_until_there_is_space_again(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.create("before")
        world.disk_free = NEARLY_FULL
        await asyncio.sleep(A_LOOK)
        for command in (world.create("refused"), world.update("before"), world.delete("before")):
            with pytest.raises(DiskNearlyFull) as refusal:
                await gateway.submit(command)
            assert refusal.value.code == "disk_nearly_full"
            assert refusal.value.retry_after > 1
        world.disk_free = JUST_ENOUGH
        await asyncio.sleep(A_LOOK)
        await gateway.update("before")
        assert len(await gateway.log()) == 2

    world.run(scenario)


def test_meanwhile_deliveries_subscriptions_and_retries_go_on(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(10,))
        world.endpoint("a").answers(Reply(after=3))
        await gateway.create("slow")
        await gateway.subscribe("b", delays=(10,))
        world.endpoint("b").answers(BROKEN)
        await gateway.create("failing")
        world.disk_free = 0
        await gateway.until(lambda: len(world.endpoint("b").calls) == 2)
        await gateway.until_recorded()
        assert [attempt.failure for attempt in gateway.attempts("b", 2)] == ["status", "status"]
        await gateway.until(lambda: world.endpoint("a").sequences == [1, 2])
        await gateway.change("a", status="paused")
        await gateway.subscribe("c")
        await gateway.unsubscribe("c")
        world.endpoint("b").answers(Reply())
        await gateway.retry("b", 2)
        await gateway.until(lambda: world.endpoint("b").sequences == [2])

    world.run(scenario)


def test_an_operator_is_told_in_health_and_once_in_the_log(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        assert _trouble(gateway) == ""
        world.disk_free = 7 * MB
        await asyncio.sleep(5 * A_LOOK)
        trouble = _trouble(gateway)
        assert "7 MB are free" in trouble
        assert f"DISK_RESERVE_MB keeps {DISK_RESERVE_MB}" in trouble
        assert world.logged("error", "documents are refused") == 1
        world.disk_free = JUST_ENOUGH
        await asyncio.sleep(5 * A_LOOK)
        assert _trouble(gateway) == ""
        assert world.logged("info", "documents are accepted") == 1

    world.run(scenario)


def test_a_gateway_that_starts_on_a_disk_that_is_nearly_full_takes_no_document(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        with pytest.raises(DiskNearlyFull):
            await gateway.create("refused")

    world.disk_free = NEARLY_FULL
    world.run(scenario)


def test_a_write_that_finds_the_disk_full_makes_it_look_at_once(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        world.faults.publish = DiskNearlyFull()
        world.disk_free = 0
        with pytest.raises(DiskNearlyFull):
            await gateway.create("refused")
        assert "nearly full" in _trouble(gateway)

    world.run(scenario)


def test_while_the_disk_cannot_be_looked_at_it_stays_as_it_was(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        world.disk_free = -1
        await asyncio.sleep(A_LOOK)
        await gateway.create("taken")
        assert world.logged("warning", "free space cannot be read") == 1

    world.run(scenario)


def test_what_could_not_be_recorded_on_a_full_disk_is_recorded_once_there_is_space(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.create("x", "y", "z")
        world.faults.record = DiskNearlyFull()
        await gateway.until(lambda: len(world.endpoint("a").sequences) == 3)
        await asyncio.sleep(5)
        assert "cannot be recorded" in _trouble(gateway)
        assert gateway.attempts("a", 1) == []
        world.faults.record = None
        await asyncio.sleep(1)
        assert _trouble(gateway) == ""
        assert [len(gateway.attempts("a", sequence)) for sequence in (1, 2, 3)] == [1, 1, 1]
        assert world.lane("a").open == []

    world.run(scenario)
    world.run(lambda gateway: asyncio.sleep(5))
    assert sorted(world.endpoint("a").sequences) == [1, 2, 3], "a restart repeats nothing of it"
