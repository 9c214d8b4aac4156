"""The store on PostgreSQL. Several nodes may have the same database open, each with connections of its own."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

import psycopg

from signalpost.commands.batch import Batch, BatchContext, Rows
from signalpost.commands.command import Command
from signalpost.domain.audit import Notary
from signalpost.runtime.clock import SystemClock
from signalpost.store.nouns.access import AccessStore
from signalpost.store.nouns.lists import ListStore
from signalpost.store.nouns.searched_text import SearchedTextStore
from signalpost.store.nouns.sources import SourceStore
from signalpost.store.postgres.committers import Committers
from signalpost.store.postgres.connect import until_started
from signalpost.store.postgres.errors import unusable
from signalpost.store.postgres.nouns.audit import PostgresAudit
from signalpost.store.postgres.nouns.connections import PostgresConnections
from signalpost.store.postgres.nouns.data_keys import PostgresDataKeys, prepare
from signalpost.store.postgres.nouns.deliveries import PostgresDeliveries
from signalpost.store.postgres.nouns.documents import PostgresDocuments
from signalpost.store.postgres.nouns.erasures import PostgresErasures
from signalpost.store.postgres.nouns.fleet import PostgresFleet
from signalpost.store.postgres.nouns.history import PostgresHistory
from signalpost.store.postgres.nouns.lanes import PostgresLanes
from signalpost.store.postgres.nouns.log import PostgresLog
from signalpost.store.postgres.nouns.replays import PostgresReplays
from signalpost.store.postgres.nouns.retention import PostgresRetention
from signalpost.store.postgres.nouns.sign_ins import PostgresSignIns
from signalpost.store.postgres.nouns.stats import PostgresStats
from signalpost.store.postgres.nouns.versions import PostgresVersions
from signalpost.store.postgres.partitions import Partitions
from signalpost.store.postgres.publish import Publisher
from signalpost.store.postgres.record import RecordWriter
from signalpost.store.postgres.schema import migrate
from signalpost.store.postgres.sessions import ReadSessions, Writers
from signalpost.store.postgres.source import DatabaseSource
from signalpost.store.statements import EVERY_TENANT
from signalpost.store.store import MAX_SCANNED, PublishedBatch, StoreSize
from signalpost.store.vault import MasterKeys, Vault

PUBLISHING: Final = 2
"""How many batches of commands may be committed at the same time."""

T = TypeVar("T")


class PostgresStore:
    commits_on_a_thread: Final = False

    def __init__(
        self,
        url: str,
        vault: Vault,
        notary: Notary,
        begin: Callable[[Rows, int], Batch],
        now: Callable[[], int],
        max_scanned: int,
    ) -> None:
        """`begin` makes the batch of these rows at the database's time (µs)."""
        self.notary = notary
        source = DatabaseSource(url)
        self.readers = readers = ReadSessions(source)
        self.writers = writers = Writers(source)
        partitions = Partitions(url)
        self._publishers = Committers(source, partitions, PUBLISHING)
        self._recorders = Committers(source, partitions, 1)
        self.data_keys = data_keys = PostgresDataKeys(readers, writers, vault, now)
        self.fleet = fleet = PostgresFleet(source, readers, writers, data_keys, vault)
        self._publisher = Publisher(self._publishers, partitions, data_keys, vault, notary, begin, lambda: fleet.owner)
        self.connections = PostgresConnections(readers)
        recorder = RecordWriter(self._recorders, partitions, readers, lambda: fleet.node_id)
        self.lanes = PostgresLanes(readers, writers, recorder, lambda: fleet.node_id, max_scanned)
        self.documents = PostgresDocuments(readers, max_scanned)
        self.deliveries = PostgresDeliveries(readers, max_scanned)
        self.access = AccessStore(readers, writers)
        self.lists = ListStore(readers, data_keys)
        self.replays = PostgresReplays(readers)
        self.versions = PostgresVersions(readers, writers)
        self.history = PostgresHistory(readers)
        self.audit = PostgresAudit(readers, writers, notary)
        self.retention = PostgresRetention(readers, writers, partitions)
        self.erasures = PostgresErasures(readers, writers)
        self.log = PostgresLog(readers, max_scanned)
        self.sign_ins = PostgresSignIns(readers, writers)
        self.searched_text = SearchedTextStore(readers, writers)
        self.sources = SourceStore(readers, data_keys)
        self.stats = PostgresStats(readers, writers)

        self.waits = {
            "commit": self._publishers.waited,
            "record": self._recorders.waited,
            "read": readers.waited,
            "write": writers.waited,
        }

    async def publish(self, commands: Sequence[Command[Any]]) -> PublishedBatch:
        return await self._publisher.publish(commands)

    async def reading(self, asking: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await self.readers.together(asking)

    async def reading_in_turn(self, _tenant_id: int, asking: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await self.readers.together(asking)  # each query that may read megabytes takes a turn

    async def size(self) -> StoreSize:
        [(size,)] = await self.readers.rows(EVERY_TENANT, "SELECT pg_database_size(current_database())")
        return StoreSize(size, 0)

    async def close(self) -> None:
        await self.fleet.close()
        for each in (self._publishers, self._recorders, self.writers, self.readers):
            await each.close()


async def open_postgres(
    url: str,
    master_keys: MasterKeys,
    context: BatchContext,
    now: Callable[[], int] | None,
    max_scanned: int = MAX_SCANNED,
) -> PostgresStore:
    """Open a database, made or upgraded if need be, and once it takes connections if the server is just starting.
    Commands are decided at the database's time unless there is a clock (`now`). Raises StartError."""
    vault = Vault(master_keys)

    def begin(rows: Rows, at: int) -> Batch:
        return Batch(rows, at if now is None else now(), context)

    clock = now or SystemClock().wall
    await until_started(url)
    try:
        await migrate(url)
        writers = Writers(DatabaseSource(url), 1)
        try:
            notary = await writers.run(EVERY_TENANT, prepare(vault, clock()))
        finally:
            await writers.close()
    except psycopg.Error as error:
        raise unusable(error) from None
    return PostgresStore(url, vault, notary, begin, clock, max_scanned)
