"""The retention keeps up with what is written beside it, and lets it go on."""

import asyncio
from collections.abc import Awaitable

import pytest
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.world.network import BROKEN, Reply

from signalpost.domain.timestamps import SECOND
from signalpost.engine.maintenance.pace import (
    FAST,
    MAX_REST,
    MAX_SIZE,
    MIN_SIZE,
    MOST,
    SLOW,
    TIMES_WRITTEN,
    SlicePace,
    next_size,
)
from signalpost.engine.maintenance.retention import Retention

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

KEEPS_UP = 12_000
"""How many events a second the retention removes at least, where the database takes no time."""


def retention_of(gateway: RunningGateway) -> Retention:
    engine = gateway.engine
    return Retention(gateway.store, gateway.clock, engine.directory, engine.lanes, engine.counts)


def test_the_retention_removes_faster_than_events_are_made(world: ScriptedWorld) -> None:
    count = 6_000

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.create(*(f"d{number}" for number in range(count)))
        await asyncio.sleep(10)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await retention_of(gateway).prune(TENANT, gateway.clock.wall(), SECOND)
        assert world.query("SELECT count(*) FROM event WHERE tenant_id > 0") == [(0,)]
        assert loop.time() - began < count / KEEPS_UP

    world.run(scenario)


@pytest.mark.parametrize("failing", [False, True])
def test_the_retention_goes_on_while_a_lane_always_has_something_to_record(world: ScriptedWorld, failing: bool) -> None:
    world.endpoint("busy").answers(BROKEN if failing else Reply(after=0.01))

    async def make(gateway: RunningGateway) -> None:
        for number in range(2_000):
            await gateway.create(f"later {number}"[-16:])
            await asyncio.sleep(0.005)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("busy", delays=())
        await gateway.create(*(f"d{number}" for number in range(100)))
        await asyncio.sleep(20)
        making = asyncio.create_task(make(gateway))
        await asyncio.sleep(1)
        await retention_of(gateway).prune(TENANT, gateway.clock.wall(), 10 * SECOND)
        assert not making.done()
        assert world.query("SELECT min(sequence) FROM event WHERE tenant_id > 0") == [(101,)]
        making.cancel()

    world.run(scenario)


def test_a_pass_waits_for_the_records_of_all_lanes_at_once(world: ScriptedWorld) -> None:
    """Each lane has failures that go with their events, and always has something to record."""
    hosts = [f"failing-{number}" for number in range(20)]
    for host in hosts:
        world.endpoint(host).answers(BROKEN)

    async def make(gateway: RunningGateway) -> None:
        for number in range(10_000):
            await gateway.create(f"later {number}")
            await asyncio.sleep(0.1)

    async def scenario(gateway: RunningGateway) -> None:
        for host in hosts:
            await gateway.subscribe(host, delays=())
        await gateway.create("first")
        await asyncio.sleep(20)
        making = asyncio.create_task(make(gateway))
        world.faults.slow_record = 1.0
        await asyncio.sleep(5)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await retention_of(gateway).prune(TENANT, gateway.clock.wall(), 10 * SECOND)
        assert world.query("SELECT min(sequence) FROM event WHERE tenant_id > 0") == [(2,)]
        assert loop.time() - began < 10 * world.faults.slow_record
        making.cancel()

    world.run(scenario)


def test_the_retention_keeps_up_however_long_its_slices_wait_for_their_turn(world: ScriptedWorld) -> None:
    """Each waits so long that far more is written meanwhile than the smallest slice would remove."""
    per_second, wait, kept = 400, 3.0, 10

    async def make(gateway: RunningGateway) -> None:
        for number in range(100_000):
            await gateway.create(*(f"{number} {each}" for each in range(per_second // 4)))
            await asyncio.sleep(0.25)

    async def retain(gateway: RunningGateway) -> None:
        retention = retention_of(gateway)
        while True:
            await retention.prune(TENANT, gateway.clock.wall(), kept * SECOND)

    async def scenario(gateway: RunningGateway) -> None:
        world.faults.late_prune = wait
        working = [asyncio.create_task(make(gateway)), asyncio.create_task(retain(gateway))]
        await asyncio.sleep(60)
        [(there,)] = world.query("SELECT count(*) FROM event WHERE tenant_id > 0")
        assert there < (kept + 8 * wait) * per_second
        for task in working:
            task.cancel()

    world.run(scenario)


async def sizes(pace: SlicePace, *removals: Awaitable[int]) -> list[int]:
    """How large a slice is after each of these."""
    found = []
    for removal in removals:
        await pace.take(removal)
        found.append(pace.size)
    return found


def test_a_slice_removes_twice_what_was_written_since_the_one_before(world: ScriptedWorld) -> None:
    written = 0

    async def removal(seconds: float, writes: int) -> int:
        nonlocal written
        await asyncio.sleep(seconds)
        written += writes
        return 1

    async def scenario(_: RunningGateway) -> None:
        pace = SlicePace(lambda: written)
        assert await sizes(pace, *[removal(2 * SLOW, 0) for _ in range(4)]) == [1_000, 500, MIN_SIZE, MIN_SIZE]
        assert await sizes(pace, removal(2 * SLOW, 700), removal(2 * SLOW, 10)) == [TIMES_WRITTEN * 700, MIN_SIZE]
        assert await sizes(pace, removal(2 * SLOW, 1_000_000)) == [MOST]

    world.run(scenario)


def test_others_have_their_turn_after_a_slice_and_what_they_write_then_counts(world: ScriptedWorld) -> None:
    written = 0

    async def removal(seconds: float) -> int:
        await asyncio.sleep(seconds)
        return 1

    async def write_later(after: float) -> None:
        nonlocal written
        await asyncio.sleep(after)
        written += 1_500

    async def scenario(_: RunningGateway) -> None:
        pace = SlicePace(lambda: written)
        loop = asyncio.get_running_loop()
        began = loop.time()
        writing = asyncio.create_task(write_later(SLOW + MAX_REST / 2))
        assert await sizes(pace, removal(SLOW)) == [TIMES_WRITTEN * 1_500]
        assert loop.time() - began == pytest.approx(SLOW + MAX_REST)
        await writing

    world.run(scenario)


def test_slices_get_smaller_while_they_take_long_and_larger_again() -> None:
    assert next_size(1_000, (FAST + SLOW) / 2) == 1_000
    assert next_size(500, FAST / 2) == 1_000
    assert next_size(1_000, 2 * SLOW) == 500
    assert next_size(MAX_SIZE, 0) == MAX_SIZE
    assert next_size(MIN_SIZE, 2 * SLOW) == MIN_SIZE
