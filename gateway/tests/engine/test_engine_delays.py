"""A delay that is changed or removed moves what waits for it; newer events do not overtake."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld
from gateway.tests.world.network import Reply

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

HOUR = 3_600
DAY = 24 * HOUR
FEW = 8
Part: TypeAlias = Callable[[RunningGateway], Awaitable[None]]


@pytest.fixture(params=[FEW, None], ids=["most in the store", "all in memory"])
def kept(request: pytest.FixtureRequest, world: ScriptedWorld) -> ScriptedWorld:
    """A world whose lanes keep that many waiting deliveries in memory."""
    if request.param is not None:
        world.bounds = world.bounds._replace(retries_kept=request.param, retries_loaded=request.param)
    return world


def created(number: int) -> list[str]:
    return [f"d{each}" for each in range(number)]


def live(world: ScriptedWorld, first: Part, second: Part, *, crash: bool) -> None:
    """One part after the other; with a crash, the second one in another process."""

    async def both(gateway: RunningGateway) -> None:
        await first(gateway)
        await second(gateway)

    if crash:
        world.crash(first)
        world.run(second)
    else:
        world.run(both)


@pytest.mark.parametrize("ordering", ["loose", "strict"])
@pytest.mark.parametrize("crash", [False, True])
def test_what_waited_for_a_delay_that_is_removed_goes_at_once_and_before_what_is_newer(
    kept: ScriptedWorld, *, crash: bool, ordering: str
) -> None:
    world, endpoint = kept, kept.endpoint("a.example")

    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", after={"seconds": 3 * DAY}, ordering=ordering)
        await gateway.create(*created(40))
        await asyncio.sleep(HOUR)
        assert endpoint.calls == []
        await gateway.change("a.example", after=None)

    async def second(gateway: RunningGateway) -> None:
        for name in created(40):
            await gateway.update(name)
        await gateway.until(lambda: len(endpoint.sequences) == 80, within=120.0)
        await gateway.until_recorded()
        assert world.deliveries("a.example") == {}

    live(world, first, second, crash=crash)
    at = {call.sequence: number for number, call in enumerate(endpoint.calls)}
    assert all(at[sequence] < at[sequence + 40] for sequence in range(1, 41))


@pytest.mark.parametrize("crash", [False, True])
def test_a_shorter_delay_counts_from_the_event_for_what_waits_already(kept: ScriptedWorld, *, crash: bool) -> None:
    world, endpoint = kept, kept.endpoint("a.example")
    made: list[float] = []

    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", after={"seconds": 3 * DAY})
        for name in created(30):
            await gateway.create(name)
            made.append(gateway.loop.time())
            await asyncio.sleep(60)
        await gateway.change("a.example", after={"seconds": HOUR})

    async def second(gateway: RunningGateway) -> None:
        await gateway.update("d0")
        made.append(gateway.loop.time())
        await gateway.until(lambda: len(endpoint.sequences) == 31, every=1.0)

    live(world, first, second, crash=crash)
    assert endpoint.sequences == [*range(1, 32)]
    waits = [call.at - when for call, when in zip(endpoint.calls, made, strict=True)]
    assert all(HOUR - 1 <= wait < HOUR + 2 for wait in waits), waits


@pytest.mark.parametrize("crash", [False, True])
def test_a_longer_delay_counts_from_the_event_for_what_waits_already(kept: ScriptedWorld, *, crash: bool) -> None:
    world, endpoint = kept, kept.endpoint("a.example")

    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", after={"seconds": HOUR})
        await gateway.create(*created(30))
        await gateway.until_recorded()
        await gateway.change("a.example", after={"seconds": 2 * HOUR})

    async def second(gateway: RunningGateway) -> None:
        await gateway.until(lambda: len(endpoint.sequences) == 30, every=1.0)

    live(world, first, second, crash=crash)
    assert all(2 * HOUR <= call.at - 1_000 < 2 * HOUR + 5 for call in endpoint.calls)


def test_a_retry_and_a_retry_by_hand_keep_their_times_when_a_delay_is_changed(world: ScriptedWorld) -> None:
    """C16"""
    endpoint = world.endpoint("a.example")
    endpoint.answers(Reply(status=500))

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", after={"seconds": DAY}, delays=(HOUR,))
        await gateway.create("a", "b")
        await asyncio.sleep(60)
        await gateway.retry("a.example", 1)
        await gateway.until(lambda: len(endpoint.of(1)) == 1)
        await gateway.change("a.example", after={"seconds": HOUR})
        await gateway.until(lambda: len(endpoint.of(1)) == 3, every=1.0)

    world.run(scenario)
    first, second, third = (call.at for call in endpoint.of(1))
    assert first < 1_000 + 120
    assert 1_000 + HOUR <= second < 1_000 + HOUR + 3, "its own first attempt, after the delay as it is now"
    assert HOUR <= third - second < 1.2 * HOUR + 3


def test_a_delay_that_changes_often_ends_with_the_last_one(world: ScriptedWorld) -> None:
    endpoint = world.endpoint("a.example")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", after={"seconds": DAY})
        await gateway.create("a")
        await asyncio.sleep(60)
        for hours in (30, 5, 20, 3):
            await gateway.change("a.example", after={"seconds": hours * HOUR})
        await gateway.until(lambda: endpoint.sequences == [1], within=DAY, every=1.0)

    world.run(scenario)
    assert 1_000 + 3 * HOUR <= endpoint.calls[0].at < 1_000 + 3 * HOUR + 3
