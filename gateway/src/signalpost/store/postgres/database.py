"""A database on PostgreSQL as its operator handles it. Nodes may use it meanwhile. PostgreSQL's own tools do some
things better, so these are left to them: point-in-time copies, and returning free space to the disk.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import msgspec
import psycopg

from signalpost.domain.access.api_key import FIRST_TENANT, ApiKey
from signalpost.domain.audit import COMMAND_LINE, EntryDraft, Object
from signalpost.domain.errors import DatabaseReadOnly, StartError, Unavailable
from signalpost.domain.timestamps import DAY, SECOND, format_timestamp
from signalpost.store.database import (
    AccessFrom,
    PartitionsKept,
    PartSize,
    PrunedRows,
    RestoredDatabase,
    SinceBackup,
    Space,
)
from signalpost.store.nouns.data_keys import MASTER_KEYS_NEEDED
from signalpost.store.nouns.retention import give_up_below
from signalpost.store.postgres import partition_pruning
from signalpost.store.postgres.asking import ask, ask_one, steps_of
from signalpost.store.postgres.checks import check
from signalpost.store.postgres.connect import DatabaseConnection
from signalpost.store.postgres.errors import as_told
from signalpost.store.postgres.nouns.file_register import PostgresFileRegister
from signalpost.store.postgres.nouns.log_queries import PostgresLogQueries
from signalpost.store.postgres.nouns.retention import PostgresRetention, prune_log
from signalpost.store.postgres.partitions import DAYS_AHEAD, Partitions, existing
from signalpost.store.postgres.schema import check_current, migrate
from signalpost.store.postgres.sessions import UNBOUNDED, ReadSessions, Writers
from signalpost.store.postgres.source import DatabaseSource
from signalpost.store.postgres.tables import PLAIN, WrittenTable
from signalpost.store.statements import EVERY_TENANT
from signalpost.store.tables.api_keys import API_KEY
from signalpost.store.tables.audit import NOTE
from signalpost.store.tables.table import Columns

T = TypeVar("T")
PRUNED_AT_ONCE: Final = 1_000
DEAD_AFTER: Final = 12 * SECOND
"""A node that was not heard of for so long is dead."""
_PRUNED: Final = ("event", "step", "attempt", "delivery", "made", "idempotency", "subscription", "connection")
_IS_THERE: Final = "SELECT to_regclass('fleet') IS NOT NULL"
_IS_READ_ONLY: Final = "SELECT current_setting('transaction_read_only')::boolean"
_NODES: Final = (
    "SELECT count(*) FROM node WHERE beat_at > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $1"
)
_NEW_KEY: Final = WrittenTable(
    Columns("api_key", {name: kind for name, kind in API_KEY.columns.items() if name != "number"})
)
"""PostgreSQL gives it its number, which is the first column."""
_SIZES: Final = """
SELECT
    coalesce(p.relname, c.relname),
    c.relkind = 'r',
    CASE WHEN c.relkind = 'r' THEN sum(greatest(c.reltuples, 0))::bigint END,
    sum(pg_relation_size(c.oid) + CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_total_relation_size(c.reltoastrelid) END)
        ::bigint
FROM pg_class c
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
LEFT JOIN pg_class p ON p.oid = i.inhparent
WHERE c.relkind IN ('r', 'i') AND c.relnamespace = current_schema()::regnamespace
GROUP BY coalesce(p.relname, c.relname), c.relkind
ORDER BY 4 DESC, 1
"""
_PITR: Final = (
    "PostgreSQL keeps what is needed to go back to any moment: archive its WAL and take base backups with "
    "pg_basebackup or your provider's tool. docs/guides/erase-and-restore.md says how."
)
_encode = msgspec.json.Encoder().encode


class PostgresDatabase:
    def __init__(self, url: str) -> None:
        self._url = url

    def exists(self) -> bool:
        [(is_there,)] = self._run(lambda readers, _: readers.rows(EVERY_TENANT, _IS_THERE))
        return bool(is_there)

    @contextmanager
    def claim(self) -> Iterator[None]:
        [(nodes,)] = self._run(lambda readers, _: readers.rows(EVERY_TENANT, _NODES, DEAD_AFTER))
        if nodes:
            raise StartError(
                f"{nodes} nodes are running on this database, and they do this themselves. To run it by hand, stop "
                f"them first."
            )
        yield

    def require_changes(self) -> None:
        [(is_read_only,)] = self._run(lambda readers, _: readers.rows(EVERY_TENANT, _IS_READ_ONLY))
        if is_read_only:
            raise _refused(DatabaseReadOnly())

    def master_keys_needed(self) -> frozenset[str]:
        async def find(readers: ReadSessions, _: Writers) -> frozenset[str]:
            await check_current(self._url)
            return frozenset(key for (key,) in await readers.rows(EVERY_TENANT, MASTER_KEYS_NEEDED))

        return self._run(find)

    def check(self) -> list[str]:
        return self._run(lambda readers, _: readers.run(EVERY_TENANT, steps_of(check()), UNBOUNDED))

    def back_up(self, to: Path, now: int) -> NoReturn:
        raise StartError(f"`db backup` copies a SQLite file. {_PITR}")

    def since_backup(self) -> SinceBackup | None:
        return None

    def broken_backup(self, backup: Path) -> None: ...

    def check_backup(self, backup: Path) -> NoReturn:
        raise StartError(f"`db restore` puts back a copy of a SQLite file. {_PITR}")

    def restore(self, backup: Path, access: AccessFrom, now: int) -> RestoredDatabase:
        self.check_backup(backup)

    def prune(self, now: int, kept: int, progress: Callable[[int, int], None]) -> PrunedRows:
        partitions = Partitions(self._url)
        return self._run(lambda readers, writers: _prune(readers, writers, partitions, now, kept, progress))

    def migrate(self) -> None:
        asyncio.run(migrate(self._url))

    def keep_partitions(self, now: int) -> PartitionsKept:
        async def keep(readers: ReadSessions, writers: Writers) -> PartitionsKept:
            before = await existing(self._url)
            await Partitions(self._url).provide_ahead(now, DAYS_AHEAD)
            await partition_pruning.prune(writers, now, 0)
            return PartitionsKept(DAYS_AHEAD, len(before - await existing(self._url)))

        return self._run(keep)

    def compact(self) -> NoReturn:
        raise StartError(
            "PostgreSQL gives the disk of whole days back as they are removed, and uses other free space again by "
            "itself. Run VACUUM FULL in psql where a table is to shrink at once: it locks the table meanwhile."
        )

    def add_key(self, key: ApiKey, told: EntryDraft) -> None:
        async def add(_: ReadSessions, writers: Writers) -> None:
            async def steps() -> None:
                await ask(*_NEW_KEY.insert([API_KEY.pack(key, PLAIN)[1:]]))
                await _note(told)

            await writers.run(EVERY_TENANT, steps_of(steps()))

        self._run(add)

    def space(self) -> Space:
        statement = "SELECT pg_database_size(current_database())"
        [(size,)] = self._run(lambda readers, _: readers.rows(EVERY_TENANT, statement))
        return Space(size, 0)

    def sizes(self) -> list[PartSize]:
        found = self._run(lambda readers, _: readers.rows(EVERY_TENANT, _SIZES))
        return [PartSize(name, rows if is_table else None, size) for name, is_table, rows, size in found]

    @contextmanager
    def files(self) -> Iterator[PostgresFileRegister]:
        try:
            with psycopg.connect(self._url, autocommit=True, prepare_threshold=None) as connection:
                yield PostgresFileRegister(connection)
        except psycopg.Error as error:
            raise _refused(as_told(error)) from None

    def _run(self, ask: Callable[[ReadSessions, Writers], Coroutine[Any, Any, T]]) -> T:
        async def asking() -> T:
            source = _AnyServer(self._url)
            readers, writers = ReadSessions(source, 1), Writers(source, 1)
            try:
                return await ask(readers, writers)
            finally:
                await readers.close()
                await writers.close()

        try:
            return asyncio.run(asking())
        except (psycopg.Error, Unavailable) as error:
            raise _refused(error) from None


class _AnyServer(DatabaseSource):
    """A standby too: much can be looked at there, and what would be changed is refused by the server."""

    async def connect(self) -> DatabaseConnection:
        return await self.connect_anyway()


def _refused(error: Exception) -> StartError:
    return StartError(str(error) if isinstance(error, DatabaseReadOnly) else f"The database cannot be used: {error}")


# --- Pruning ----------------------------------------------------------------------------------------------------------


async def _prune(
    readers: ReadSessions,
    writers: Writers,
    partitions: Partitions,
    now: int,
    kept: int,
    progress: Callable[[int, int], None],
) -> PrunedRows:
    told = _told("database.prune", now, keptSince=format_timestamp(now - kept))
    await writers.run(EVERY_TENANT, steps_of(_note(told)))
    counted = await _count(readers)
    retention = PostgresRetention(readers, writers, partitions)
    tenants = await readers.rows(EVERY_TENANT, "SELECT id, floor, retention_days FROM tenant WHERE deleted_at IS NULL")
    since = {tenant_id: now - (kept if days is None else days * DAY) for tenant_id, _, days in tenants}
    queries = PostgresLogQueries()
    floors = {
        tenant_id: await readers.run(tenant_id, steps_of(queries.sequence_at(tenant_id, at)))
        for tenant_id, at in since.items()
    }
    total, done = sum(floors[tenant_id] - floor for tenant_id, floor, _ in tenants), 0
    lost: dict[str, int] = {}
    for tenant_id, floor in floors.items():
        lost |= await writers.run(tenant_id, steps_of(give_up_below(ask_one, str, tenant_id, floor)))
        while removed := await writers.run(tenant_id, steps_of(prune_log(tenant_id, floor, PRUNED_AT_ONCE))):
            done += removed
            progress(done, total)
        while await retention.prune_replays(tenant_id, since[tenant_id], PRUNED_AT_ONCE) >= PRUNED_AT_ONCE:
            pass
    while await retention.prune_leftovers(now, PRUNED_AT_ONCE) >= PRUNED_AT_ONCE:
        pass
    left = await _count(readers)
    return PrunedRows({table: count - left[table] for table, count in counted.items()}, lost)


async def _note(draft: EntryDraft) -> None:
    """Keep a draft for the next start, which has the key for its proof."""
    await ask_one(NOTE, _encode(draft))


def _told(action: str, now: int, **what: str) -> EntryDraft:
    """What the audit will say of something that was done to the whole database."""
    changes: Mapping[str, Any] = {name: {"old": None, "new": value} for name, value in what.items()}
    database = Object("database", "database")
    return EntryDraft(
        tenant_id=FIRST_TENANT, at=now, actor=COMMAND_LINE, action=action, object=database, changes=changes
    )


async def _count(readers: ReadSessions) -> dict[str, int]:
    """How many rows there are, by table; of the log only what tenants keep."""
    counted = {}
    for table in _PRUNED:
        kept = ""
        if table in ("event", "attempt"):
            kept = " JOIN tenant t ON t.id = e.tenant_id AND e.sequence >= t.floor"
        [(count,)] = await readers.rows(EVERY_TENANT, f"SELECT count(*) FROM {table} e{kept}")
        counted[table] = int(count)
    return counted
