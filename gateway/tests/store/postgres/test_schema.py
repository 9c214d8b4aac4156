"""Migrations of PostgreSQL."""

import asyncio

import pytest
from gateway.tests.postgres import emptied_database

from signalpost.domain.errors import StartError
from signalpost.store.postgres.connect import Statement, connect, trip
from signalpost.store.postgres.schema import MIGRATIONS, Migration, migrate
from signalpost_bench.postgres_server import OLDER

ADDING = Migration(9001, "adds", "CREATE TABLE added ()", 1)
BREAKING = Migration(9002, "breaks", "DROP TABLE added", 9002)


def test_nodes_that_start_together_apply_each_migration_once() -> None:
    async def scenario() -> None:
        connections = [await connect(emptied_database()) for _ in range(3)]
        script = "CREATE TABLE once (); SELECT pg_sleep(0.05)"
        both = [*MIGRATIONS, Migration(9001, "once", script, 1)]
        try:
            await asyncio.gather(*(migrate(connection, both) for connection in connections))
        finally:
            await _undo("once")
            for connection in connections:
                await connection.close()

    asyncio.run(scenario())


def test_an_older_version_works_with_what_a_newer_one_added_and_refuses_what_breaks_it() -> None:
    async def scenario() -> None:
        connection = await connect(emptied_database())
        try:
            await migrate(connection, [*MIGRATIONS, ADDING])
            await migrate(connection)
            await migrate(connection, [*MIGRATIONS, ADDING, BREAKING])
            with pytest.raises(StartError, match="9002"):
                await migrate(connection, [*MIGRATIONS, ADDING])
        finally:
            await connection.close()
            await _undo("added")

    asyncio.run(scenario())


def test_a_migration_waits_for_the_last_node_that_it_would_break() -> None:
    async def scenario() -> None:
        connection = await connect(emptied_database())
        beat = "INSERT INTO node (beat, beat_at, roles, version, schema) VALUES (1, $1, 'all', '1', 9001)"
        [[(now,)]] = await trip(connection, [Statement("SELECT (extract(epoch FROM now()) * 1000000)::bigint")])
        try:
            await trip(connection, [Statement(beat, (now,))])
            with pytest.raises(StartError, match="replace that one first"):
                await migrate(connection, [*MIGRATIONS, ADDING, BREAKING])
            await trip(connection, [Statement("UPDATE node SET beat_at = beat_at - 13000000")])
            await migrate(connection, [*MIGRATIONS, ADDING, BREAKING])
        finally:
            await connection.close()
            await _undo("added")

    asyncio.run(scenario())


def test_an_altered_migration_is_refused() -> None:
    async def scenario() -> None:
        connection = await connect(emptied_database())
        with pytest.raises(StartError, match="differs"):
            await migrate(connection, [MIGRATIONS[0]._replace(script="-- something else")])
        await connection.close()

    asyncio.run(scenario())


def test_the_schema_is_made_on_an_older_server_too() -> None:
    assert emptied_database(OLDER)


async def _undo(table: str) -> None:
    connection = await connect(emptied_database())
    await trip(connection, [Statement(f"DROP TABLE IF EXISTS {table}")])
    await trip(connection, [Statement("DELETE FROM migration WHERE number > 9000")])
    await connection.close()
