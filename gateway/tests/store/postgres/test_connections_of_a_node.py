"""How many connections a node holds: what an operator sets `max_connections` by."""

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from gateway.tests.patience import PATIENCE
from gateway.tests.postgres import OWNER

from signalpost.store.nouns.fleet import NodeRole, TenantMark
from signalpost.store.postgres.sessions import READERS
from signalpost.store.postgres.store import PostgresStore
from signalpost.store.statements import EVERY_TENANT
from signalpost_bench.postgres_server import SUPERUSER

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

GUIDE = Path(__file__).parents[4] / "docs" / "guides" / "production.md"
_OPEN = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'signalpost'"


def test_it_is_counted_how_long_work_waits_for_a_free_connection(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        store = shop.store
        assert isinstance(store, PostgresStore)
        waited = store.waits["read"]
        before, quick = sum(waited.counts), waited.counts[0]
        await asyncio.gather(
            *(store.readers.rows(EVERY_TENANT, "SELECT pg_sleep(0.2)") for _ in range(READERS + 1)),
        )
        assert sum(waited.counts) == before + READERS + 1
        assert waited.counts[0] < quick + READERS + 1
        assert waited.sum >= 0.1, "one had to wait until another had ended"
        assert [*store.waits] == ["commit", "record", "read", "write"]

    play(scenario)


def test_a_busy_node_holds_as_many_connections_as_the_guide_says(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        store = shop.store
        assert isinstance(store, PostgresStore)
        [said] = re.findall(r"Each gateway process holds up to (\d+)\s+connections", GUIDE.read_text())
        subscription = await shop.subscribe()
        await store.fleet.join(NodeRole.ALL, "1")
        store.fleet.listen(lambda _: None)
        store.fleet.announce({1: TenantMark(0, 0, 0)})
        await asyncio.gather(
            *(shop.publish(make.create(number)) for number in range(6)),
            *(shop.record(make.flush(subscription, 0, 0)) for _ in range(3)),
            *(store.readers.rows(EVERY_TENANT, "SELECT pg_sleep(0.1)") for _ in range(6)),
            *(store.writers.rows(EVERY_TENANT, "SELECT pg_sleep(0.1)") for _ in range(6)),
            *(store.fleet.beat() for _ in range(3)),
        )
        url = shop.url.replace(f"{OWNER}@", f"{SUPERUSER}@")
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as watcher, asyncio.timeout(PATIENCE):
            while not store.fleet.hears:
                await asyncio.sleep(0.01)
            counted = await (await watcher.execute(_OPEN)).fetchone()
        assert counted == (int(said),)

    play(scenario)
