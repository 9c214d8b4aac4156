"""Work on an event loop of another thread."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from gateway.tests.patience import PATIENCE

from signalpost.runtime.loop_thread import LoopThread
from signalpost.runtime.own_time import OwnTime


@asynccontextmanager
async def other_thread() -> AsyncIterator[LoopThread]:
    thread = LoopThread("other")
    try:
        yield thread
    finally:
        await thread.close()


async def name_of_thread() -> str:
    return threading.current_thread().name


async def fail() -> None:
    raise ValueError("broken")


async def work_and_fail(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass
    await fail()


def test_work_is_done_on_the_other_thread_and_its_result_or_error_comes_back() -> None:
    async def scenario() -> None:
        async with other_thread() as thread:
            assert await thread.run(name_of_thread()) == "other"
            with pytest.raises(ValueError, match="broken"):
                await thread.run(fail())

    asyncio.run(scenario())


def test_the_loop_of_whoever_waits_goes_on_while_the_thread_is_busy() -> None:
    went_on = threading.Event()

    async def keep_busy() -> bool:
        return went_on.wait(PATIENCE)

    async def scenario() -> None:
        async with other_thread() as thread:
            asyncio.get_running_loop().call_soon(went_on.set)
            assert await thread.run(keep_busy())

    asyncio.run(scenario())


def test_work_that_nobody_waits_for_any_more_is_cancelled() -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def wait_forever() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def scenario() -> None:
        async with other_thread() as thread:
            waiting = asyncio.create_task(thread.run(wait_forever()))
            await asyncio.to_thread(begun.wait, PATIENCE)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await asyncio.to_thread(cancelled.wait, PATIENCE)

    asyncio.run(scenario())


def test_closing_waits_for_work_that_has_not_ended() -> None:
    async def scenario() -> None:
        thread, may_end = LoopThread("other"), threading.Event()

        async def work() -> str:
            while not may_end.is_set():
                await asyncio.sleep(0.001)
            return "done"

        working = asyncio.create_task(thread.run(work()))
        await asyncio.sleep(0)
        closing = asyncio.create_task(thread.close())
        await asyncio.sleep(0.01)
        assert not closing.done()
        may_end.set()
        assert await working == "done"
        await closing
        assert "other" not in [each.name for each in threading.enumerate()]

    asyncio.run(scenario())


def test_what_the_other_thread_works_counts_for_the_caller_that_asked_for_it() -> None:
    """A caller that reads much from PostgreSQL has a share of the interpreter, not only of one loop."""

    async def ask_twice(thread: LoopThread) -> None:
        for _ in range(2):
            with suppress(ValueError):
                await thread.run(work_and_fail(0.02))

    async def scenario() -> None:
        async with other_thread() as thread:
            timed, beside = OwnTime(ask_twice(thread)), OwnTime(name_of_thread())
            await asyncio.gather(timed, beside)
            assert timed.seconds >= 0.04
            assert beside.seconds < 0.04

    asyncio.run(scenario())
