"""Long work on the event loop has one slice in each round, in turns between tenants, and rests."""

import asyncio
from itertools import pairwise

import pytest
from gateway.tests.patience import PATIENCE
from gateway.tests.world.virtual_time import VirtualLoop, VirtualTime

from signalpost.sharing.loop_turns import MIN_REST, RESTS, LoopTurns


def test_what_is_long_has_one_slice_in_each_round_in_turns_between_tenants() -> None:
    async def scenario() -> tuple[list[int], int]:
        turns, order, most = LoopTurns(), list[int](), 0

        async def work(tenant: int, slices: int) -> None:
            for _ in range(slices):
                await turns.turn(tenant)
                order.append(tenant)

        async def watch() -> None:
            nonlocal most
            before = 0
            while True:
                most, before = max(most, len(order) - before), len(order)
                await asyncio.sleep(0)

        beside = asyncio.create_task(watch())
        await asyncio.gather(*(work(1, 10) for _ in range(50)), work(2, 10))
        beside.cancel()
        return order, most

    order, most = asyncio.run(scenario())
    assert most == 1
    assert order.count(1) == 500
    seconds = [place for place, tenant in enumerate(order) if tenant == 2]
    assert max(later - earlier for earlier, later in pairwise(seconds)) <= 3, "a tenant waits for one slice of another"


@pytest.mark.parametrize("slices", [[0.004], [0.0003] * 20, [0.0001, 0.005, 0.0] * 4])
def test_what_is_long_rests_after_its_slices_twice_as_long_as_they_took(slices: list[float]) -> None:
    spent = 0.0

    async def scenario() -> float:
        nonlocal spent
        loop, turns = asyncio.get_running_loop(), LoopTurns(lambda: spent)
        begun = loop.time()
        for each in slices:
            await turns.turn(1)
            spent += each
        await turns.turn(2)
        return loop.time() - begun

    # The timers of a loop end up to a millisecond early, and a rest that is shorter than that is kept for later.
    assert asyncio.run(scenario()) >= RESTS * spent - 2 * MIN_REST


def test_a_loop_that_had_nothing_to_do_has_rested() -> None:
    """An import that comes in many requests would wait at the beginning of each."""
    loop, spent = VirtualLoop(VirtualTime(0.0)), 0.0

    async def scenario() -> tuple[float, float]:
        nonlocal spent
        turns = LoopTurns(lambda: spent)
        await turns.turn(1)
        spent += 0.004
        await asyncio.sleep(1)
        begun = loop.time()
        await turns.turn(1)
        after_a_pause = loop.time() - begun
        spent += 0.004
        await turns.turn(1)
        return after_a_pause, loop.time() - begun

    try:
        after_a_pause, without_one = loop.run_until_complete(scenario())
    finally:
        loop.close()
    assert after_a_pause == 0
    assert without_one >= RESTS * 0.004


def test_a_turn_that_nobody_waits_for_any_more_goes_to_the_next() -> None:
    async def scenario() -> None:
        turns = LoopTurns()
        gone = [asyncio.create_task(turns.turn(1)) for _ in range(3)]
        kept = asyncio.create_task(turns.turn(1))
        await asyncio.sleep(0)
        for each in gone:
            each.cancel()
        async with asyncio.timeout(PATIENCE):
            await kept
            await turns.turn(2)

    asyncio.run(scenario())
