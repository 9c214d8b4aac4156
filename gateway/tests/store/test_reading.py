"""Several reads that are handed to a thread together."""

import asyncio
from threading import current_thread
from typing import TYPE_CHECKING

import pytest

from signalpost.domain.errors import NotFound

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools


def test_a_coroutine_reads_whatever_it_likes_on_one_thread_that_is_not_the_callers(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe()
        await shop.publish(make.create(1), make.create(2))
        threads = {current_thread()}

        async def read() -> tuple[int, list[int], int | None]:
            threads.add(current_thread())
            last = (await shop.store.log.after(1, 0, 10)).last
            events = await shop.store.log.events(1, [1, 2])
            head = await shop.store.lanes.head(subscription)
            threads.add(current_thread())
            return last, [each.sequence for each in events], head

        assert await shop.store.reading(read) == (2, [1, 2], 0)
        assert len(threads) == 2
        several = await asyncio.gather(*(shop.store.reading(read) for _ in range(5)))
        assert several == [(2, [1, 2], 0)] * 5

    play(scenario)


def test_what_it_raises_is_raised_and_the_store_can_be_read_further(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(1))

        async def fail() -> None:
            assert len(await shop.store.log.events(1, [1])) == 1
            raise NotFound("gone", "It is not here.")

        for _ in range(5):
            with pytest.raises(NotFound):
                await shop.store.reading(fail)
        assert len(await shop.store.log.events(1, [1])) == 1

    play(scenario)
