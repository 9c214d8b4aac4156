"""Threads that work for an event loop."""

import asyncio
from threading import Event, current_thread

import pytest
from gateway.tests.patience import PATIENCE

from signalpost.runtime.loop_executor import LoopExecutor


def name_with(mark: str) -> str:
    return current_thread().name.partition("_")[0] + mark


def fail() -> None:
    raise ValueError("broken")


def test_the_loop_is_told_the_result_or_the_error() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        with LoopExecutor(1, "other") as threads:
            assert await loop.run_in_executor(threads, name_with, "!") == "other!"
            with pytest.raises(ValueError, match="broken"):
                await loop.run_in_executor(threads, fail)

    asyncio.run(scenario())


def test_of_callers_that_wait_no_longer_what_had_not_begun_is_not_done() -> None:
    async def scenario() -> None:
        loop, begun, may_end, done = asyncio.get_running_loop(), Event(), Event(), list[str]()

        def work() -> None:
            begun.set()
            may_end.wait(PATIENCE)
            done.append("under way")

        with LoopExecutor(1) as threads:
            under_way = loop.run_in_executor(threads, work)
            next_one = loop.run_in_executor(threads, done.append, "next")
            await asyncio.to_thread(begun.wait, PATIENCE)
            under_way.cancel()
            next_one.cancel()
            may_end.set()
            await loop.run_in_executor(threads, done.append, "last")
        assert done == ["under way", "last"]

    asyncio.run(scenario())
