"""What is asked of the writer while a group is on its thread becomes the next group."""

import asyncio
from collections.abc import Callable

import apsw
from gateway.tests.told_thread import ToldThread, everything_else

from signalpost.store.sqlite.writer import Writer


def returning(number: int) -> Callable[[apsw.Connection], int]:
    return lambda _: number


def writer_on(thread: ToldThread) -> Writer:
    return Writer(apsw.Connection(":memory:"), apsw.Connection(":memory:"), thread, ToldThread(), lambda _: None)


def test_jobs_that_come_while_a_group_is_written_are_the_next_group() -> None:
    async def scenario() -> None:
        thread = ToldThread()
        writer = writer_on(thread)
        asked = [asyncio.ensure_future(writer.run(returning(1)))]
        await everything_else()
        asked += [asyncio.ensure_future(writer.run(returning(number))) for number in (2, 3)]
        await everything_else()
        assert thread.finish() == [(1, None)]
        await everything_else()
        assert thread.finish() == [(2, None), (3, None)]
        assert await asyncio.gather(*asked) == [1, 2, 3]

    asyncio.run(scenario())


def test_a_change_takes_few_rounds_of_the_loop_since_each_is_as_long_as_what_others_do_in_it() -> None:
    async def scenario() -> None:
        thread = ToldThread()
        asked = asyncio.ensure_future(writer_on(thread).run(returning(1)))
        await asyncio.sleep(0)
        assert thread.asked == 1, "in the round in which it was asked"
        thread.finish()
        for _ in range(2):  # one in which the loop hears of it, and one in which the caller goes on
            assert not asked.done()
            await asyncio.sleep(0)
        assert asked.done()

    asyncio.run(scenario())
