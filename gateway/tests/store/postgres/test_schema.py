"""Migrations of PostgreSQL."""

import asyncio

import psycopg
import pytest
from gateway.tests.postgres import emptied_database, server

from signalpost.domain.errors import StartError
from signalpost.store.migration import Migration
from signalpost.store.postgres.connect import connect, trip
from signalpost.store.postgres.schema import MIGRATIONS, migrate
from signalpost.store.statements import Statement
from signalpost_bench.postgres_server import OLDER, OLDEST, programs

ADDING = Migration(9001, "adds", "CREATE TABLE added ()", 1)
BREAKING = Migration(9002, "breaks", "DROP TABLE added", 9002)


def test_nodes_that_start_together_apply_each_migration_once() -> None:
    async def scenario() -> None:
        url = emptied_database()
        script = "CREATE TABLE once (); SELECT pg_sleep(0.05)"
        try:
            await asyncio.gather(*(migrate(url, [*MIGRATIONS, Migration(9001, "once", script, 1)]) for _ in range(3)))
        finally:
            await _undo("once")

    asyncio.run(scenario())


def test_an_older_version_works_with_what_a_newer_one_added_and_refuses_what_breaks_it() -> None:
    async def scenario() -> None:
        url = emptied_database()
        try:
            await migrate(url, [*MIGRATIONS, ADDING])
            await migrate(url)
            await migrate(url, [*MIGRATIONS, ADDING, BREAKING])
            with pytest.raises(StartError, match="9002"):
                await migrate(url, [*MIGRATIONS, ADDING])
        finally:
            await _undo("added")

    asyncio.run(scenario())


def test_a_migration_waits_for_the_last_node_that_it_would_break() -> None:
    async def scenario() -> None:
        url = emptied_database()
        beat = "INSERT INTO node (beat, beat_at, role, program, schema) VALUES (1, $1, 'all', '1', 9001)"
        try:
            async with await connect(url) as connection:
                [[(now,)]] = await trip(connection, [Statement("SELECT (extract(epoch FROM now()) * 1000000)::bigint")])
                await trip(connection, [Statement(beat, (now,))])
                with pytest.raises(StartError, match=r"older version \(1 of them\): stop them all"):
                    await migrate(url, [*MIGRATIONS, ADDING, BREAKING])
                await trip(connection, [Statement("UPDATE node SET beat_at = beat_at - 13000000")])
            await migrate(url, [*MIGRATIONS, ADDING, BREAKING])
        finally:
            await _undo("added")

    asyncio.run(scenario())


def test_an_altered_migration_is_refused() -> None:
    with pytest.raises(StartError, match="differs"):
        asyncio.run(migrate(emptied_database(), [MIGRATIONS[0]._replace(script="-- something else"), *MIGRATIONS[1:]]))


def test_migrations_are_numbered_without_gaps_and_break_no_version_that_is_newer() -> None:
    assert [each.number for each in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))
    assert all(0 < each.breaks_before <= each.number for each in MIGRATIONS)


def test_the_schema_is_made_on_an_older_server_too() -> None:
    assert emptied_database(OLDER)


@pytest.mark.skipif(not programs(OLDEST).exists(), reason="PostgreSQL 15 of Debian is not on this machine")
def test_the_schema_is_made_on_the_oldest_server_that_is_supported() -> None:
    assert emptied_database(OLDEST)


def test_a_database_that_does_not_keep_every_character_is_refused() -> None:
    with psycopg.connect(server().url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE of_ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
        try:
            with pytest.raises(StartError, match="must be UTF8; this one's is SQL_ASCII"):
                asyncio.run(migrate(server().url("of_ascii")))
        finally:
            connection.execute("DROP DATABASE of_ascii")


async def _undo(table: str) -> None:
    async with await connect(emptied_database()) as connection:
        await trip(connection, [Statement(f"DROP TABLE IF EXISTS {table}")])
        await trip(connection, [Statement("DELETE FROM migration WHERE number > 9000")])
