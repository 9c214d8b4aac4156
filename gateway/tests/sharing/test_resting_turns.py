"""What keeps a thread busy for long is done one piece at a time, in turns between holders, with a rest after each."""

import asyncio
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from gateway.tests.told_thread import ToldThread, everything_else

from signalpost.sharing.resting_turns import PIECE, RESTS, TAKEN_IN_A_ROW, Rest, RestingTurns, with_rests


def broken(_: Rest) -> str:
    raise ValueError("broken")


def given(number: int, _: Rest) -> int:
    return number


def test_a_holder_with_much_to_do_leaves_every_other_turn_to_others() -> None:
    async def scenario() -> None:
        thread, turns = ToldThread(), RestingTurns()
        asked = [asyncio.ensure_future(turns.run(1, thread, lambda _: "one")) for _ in range(5)]
        await everything_else()
        asked += [asyncio.ensure_future(turns.run(holder, thread, lambda _: "other")) for holder in (2, 3)]
        order: list[str] = []
        while len(order) < 7:
            await everything_else()
            assert thread.asked == 1, "one at a time"
            order.append(thread.finish())
        assert order == ["one", "one", "other", "other", "one", "one", "one"]
        assert await asyncio.gather(*asked) == ["one"] * 5 + ["other"] * 2

    asyncio.run(scenario())


def test_after_work_that_took_long_there_is_a_rest_and_whoever_asked_for_it_does_not_wait() -> None:
    async def scenario() -> None:
        thread, turns = ToldThread(), RestingTurns(itertools.count(step=0.05).__next__)
        loop = asyncio.get_running_loop()
        asked = [asyncio.ensure_future(turns.run(holder, thread, lambda _: "done")) for holder in (1, 2)]
        await everything_else()
        begun = loop.time()
        thread.finish()
        assert await asked[0] == "done"
        assert thread.asked == 0
        while not thread.asked:
            await asyncio.sleep(0.001)
        assert loop.time() - begun >= RESTS * 0.05
        thread.finish()
        assert await asked[1] == "done"

    asyncio.run(scenario())


def test_work_that_follows_elsewhere_is_rested_for_if_there_is_something_to_follow() -> None:
    async def scenario() -> None:
        thread, turns = ToldThread(), RestingTurns(lambda: 0.0)
        works = (lambda _: "done", broken, lambda _: "last")
        asked = [asyncio.ensure_future(turns.run(1, thread, work, follows=0.05)) for work in works]
        await everything_else()
        assert await thread.finish_and_rest() >= RESTS * 0.05
        thread.finish()
        await everything_else()
        assert thread.asked == 1, "nothing follows what failed"
        thread.finish()
        done, failed, last = await asyncio.gather(*asked, return_exceptions=True)
        assert (done, last) == ("done", "last")
        assert isinstance(failed, ValueError)

    asyncio.run(scenario())


def test_long_work_rests_whenever_a_little_of_it_is_done() -> None:
    async def scenario() -> None:
        spent, rests = 0.0, list[float]()
        thread, turns = ToldThread(), RestingTurns(lambda: spent, rests.append)

        def work(rest: Rest) -> str:
            nonlocal spent
            for took in (0.4 * PIECE, 0.4 * PIECE, 0.4 * PIECE, 5 * PIECE, 0.1 * PIECE):
                spent += took
                rest()
            return "done"

        asked = asyncio.ensure_future(turns.run(1, thread, work))
        await everything_else()
        thread.finish()
        assert await asked == "done"
        assert rests == pytest.approx([RESTS * 1.2 * PIECE, RESTS * 5 * PIECE])

    asyncio.run(scenario())


def test_a_caller_says_how_long_its_work_rests() -> None:
    async def scenario() -> None:
        spent, rests = 0.0, list[float]()
        thread, turns = ToldThread(), RestingTurns(lambda: spent, rests.append)

        def work(rest: Rest) -> None:
            nonlocal spent
            for took in (2 * PIECE, 0.1):
                spent += took
                rest()
            spent += 0.05

        asked = [asyncio.ensure_future(turns.run(1, thread, each, rests=2)) for each in (work, lambda _: None)]
        await everything_else()
        assert await thread.finish_and_rest() >= 2 * 0.05
        thread.finish()
        await asyncio.gather(*asked)
        assert rests == pytest.approx([4 * PIECE, 0.2])

    asyncio.run(scenario())


def test_work_that_nobody_waits_for_any_more_ends_where_it_would_rest() -> None:
    begun, goes_on, done = threading.Event(), threading.Event(), list[int]()

    def work(rest: Rest) -> None:
        for number in range(1_000):
            begun.set()
            goes_on.wait()
            done.append(number)
            rest()

    async def scenario() -> None:
        turns = RestingTurns(itertools.count(step=PIECE).__next__, lambda _: None)
        with ThreadPoolExecutor(1) as thread:
            left = asyncio.ensure_future(turns.run(1, thread, work))
            await asyncio.to_thread(begun.wait)
            left.cancel()
            await everything_else()
            goes_on.set()
            assert await turns.run(1, thread, partial(given, 2)) == 2
        assert left.cancelled()
        assert done == [0]

    asyncio.run(scenario())


def test_what_the_loop_does_itself_has_turns_and_rests_too_and_its_waits_are_none_of_its_work() -> None:
    async def scenario() -> None:
        spent, order, news = 0.0, list[str](), asyncio.Event()
        loop, turns = asyncio.get_running_loop(), RestingTurns(lambda: spent)

        async def long() -> None:
            nonlocal spent
            spent += 0.02
            await news.wait()
            spent += 0.03
            order.append("long")

        async def next_one() -> None:
            order.append("next")

        asked = [asyncio.ensure_future(turns.run_here(n, work)) for n, work in enumerate((long, next_one))]
        await everything_else()
        spent += 100  # others, meanwhile
        begun = loop.time()
        news.set()
        await asked[0]
        assert order == ["long"]
        await asked[1]
        assert loop.time() - begun >= RESTS * 0.05
        assert order == ["long", "next"]

    asyncio.run(scenario())


def test_work_that_fails_ends_its_turn() -> None:
    async def scenario() -> None:
        thread, turns = ToldThread(), RestingTurns()
        asked = [asyncio.ensure_future(turns.run(1, thread, work)) for work in (broken, lambda _: "done")]
        for _ in asked:
            await everything_else()
            thread.finish()
        with pytest.raises(ValueError, match="broken"):
            await asked[0]
        assert await asked[1] == "done"

    asyncio.run(scenario())


@pytest.mark.parametrize("is_given", [False, True], ids=["while it waits", "as its turn is given"])
def test_whoever_leaves_takes_no_turn_with_him(*, is_given: bool) -> None:
    async def scenario() -> None:
        thread, turns = ToldThread(), RestingTurns()
        first, gone, last = (asyncio.ensure_future(turns.run(n, thread, partial(given, n))) for n in (1, 2, 3))
        await everything_else()
        if not is_given:
            gone.cancel()
        thread.finish()
        while is_given and not first.done():
            await asyncio.sleep(0)
        gone.cancel()
        await everything_else()
        assert thread.asked == 1
        assert thread.finish() == 3
        assert await last == 3
        assert gone.cancelled()

    asyncio.run(scenario())


def test_many_things_are_taken_in_their_order_with_a_rest_after_some() -> None:
    taken: list[int] = []
    rests: list[int] = []
    for thing in with_rests(range(3 * TAKEN_IN_A_ROW), lambda: rests.append(len(taken))):
        taken.append(thing)
    assert taken == [*range(3 * TAKEN_IN_A_ROW)]
    assert rests == [TAKEN_IN_A_ROW, 2 * TAKEN_IN_A_ROW, 3 * TAKEN_IN_A_ROW]
