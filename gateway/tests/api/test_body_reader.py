"""Large and broken bodies are read on a thread, in turns between tenants (`test_resting_turns`)."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from signalpost.api.http.body_reader import BodyReader
from signalpost.domain.errors import Unparseable


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
