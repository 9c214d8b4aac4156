"""Queries run on the threads that read: short ones as they come, those that may read megabytes in turns."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import apsw
from gateway.tests.told_thread import ToldThread, everything_else

from signalpost.store.sqlite.readers import ROWS_IN_A_ROW, Readers


def test_reads_of_megabytes_leave_all_threads_but_one_to_what_is_short() -> None:
    async def scenario() -> None:
        thread = ToldThread()
        readers = Readers([apsw.Connection(":memory:")], thread)

        def query(of: str) -> Any:
            return lambda connection: connection.execute("SELECT ?", (of,)).fetchall()

        asked = [asyncio.ensure_future(readers.run_in_turn(1, query("many"))) for _ in range(3)]
        asked += [asyncio.ensure_future(readers.run_in_turn(2, query("another's")))]
        await everything_else()
        assert thread.asked == 1, "one of megabytes at a time"
        asked += [asyncio.ensure_future(readers.run(query("short"))) for _ in range(2)]
        await everything_else()
        assert thread.asked == 3, "what is short waits for none of these"
        order: list[str] = []
        while thread.asked:
            order += [found for (found,) in thread.finish()]
            await everything_else()
        assert order == ["many", "short", "short", "many", "another's", "many"]
        await asyncio.gather(*asked)

    asyncio.run(scenario())


def test_reads_of_megabytes_may_rest_every_few_rows_and_short_ones_do_not() -> None:
    async def scenario() -> None:
        looked = 0

        def cpu() -> float:
            nonlocal looked
            looked += 1
            return 0.0

        async def looks(ask: Any, rows: int) -> int:
            before = looked
            await ask(lambda connection: connection.execute("VALUES (1)" + ", (1)" * (rows - 1)).fetchall())
            return looked - before

        with ThreadPoolExecutor(1) as thread:
            readers = Readers([apsw.Connection(":memory:")], thread, cpu)
            in_turn = partial(readers.run_in_turn, 1)
            assert await looks(in_turn, 9 * ROWS_IN_A_ROW) - await looks(in_turn, 4 * ROWS_IN_A_ROW) == 5
            assert await looks(readers.run, 9 * ROWS_IN_A_ROW) == 0

            async def together(ask: Any, query: Any) -> None:
                await readers.together_in_turn(1, lambda: ask(query))

            assert await looks(partial(together, in_turn), 9 * ROWS_IN_A_ROW) >= 9
            short = await looks(partial(together, readers.run), 9 * ROWS_IN_A_ROW)
            assert short == await looks(partial(together, readers.run), ROWS_IN_A_ROW), "within a turn neither"

    asyncio.run(scenario())


def test_reads_that_are_asked_together_are_one_piece_of_work_for_a_thread() -> None:
    async def scenario() -> None:
        thread = ToldThread()
        readers = Readers([apsw.Connection(":memory:")], thread)

        async def three() -> list[Any]:
            return [await readers.rows(None, f"SELECT {number}") for number in range(3)]

        asked = asyncio.ensure_future(readers.together(three))
        await everything_else()
        assert thread.asked == 1
        assert thread.finish() == [[(0,)], [(1,)], [(2,)]]
        await asked
        alone = asyncio.ensure_future(readers.rows(None, "SELECT 4"))
        await everything_else()
        assert thread.finish() == [[(4,)]]
        await alone

    asyncio.run(scenario())
