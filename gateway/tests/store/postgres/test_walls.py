"""The second wall between tenants: what the database itself shows to a transaction, whatever a statement asks for."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from gateway.tests.captured_log import captured_log
from gateway.tests.postgres import OWNER, emptied_database, server
from gateway.tests.store.test_erasures import ERASURE, carry_out

from signalpost.commands.tenants import DeleteTenant
from signalpost.domain.errors import Unavailable
from signalpost.domain.timestamps import DAY
from signalpost.store.nouns.erasures import HANDLED_OTHERWISE, ROWS_OF_TENANT
from signalpost.store.postgres.connect import connect, trip
from signalpost.store.postgres.database import PostgresDatabase
from signalpost.store.postgres.nouns.erasures import HANDLED_HERE
from signalpost.store.postgres.sessions import limits
from signalpost.store.statements import EVERY_TENANT, Statement
from signalpost_bench.postgres_server import SUPERUSER

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

    Tables = list[tuple[str, str]]
    Look = Callable[[Shop, psycopg.Connection[Any], Tables, int], Awaitable[None]]
    Filled = Callable[[Look], None]

TENANT = 1
TABLES = (
    "SELECT c.relname, CASE c.relname WHEN 'tenant' THEN 'id' ELSE 'tenant_id' END FROM pg_class c"
    " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
    " AND (c.relname = 'tenant' OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid"
    " AND a.attname = 'tenant_id' AND NOT a.attisdropped)) ORDER BY 1"
)
"""Every table with rows of tenants, and its column that says whose they are."""
COLUMNS = (
    "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0"
    " AND attnotnull AND NOT attisdropped AND attidentity = '' AND NOT atthasdef"
)
A_VALUE = {
    "bigint": "$2", "integer": "1", "smallint": "1", "boolean": "true", "text": "$3::text", "uuid": "$3::text::uuid",
    "bytea": "convert_to($3::text, 'UTF8')", "bigint[]": "'{}'",
}  # fmt: skip
"""An expression for a column of each type, in which $2 is a moment and $3 a text that no other row has."""
SHOWN_TO_ALL = {"api_key", "member"}
"""Tables of which operators' rows are shown everywhere, because the history of documents names them."""


def database_of(shop: "Shop", user: str = OWNER) -> str:
    return shop._implementation.url(shop.folder).replace(f"{OWNER}@", f"{user}@")


def fill(connection: "psycopg.Connection[Any]", table: str, own: str, tenant: int, now: int) -> None:
    """Give a tenant a row in a table, whatever columns that has."""
    text = str(uuid4())
    if table == "tenant":
        return  # they are there
    columns = connection.execute(COLUMNS.replace("$1", "%s").encode(), [table]).fetchall()
    values = {name: A_VALUE[kind].replace("$2", "%(now)s").replace("$3", "%(text)s") for name, kind in columns}
    values[own] = "%(tenant)s"
    statement = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(values.values())})"
    connection.execute(statement.encode(), {"now": now + tenant, "text": text, "tenant": tenant})


def test_every_table_that_has_a_tenant_is_thought_of_in_an_erasure() -> None:
    with psycopg.connect(emptied_database()) as connection:
        found = {name for name, own in connection.execute(TABLES).fetchall() if own == "tenant_id"}
    assert found == {table.name for table in ROWS_OF_TENANT} | HANDLED_OTHERWISE | HANDLED_HERE


@pytest.fixture
def filled(play: "Play") -> "Filled":
    return partial(_filled, play)


def _filled(play: "Play", look: "Look") -> None:
    """Have `look` see a database in which two tenants have a row in every table that has rows of tenants."""

    async def scenario(shop: "Shop") -> None:
        other = await shop.add_tenant()
        await shop.store.retention.prepare(shop.now, 1)  # the partitions of today
        with psycopg.connect(database_of(shop, SUPERUSER), autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")  # rows need not fit one another
            tables = [(str(name), str(own)) for name, own in connection.execute(TABLES).fetchall()]
            for table, own in tables:
                for tenant in (TENANT, other):
                    fill(connection, table, own, tenant, shop.now)
            await look(shop, connection, tables, other)

    play(scenario)


def test_every_table_with_rows_of_tenants_has_a_wall(filled: "Filled") -> None:
    async def look(_: "Shop", connection: "psycopg.Connection[Any]", tables: "Tables", __: int) -> None:
        assert len(tables) >= 20
        for table, own in tables:
            row = connection.execute(
                "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass", [table]
            ).fetchone()
            assert row == (True, True), f"{table}: the wall does not stand, or not before its owner"
            policies = connection.execute(
                "SELECT policyname, permissive, cmd, roles, qual, coalesce(with_check, qual) FROM pg_policies"
                " WHERE tablename = %s ORDER BY 1",
                [table],
            ).fetchall()
            said = {name: (permissive, cmd, roles) for name, permissive, cmd, roles, *_ in policies}
            wall = {"of_tenants": ("PERMISSIVE", "ALL", ["public"])}
            assert said == (
                {**wall, "of_operators": ("PERMISSIVE", "SELECT", ["public"])} if table in SHOWN_TO_ALL else wall
            )
            _, *of_tenants = policies[-1][3:]
            for condition in of_tenants:
                assert f"({own} = ANY" in condition
                assert "signalpost.tenants" in condition
                assert " OR " in condition

    filled(look)


def test_a_transaction_sees_the_tenants_that_it_names_and_none_where_it_names_none(filled: "Filled") -> None:
    async def look(shop: "Shop", everything: "psycopg.Connection[Any]", tables: "Tables", other: int) -> None:
        async with await connect(database_of(shop)) as connection:
            for table, own in tables:
                whose = f"SELECT DISTINCT {own} FROM {table} ORDER BY 1"
                there = [row[0] for row in everything.execute(whose.encode())]
                assert {TENANT, other} <= set(there), table
                for tenants in ([TENANT], [other], [TENANT, other], EVERY_TENANT, []):
                    seen = (await trip(connection, [limits(tenants, "5s"), Statement(whose)]))[1]
                    meant = there if tenants is EVERY_TENANT else tenants
                    assert [row[0] for row in seen] == meant, (table, tenants)
                # The connection is the one that has just seen everything, as behind a pooler.
                [left] = await trip(connection, [Statement(whose)])
                assert left == [], table

    filled(look)


def test_no_row_of_another_tenant_can_be_changed_or_removed(filled: "Filled") -> None:
    async def look(shop: "Shop", everything: "psycopg.Connection[Any]", tables: "Tables", other: int) -> None:
        async with await connect(database_of(shop)) as connection:
            for table, own in tables:
                moving = Statement(f"UPDATE {table} SET {own} = {own} WHERE {own} = $1 RETURNING 1", (other,))
                removing = Statement(f"DELETE FROM {table} WHERE {own} = $1 RETURNING 1", (other,))
                for statement in (moving, removing):
                    assert (await trip(connection, [limits([TENANT], "5s"), statement]))[1] == [], table
                count = f"SELECT count(*) FROM {table} WHERE {own} = {other}"
                assert everything.execute(count.encode()).fetchone() != (0,), table

    filled(look)


def test_no_row_of_another_tenant_can_be_written(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        other = await shop.add_tenant()
        adding = Statement(
            "INSERT INTO retry (tenant_id, subscription_number, sequence, document_id) VALUES ($1, 1, 1, $2::uuid)",
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
        assert [tenant.name for tenant in await shop.store.access.tenants()] == ["operations", "default"]

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


def test_a_node_that_may_not_act_as_the_owner_finishes_erasures(play: "Play", make: "type[Tools]") -> None:
    """The server vacuums by itself what the node may not."""

    async def scenario(shop: "Shop") -> None:
        with psycopg.connect(database_of(shop, SUPERUSER), autocommit=True) as connection:
            connection.execute("DO $$ BEGIN CREATE ROLE writer LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
            connection.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO writer")
            connection.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO writer")
        other = await shop.add_tenant()
        await shop.store.close()
        url, shop._implementation = database_of(shop, "writer"), shop._implementation._replace(url=lambda _: url)
        await shop.open()
        [tenant] = [each for each in await shop.store.access.tenants() if each.id == other]
        await shop.publish(DeleteTenant(tenant_id=1, name=tenant.name, erasure_id=ERASURE))
        with captured_log() as lines:
            await carry_out(shop)
        assert ["autovacuum" in line["message"] for line in lines] == [True]

    play(scenario)


def test_the_server_asks_for_a_password_on_the_loopback_interface() -> None:
    async def scenario() -> None:
        with pytest.raises(psycopg.OperationalError, match="password"):
            await connect(f"postgresql://{OWNER}@127.0.0.1:{server().port}/postgres")

    asyncio.run(scenario())
