"""A stream of Redis where it meets a gateway that refuses documents, a tenant that is erased, and a fleet."""

import asyncio
import os
import shutil
import uuid
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.feeding import names, states, titles, told_of
from connect.tests.fleet_rig import two_nodes, url_of
from connect.tests.redis_server import Streams, server, streams
from gateway.tests.acceptance.client import until
from gateway.tests.patience import PATIENCE

from signalpost_client import AsyncClient, Client
from signalpost_connect.mapping import LineMaker
from signalpost_connect.progress import Progress
from signalpost_connect.pump import Pump
from signalpost_connect.redis.stream import RedisStream
from signalpost_connect.testing.conformance import states_told

__all__ = ["server", "streams"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("REDIS"), reason="minutes of a gateway fed from Redis: make connect-redis"),
]
LARGEST_RESERVE = "1048576"
"""The largest that a gateway takes, in megabytes: more than is free here."""


class Feed:
    """A connector in this process, that reads one source and calls whichever gateway it is told."""

    def __init__(self, source: RedisStream) -> None:
        self.source = source
        self.progress = Progress(lambda: 0.0)

    async def round(self, url: str, key: str) -> float:
        """Import what comes next. Returns for how long nothing more should be taken."""
        async with AsyncClient(url, key, deadline=2.0) as client:
            return await Pump(self.source, client, LineMaker(), self.progress).round()

    @property
    def trouble(self) -> str:
        return str(self.progress.health().get("trouble", ""))


def fed(streams: Streams, act: Callable[[Feed], Awaitable[None]]) -> None:
    """Do something with a feed that has a loop, and close it."""

    async def run() -> None:
        feed = Feed(streams.source())
        try:
            async with asyncio.timeout(PATIENCE):
                await act(feed)
        finally:
            await feed.source.close()

    asyncio.run(run())


# --- Refused documents ------------------------------------------------------------------------------------------------


def test_while_documents_are_refused_all_stays_in_the_stream_and_then_comes_once(
    streams: Streams, gateway: FedGateway
) -> None:
    if shutil.disk_usage(gateway.process.data_dir).free >= int(LARGEST_RESERVE) << 20:
        pytest.skip("no gateway takes this disk for nearly full")
    documents = names(30)
    streams.put(states(documents, 1, 2))

    async def feed_all(feed: Feed) -> None:
        gateway.stop()
        gateway.process.set(disk_reserve_mb=LARGEST_RESERVE)
        gateway.start()
        for _ in range(2):
            assert await feed.round(gateway.url, gateway.key) > 0
            assert "503 disk_nearly_full" in feed.trouble
        assert streams.left() == 2 * len(documents)
        streams.put(states(documents, 3, 3))
        gateway.stop()
        gateway.process.set(disk_reserve_mb="1")
        gateway.start()
        while streams.left():
            await feed.round(gateway.url, gateway.key)

    fed(streams, feed_all)
    told = told_of(gateway)
    assert {each: told[each] for each in documents} == {each: titles(1, 3) for each in documents}
    assert not streams.dead()


# --- An erased tenant -------------------------------------------------------------------------------------------------


def test_what_an_erased_tenant_did_not_take_stays_for_the_next_one(streams: Streams, gateway: FedGateway) -> None:
    """The tenant is erased while an import is under way. Its key is refused, and no message is taken for bad."""
    documents = names(400)
    api = gateway.process.api

    def tenant(name: str) -> str:
        api.ask("POST", "/v1/tenants", {"name": name}, expect=201)
        made = api.ask("POST", "/v1/keys", {"name": "source", "role": "app"}, expect=201, signalpost_tenant=name)
        return str(made["key"])

    first = f"t-{uuid.uuid4().hex[:8]}"
    key = tenant(first)
    streams.put(states(documents, 1, 20))
    all_of_them = streams.left()

    def erase() -> None:
        until(lambda: streams.left() < all_of_them)
        erasure = api.ask("DELETE", f"/v1/tenants/{first}?confirm={first}", expect=202)
        until(lambda: api.ask("GET", f"/v1/erasures/{erasure['id']}")["state"] == "finished")

    async def feed_all(feed: Feed) -> None:
        erasing = asyncio.create_task(asyncio.to_thread(erase))
        while not await feed.round(gateway.url, key):
            assert streams.left(), "all was taken before the erasure: this proves nothing"
        await erasing
        assert await feed.round(gateway.url, key) > 0
        assert "401" in feed.trouble
        left = streams.left()
        assert left
        assert not streams.dead()
        second = f"t-{uuid.uuid4().hex[:8]}"
        key_of_second = tenant(second)
        while streams.left():
            await feed.round(gateway.url, key_of_second)
        with Client(gateway.url, gateway.operator_key, tenant=second) as client:
            applied = sum(len(each) for each in states_told(client, 0).values())
        assert applied == left

    fed(streams, feed_all)
    assert not streams.dead()


# --- A fleet ----------------------------------------------------------------------------------------------------------


def test_two_gateways_in_turn_take_each_change_once_though_one_is_killed(streams: Streams, tmp_path: Path) -> None:
    """Each import goes to the other one, as a balancer has it. One is killed while it takes lines, and comes back."""
    documents = names(50)
    streams.put(states(documents, 1, 40))
    with two_nodes(tmp_path) as nodes:
        key = nodes[0].api.ask("POST", "/v1/keys", {"name": "source", "role": "app"}, expect=201)["key"]
        urls = [url_of(each) for each in nodes]
        operator = nodes[0].operator_key

        def kill() -> None:
            with Client(urls[1], operator) as client:
                until(lambda: bool(client.events.list(limit=1).data))
            nodes[0].kill()

        async def feed_all(feed: Feed) -> None:
            killing = asyncio.create_task(asyncio.to_thread(kill))
            for number in count():
                await feed.round(urls[number % 2], key)
                if killing.done():
                    break
            await killing
            assert streams.left(), "all was taken before the kill: this proves nothing"
            assert await feed.round(urls[0], key) > 0, "it answers, though it was killed"
            await asyncio.to_thread(nodes[0].start)
            urls[0] = url_of(nodes[0])
            for number in count():
                await feed.round(urls[number % 2], key)
                if not streams.left():
                    break

        fed(streams, feed_all)
        with Client(urls[1], operator) as client:
            told = states_told(client, 0)
    assert told == {each: titles(1, 40) for each in documents}
    assert not streams.dead()
