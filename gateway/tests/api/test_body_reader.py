"""Large and broken bodies are read in turns between tenants."""

import asyncio
import itertools
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from signalpost.api.http.body_reader import RESTS, BodyReader
from signalpost.domain.errors import Unparseable


class _Thread(Executor):
    """Does one thing at a time, each when it is told to."""

    def __init__(self) -> None:
        self.begun: list[tuple[Future[Any], Any, bytes]] = []

    def submit(self, do: Any, /, *given: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.begun.append((future, do, given[0]))
        return future

    def finish(self) -> bytes:
        (future, do, body), *self.begun = self.begun
        try:
            future.set_result(do(body))
        except Unparseable as error:
            future.set_exception(error)
        return body


def test_a_tenant_with_many_bodies_leaves_every_other_turn_to_others() -> None:
    async def scenario() -> None:
        thread = _Thread()
        reader = BodyReader(thread)
        many = [asyncio.ensure_future(reader.read(1, b'"one"')) for _ in range(5)]
        await asyncio.sleep(0)
        others = [asyncio.ensure_future(reader.read(tenant, b'"other"')) for tenant in (2, 3)]
        order: list[bytes] = []
        while len(order) < 7:
            await asyncio.sleep(0)
            if thread.begun:
                assert len(thread.begun) == 1
                order.append(thread.finish())
        assert order == [b'"one"', b'"one"', b'"other"', b'"other"', b'"one"', b'"one"', b'"one"']
        assert await asyncio.gather(*many, *others) == ["one"] * 5 + ["other"] * 2

    asyncio.run(scenario())


def test_after_a_body_that_took_long_others_have_the_interpreter_for_longer() -> None:
    async def scenario() -> None:
        thread = _Thread()
        loop = asyncio.get_running_loop()
        reader = BodyReader(thread, itertools.count(step=0.05).__next__)
        asked = [asyncio.ensure_future(reader.read(tenant, b"[]")) for tenant in (1, 2)]
        await asyncio.sleep(0)
        begun = loop.time()
        thread.finish()
        assert await asked[0] == []
        while not thread.begun:
            await asyncio.sleep(0.001)
        assert loop.time() - begun >= RESTS * 0.05
        thread.finish()
        assert await asked[1] == []

    asyncio.run(scenario())


def test_a_body_that_is_refused_ends_its_turn() -> None:
    async def scenario() -> None:
        thread = _Thread()
        reader = BodyReader(thread)
        asked = [asyncio.ensure_future(reader.read(1, body)) for body in (b"{", b"[]")]
        for _ in asked:
            while not thread.begun:
                await asyncio.sleep(0)
            thread.finish()
        with pytest.raises(Unparseable):
            await asked[0]
        assert await asked[1] == []

    asyncio.run(scenario())
