"""Several reads that are handed to a thread together."""

import asyncio
from contextvars import ContextVar
from threading import current_thread
from typing import TYPE_CHECKING

import pytest

from signalpost.domain.errors import NotFound
from signalpost.domain.event import EVERY_TYPE

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


def test_what_is_read_together_may_itself_ask_for_more_that_is(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        await shop.publish(make.create(1), make.create(2))
        store, said = shop.store, ContextVar("said", default="")
        asking = current_thread()

        async def inner() -> list[int]:
            assert current_thread() is not asking
            return [each.sequence for each in await store.log.events(1, [1, 2])]

        async def outer() -> tuple[list[int], list[int], str]:
            return await store.reading(inner), [each.sequence for each in await store.log.events(1, [2])], said.get()

        async def in_turn() -> tuple[list[int], list[int], int]:
            page = await store.log.back(1, 3, EVERY_TYPE, None, 10)
            return await store.reading_in_turn(1, inner), await store.reading(inner), len(page.events)

        async def little() -> int:
            return len((await store.log.back(1, 3, EVERY_TYPE, None, 1)).events)

        said.set("by who asks")
        assert await store.reading(outer) == ([1, 2], [2], "by who asks")
        assert await store.reading_in_turn(1, in_turn) == ([1, 2], [1, 2], 2)
        assert await store.reading(little) == 1

    play(scenario)
