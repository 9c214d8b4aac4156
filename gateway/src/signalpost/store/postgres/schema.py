"""The schema of a database, and how it follows the versions of Signalpost.

As in SQLite, a schema is made by numbered files that never change once they were published; each says in its first line
which versions it breaks, by the newest migration that these know. But here nodes of two versions run side by side while
they are replaced one by one. So a migration that only adds breaks no one, and what takes something away waits: as long
as a node runs whose version it would break, it is not applied.

Each migration is a transaction of its own, which holds the lock of one row: of nodes that start together one applies
it. It waits for no table longer than `LOCKS_WITHIN`, since whatever came after it would wait as well; it tries again.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import psycopg

from signalpost.domain.errors import StartError
from signalpost.runtime.logger import log
from signalpost.store.migration import Migration, migrations_of
from signalpost.store.postgres.connect import DatabaseConnection, connect, trip
from signalpost.store.postgres.errors import LOCK_NOT_AVAILABLE, is_lost, is_read_only, unusable
from signalpost.store.postgres.sessions import WRITES_WITHIN, limits
from signalpost.store.statements import EVERY_TENANT, Statement

MIGRATES_WITHIN: Final = 60
"""For how many seconds a start tries to apply a migration that others are in the way of."""
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS migration (
    number bigint PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at bigint NOT NULL,
    breaks_before bigint NOT NULL
);
INSERT INTO migration VALUES (0, 'lock', '', 0, 0) ON CONFLICT DO NOTHING;
"""
LOCK: Final = Statement("SELECT FROM migration WHERE number = 0 FOR UPDATE")
"""A node that makes or removes tables holds this lock."""
_OLDER_NODES: Final = (
    "SELECT count(*) FROM node WHERE schema < $1"
    " AND beat_at > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 12000000"
)
"""Nodes that were not heard of for 12 seconds are dead."""
_MADE_AT_ONCE: Final = frozenset({"23505", "42P07"})
"""Errors that a statement with `IF NOT EXISTS` may raise where two nodes make a table at the same time."""
_NOT_ALLOWED: Final = "42501"

MIGRATIONS = migrations_of("signalpost.store.postgres")
"""What this version knows, in order."""


async def migrate(url: str, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Apply the migrations that a database lacks. Raises StartError if a newer version left what breaks this one, a
    migration was altered after it was applied or breaks a node that runs, or this user may not apply one."""
    try:
        async with await connect(url) as connection:
            missing = await _missing(connection, migrations)
            if missing:
                await _make_table(connection)
        for each in missing:
            await _apply(url, each)
    except psycopg.Error as error:
        if error.sqlstate == _NOT_ALLOWED:
            raise StartError(
                "The database has to be brought up to date by the user that owns it: run `signalpost db migrate` with "
                "that user's DATABASE_URL, then start again."
            ) from None
        if is_lost(error) or is_read_only(error):
            raise unusable(error) from None
        raise StartError(f"The database cannot be brought up to date: {error}") from None


async def check_current(url: str, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Raises StartError if a database cannot be reached, lacks a migration of this version, or is one that this version
    cannot work with."""
    try:
        async with await connect(url) as connection:
            missing = await _missing(connection, migrations)
    except psycopg.Error as error:
        raise unusable(error) from None
    if missing == [*migrations]:
        raise StartError("No gateway has been started on this database. Start it once, or see what DATABASE_URL names.")
    if missing:
        raise StartError(
            f"The database lacks migration {missing[0].number} ({missing[0].name}) of this version. Start the gateway "
            "once to bring it up to date, or run `signalpost db migrate` as the user that owns the tables."
        )


async def _missing(connection: DatabaseConnection, migrations: Sequence[Migration]) -> list[Migration]:
    """The migrations that were not applied, in order. Raises StartError if this version cannot work with one that
    was."""
    [[(is_there,)]] = await trip(connection, [Statement("SELECT to_regclass('migration') IS NOT NULL")])
    if not is_there:
        return [*migrations]
    [found] = await trip(connection, [Statement("SELECT number, name, checksum, breaks_before FROM migration")])
    applied = {number: (name, checksum, breaks_before) for number, name, checksum, breaks_before in found}
    known = migrations[-1].number
    for number, (name, _, breaks_before) in sorted(applied.items()):
        if number > known and breaks_before > known:
            raise StartError(
                f"The database has migration {number} ({name}), which this version of Signalpost cannot work with: "
                "start a version as new as the one that used it last."
            )
    for each in migrations:
        if each.number in applied and applied[each.number][1] != each.checksum:
            raise StartError(
                f"Migration {each.number} ({each.name}) differs from the one that this database was made with."
            )
    return [each for each in migrations if each.number not in applied]


async def _make_table(connection: DatabaseConnection) -> None:
    try:
        await connection.execute(_TABLE, prepare=False)
    except psycopg.Error as error:
        if error.sqlstate not in _MADE_AT_ONCE:
            raise


async def _apply(url: str, migration: Migration) -> None:
    given_up_at = time.monotonic() + MIGRATES_WITHIN
    while True:
        try:
            async with await connect(url) as connection, connection.transaction():
                if await _is_due(connection, migration):
                    await _carry_out(connection, migration)
            return
        except psycopg.Error as error:
            if error.sqlstate != LOCK_NOT_AVAILABLE or time.monotonic() > given_up_at:
                raise
            log.info("a migration waits for a lock on a table that others use", migration=migration.number)
            await asyncio.sleep(0.5)


async def _is_due(connection: DatabaseConnection, migration: Migration) -> bool:
    """Lock the row that all migrations lock, and look whether another node was faster. Raises StartError if a node
    runs that the migration would break."""
    await trip(connection, [limits(EVERY_TENANT, WRITES_WITHIN), LOCK])
    applied = Statement("SELECT coalesce(max(number), 0) FROM migration")
    [[(newest,)]] = await trip(connection, [applied])
    if newest >= migration.number:
        return False
    if newest:
        [[(older,)]] = await trip(connection, [Statement(_OLDER_NODES, (migration.breaks_before,))])
        if older:
            raise StartError(
                f"Migration {migration.number} ({migration.name}) would break gateways that run with an older version "
                f"({older} of them): stop them all, then do this again."
            )
    return True


async def _carry_out(connection: DatabaseConnection, migration: Migration) -> None:
    await connection.execute(migration.script.encode(), prepare=False)
    noted = Statement(
        "INSERT INTO migration VALUES ($1, $2, $3, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, $4)",
        (migration.number, migration.name, migration.checksum, migration.breaks_before),
    )
    await trip(connection, [noted])
