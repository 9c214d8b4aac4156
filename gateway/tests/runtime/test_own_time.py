"""What a coroutine takes of its event loop's thread, and has a thread do for it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from time import thread_time

import pytest

from signalpost.runtime.own_time import OwnTime, on_thread

SECONDS = 0.002


def work_for_long() -> str:
    ends_at = thread_time() + SECONDS
    while thread_time() < ends_at:
        pass
    return "done"


def work_in_vain() -> str:
    work_for_long()
    raise ValueError("broken")


def test_what_a_thread_does_for_it_counts_as_its_own_time() -> None:
    async def scenario() -> None:
        with ThreadPoolExecutor(1) as thread:
            asked = OwnTime(on_thread(thread, work_for_long), lambda: 0.0)
            assert await asked == "done"
            assert asked.seconds >= SECONDS
            in_vain = OwnTime(on_thread(thread, work_in_vain), lambda: 0.0)
            with pytest.raises(ValueError, match="broken"):
                await in_vain
            assert in_vain.seconds >= SECONDS

    asyncio.run(scenario())


def test_a_future_is_waited_for_as_a_coroutine_is() -> None:
    """What a call waits for may be the outcome of its change."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        made, refused, left = loop.create_future(), loop.create_future(), loop.create_future()
        loop.call_soon(made.set_result, "done")
        assert await OwnTime(made) == "done"
        loop.call_soon(refused.set_exception, ValueError("broken"))
        with pytest.raises(ValueError, match="broken"):
            await OwnTime(refused)
        waiting = asyncio.ensure_future(OwnTime(left))
        loop.call_soon(waiting.cancel)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert left.cancelled()

    asyncio.run(scenario())
