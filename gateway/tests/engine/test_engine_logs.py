"""A program that embeds the engine has a log of its own. What that raises costs its lines, and nothing else."""

import asyncio
from collections.abc import Iterator
from logging import LogRecord
from pathlib import Path

import pytest
from gateway.tests.captured_log import logged_to
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.world.network import BROKEN, Reply

from signalpost.domain.errors import Unavailable

DAY = 24 * 3_600.0


def refuse(record: LogRecord) -> None:
    raise BrokenPipeError(f"nobody reads {record.getMessage()}")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ScriptedWorld]:
    """A world whose log can never be written."""
    with logged_to(refuse):
        yield ScriptedWorld(tmp_path / "signalpost.db")


@pytest.mark.parametrize("error", [Unavailable("The disk is full."), RuntimeError("odd")])
def test_what_could_not_be_recorded_is_recorded_all_the_same(world: ScriptedWorld, error: Exception) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.faults.record = error
        await gateway.create(*(f"d{number}" for number in range(10)))
        await asyncio.sleep(5)
        world.faults.record = None
        await gateway.until(lambda: world.lane("a").head == 10)
        assert world.lane("a").open == []
        assert [len(gateway.attempts("a", sequence)) for sequence in range(1, 11)] == [1] * 10
        assert gateway.engine.trouble is None

    world.run(scenario)
    assert world.endpoint("a").sequences == list(range(1, 11))


def test_what_fails_is_retried_until_it_is_given_up_and_the_breaker_opens_c16(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(BROKEN)
        await gateway.create(*(f"d{number}" for number in range(30)))
        await gateway.until(lambda: gateway.health("a")["breaker"] == "open")
        world.endpoint("a").answers(Reply())
        await gateway.until(lambda: gateway.health("a")["breaker"] == "closed")
        await asyncio.sleep(1_000)
        assert gateway.health("a")["lag"] == 0
        assert len(world.lane("a").open) == len(world.deliveries("a")) == 0

    world.run(scenario)


def test_whoever_asked_is_told_that_a_commit_failed(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        world.faults.publish = RuntimeError("odd")
        with pytest.raises(RuntimeError, match="odd"):
            await asyncio.wait_for(gateway.create("x"), 60)
        world.faults.publish = None
        await asyncio.wait_for(gateway.create("x"), 60)

    world.run(scenario)


def test_the_log_of_events_is_read_once_it_can_be(world: ScriptedWorld) -> None:
    async def before(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", status="paused")
        await gateway.create("x", "y")

    async def after(gateway: RunningGateway) -> None:
        world.faults.read = RuntimeError("odd")
        await gateway.change("a", status="active")
        await asyncio.sleep(5)
        world.faults.read = None
        await gateway.until(lambda: sorted(world.endpoint("a").sequences) == [1, 2])

    world.run(before)
    world.run(after, cache_bytes=1)


def test_the_retention_goes_on_and_what_it_takes_is_known(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", status="paused")
        await gateway.create("x", "y")
        world.faults.prune = RuntimeError("odd")
        await asyncio.sleep(DAY * 1.1)
        world.faults.prune = None
        await asyncio.sleep(1_300)
        assert await gateway.store.log.floor(TENANT) == 3
        assert world.lane("a").health["lost"] == 2

    world.run(scenario, retention_days=1)
