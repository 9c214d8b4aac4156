"""The second wall between tenants: what the database itself shows to a transaction, whatever a statement asks for."""

import asyncio
from typing import TYPE_CHECKING

import psycopg
import pytest
from gateway.tests.postgres import OWNER, server

from signalpost.domain.errors import Unavailable
from signalpost.domain.timestamps import DAY
from signalpost.store.postgres.connect import Statement, connect, trip
from signalpost.store.postgres.database import PostgresDatabase
from signalpost.store.postgres.sessions import EVERY_TENANT, limits
from signalpost_bench.postgres_server import SUPERUSER

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

TENANT = 1
TABLES = (
    "SELECT a.attrelid::regclass::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    " WHERE a.attname = 'tenant_id' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
)


def database_of(shop: "Shop", user: str = OWNER) -> str:
    return shop._implementation.url(shop.folder).replace(f"{OWNER}@", f"{user}@")


def test_a_transaction_sees_the_tenants_that_it_names_and_none_where_it_names_none(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        other = await shop.add_tenant()
        await shop.publish(make.create(1), make.create(2, tenant=other), make.subscribe(1))
        count = Statement("SELECT count(*) FROM event")
        async with await connect(database_of(shop)) as connection:
            for tenants, seen in (([TENANT], 1), ([TENANT, other], 2), (EVERY_TENANT, 2), ([], 0)):
                assert (await trip(connection, [limits(tenants, "5s"), count]))[1] == [(seen,)]
            [tables] = await trip(connection, [Statement(TABLES)])
            assert ("event",) in tables
            for (table,) in (*tables, ("tenant",)):
                # The connection is the one that has just seen everything, as behind a pooler.
                [[(left,)]] = await trip(connection, [Statement(f"SELECT count(*) FROM {table}")])
                assert left == 0, table

    play(scenario)


def test_no_row_of_another_tenant_can_be_written(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await shop.add_tenant()
        adding = Statement(
            "INSERT INTO retry (tenant_id, subscription_number, sequence, budget, document_id)"
            " VALUES ($1, 1, 1, 1, $2::uuid)",
            (other, make.document_id(1)),
        )
        async with await connect(database_of(shop)) as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await trip(connection, [limits([TENANT], "5s"), adding])

    play(scenario)


def test_a_node_need_not_own_the_tables(play: "Play", make: "type[Tools]") -> None:
    """The user that runs it reads and writes rows, and may act as the owner where partitions are made."""

    async def scenario(shop: "Shop") -> None:
        with psycopg.connect(database_of(shop, SUPERUSER), autocommit=True) as connection:
            connection.execute(
                "DO $$ BEGIN CREATE ROLE runner LOGIN NOINHERIT; EXCEPTION WHEN duplicate_object THEN END $$"
            )
            connection.execute(f"GRANT {OWNER} TO runner")
            connection.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO runner")
            connection.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO runner")
        await shop.store.close()
        url, shop._implementation = database_of(shop, "runner"), shop._implementation._replace(url=lambda _: url)
        await shop.open()
        shop.now += 400 * 24 * 3600 * 1_000_000
        published = await shop.publish(make.create(1), make.subscribe(1))
        assert [event.sequence for event in published.events] == [1]
        assert [tenant.name for tenant in await shop.store.access.tenants()] == ["default"]

    play(scenario)


def test_a_node_that_may_make_no_tables_works_while_the_owner_makes_them_ahead(
    play: "Play", make: "type[Tools]"
) -> None:
    async def scenario(shop: "Shop") -> None:
        owners, later = database_of(shop), shop.now + 9 * DAY
        owner = PostgresDatabase(owners)
        await asyncio.to_thread(owner.keep_partitions, shop.now)  # and remove the days that earlier tests left
        kept = await asyncio.to_thread(owner.keep_partitions, shop.now)
        assert (kept.days_ahead, kept.removed) == (7, 0)
        with psycopg.connect(database_of(shop, SUPERUSER), autocommit=True) as connection:
            connection.execute("DO $$ BEGIN CREATE ROLE writer LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
            connection.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO writer")
            connection.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO writer")
        await shop.store.close()
        url, shop._implementation = database_of(shop, "writer"), shop._implementation._replace(url=lambda _: url)
        await shop.open()
        assert await shop.store.retention.prepare(shop.now, 7), "all that is wanted is there"
        assert not await shop.store.retention.prepare(shop.now, 9), "somebody else has to make the others"
        for _ in range(2):
            await shop.publish(make.create(shop.now // DAY), make.subscribe(shop.now // DAY))
            shop.now += 6 * DAY
        await shop.store.retention.prune_log(TENANT, 2, 10)
        await shop.store.retention.prune_leftovers(shop.now, 10)  # which leaves the days that are over
        shop.now = later + 3 * DAY
        with pytest.raises(Unavailable, match="signalpost db partitions"):
            await shop.publish(make.create(3))
        kept = await asyncio.to_thread(owner.keep_partitions, shop.now)
        assert kept.removed > 0
        await shop.publish(make.create(3))

    play(scenario)


def test_the_server_asks_for_a_password_on_the_loopback_interface() -> None:
    async def scenario() -> None:
        with pytest.raises(psycopg.OperationalError, match="password"):
            await connect(f"postgresql://{OWNER}@127.0.0.1:{server().port}/postgres")

    asyncio.run(scenario())
