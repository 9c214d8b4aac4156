"""Refusals take turns: at once up to a second's worth, then so many a second."""

import asyncio

from signalpost.domain.timestamps import SECOND
from signalpost.sharing.refusals import REFUSALS_PER_SECOND, Refusals


class _Clock:
    now = 5 * SECOND

    def steady(self) -> int:
        return self.now

    wall = steady


def test_a_seconds_worth_is_told_at_once_and_more_waits_for_its_turn() -> None:
    clock = _Clock()
    refusals, told = Refusals(clock, REFUSALS_PER_SECOND, 1_000), list[int]()

    async def refuse(number: int) -> None:
        await refusals.turn()
        told.append(number)

    async def scenario() -> None:
        refused = [asyncio.create_task(refuse(number)) for number in range(REFUSALS_PER_SECOND + 3)]
        await asyncio.sleep(0)
        assert told == list(range(REFUSALS_PER_SECOND))
        await asyncio.gather(*refused)
        assert told == list(range(REFUSALS_PER_SECOND + 3))
        clock.now += SECOND
        later = asyncio.create_task(refuse(-1))
        await asyncio.sleep(0)
        assert later.done()

    asyncio.run(scenario())


def test_only_so_many_wait_and_more_are_told_at_once() -> None:
    refusals, told = Refusals(_Clock(), 1, 2), list[int]()

    async def refuse(number: int) -> None:
        await refusals.turn()
        told.append(number)

    async def scenario() -> None:
        refused = [asyncio.create_task(refuse(number)) for number in range(5)]
        await asyncio.sleep(0)
        assert told == [0, 3, 4], "the first in its time; two wait; nobody else finds room"
        for each in refused:
            each.cancel()
        await asyncio.wait(refused)
        another = asyncio.create_task(refuse(5))
        await asyncio.sleep(0)
        assert not another.done(), "those who gave up make room"
        another.cancel()

    asyncio.run(scenario())
