"""Whoever waited longest gets the next place, and no place is lost with somebody who is gone."""

import asyncio

from gateway.tests.told_thread import everything_else

from signalpost.runtime.places import Places


def test_a_free_place_is_taken_at_once_and_one_that_is_given_back_goes_to_who_waited_longest() -> None:
    async def scenario() -> None:
        places, order = Places(1), []

        async def take(name: str) -> None:
            await places.take()
            order.append(name)

        await take("one")
        waiting = [asyncio.ensure_future(take(name)) for name in ("two", "three")]
        await everything_else()
        assert order == ["one"]
        places.give_back()
        late = asyncio.ensure_future(take("late"))
        await everything_else()
        assert order == ["one", "two"]
        places.give_back()
        places.give_back()
        await asyncio.gather(*waiting, late)
        assert order == ["one", "two", "three", "late"]

    asyncio.run(scenario())


def test_whoever_stops_waiting_is_passed_over() -> None:
    async def scenario() -> None:
        places = Places(1)
        await places.take()
        gone, other = (asyncio.ensure_future(places.take()) for _ in range(2))
        await everything_else()
        gone.cancel()
        await everything_else()
        places.give_back()
        await asyncio.wait_for(other, 60)

    asyncio.run(scenario())


def test_a_place_that_was_given_to_who_is_gone_by_then_goes_to_the_next() -> None:
    async def scenario() -> None:
        places = Places(1)
        await places.take()
        gone, other = (asyncio.ensure_future(places.take()) for _ in range(2))
        await everything_else()
        places.give_back()
        gone.cancel()  # it was given the place, and has not run since
        await asyncio.wait_for(other, 60)
        assert gone.cancelled()

    asyncio.run(scenario())
