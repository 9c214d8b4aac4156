"""Large and broken bodies are read on a thread, in turns between tenants (`test_resting_turns`)."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from gateway.tests.told_thread import ToldThread, everything_else

from signalpost.api.http.body_reader import COMMIT_FROM, BodyReader
from signalpost.domain.errors import Unparseable
from signalpost.sharing.resting_turns import RESTS


def test_a_body_is_read_on_the_thread_and_one_that_is_refused_ends_its_turn() -> None:
    async def scenario() -> None:
        read_on: set[str] = set()

        def cpu() -> float:
            read_on.add(threading.current_thread().name)
            return 0.0

        with ThreadPoolExecutor(1, "bodies") as thread:
            reader = BodyReader(thread, cpu)
            refused = asyncio.ensure_future(reader.read(1, b"{", is_shared=True))
            assert await reader.read(1, b"[1]", is_shared=False) == [1]
            with pytest.raises(Unparseable):
                await refused
        assert read_on == {"bodies_0"}

    asyncio.run(scenario())


def test_the_rest_after_a_large_body_is_as_long_as_the_last_such_commit_asks_for() -> None:
    """A commit of a megabyte takes PostgreSQL 20 ms on a quiet server and 300 on a busy one, and others wait for it."""

    async def scenario() -> None:
        thread = ToldThread()
        reader = BodyReader(thread, lambda: 0.0)
        reader.answered(2 * COMMIT_FROM, 0.1)
        bodies = (b"[%b]" % (b" " * COMMIT_FROM), b"[1]", b"[2]")
        asked = [asyncio.ensure_future(reader.read(1, body, is_shared=True)) for body in bodies]
        await everything_else()
        assert await thread.finish_and_rest() >= RESTS * 0.05
        thread.finish()
        await everything_else()
        assert thread.asked == 1, "a small body is part of a commit that is made anyway"
        thread.finish()
        assert await asyncio.gather(*asked) == [[], [1], [2]]

    asyncio.run(scenario())
