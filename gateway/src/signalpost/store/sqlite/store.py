"""The store on SQLite: one writer thread, a few readers, one file."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import thread_time
from typing import Any, Final, NamedTuple, TypeVar

import apsw

from signalpost.commands.batch import Batch, BatchContext, Rows
from signalpost.commands.command import Command
from signalpost.domain.audit import Notary
from signalpost.runtime.histogram import Histogram
from signalpost.runtime.loop_executor import LoopExecutor
from signalpost.store.halving import halved
from signalpost.store.nouns.access import AccessStore
from signalpost.store.nouns.fleet import ALONE, Terms
from signalpost.store.nouns.lists import ListStore
from signalpost.store.nouns.searched_text import SearchedTextStore
from signalpost.store.nouns.sources import SourceStore
from signalpost.store.sqlite import backup_mark
from signalpost.store.sqlite import publish as publishing
from signalpost.store.sqlite.connect import check_version, connect
from signalpost.store.sqlite.nouns import data_keys
from signalpost.store.sqlite.nouns.audit import SqliteAudit, append_noted
from signalpost.store.sqlite.nouns.connections import SqliteConnections
from signalpost.store.sqlite.nouns.data_keys import SqliteDataKeys
from signalpost.store.sqlite.nouns.deliveries import SqliteDeliveries
from signalpost.store.sqlite.nouns.documents import SqliteDocuments
from signalpost.store.sqlite.nouns.erasures import SqliteErasures
from signalpost.store.sqlite.nouns.fleet import SqliteFleet
from signalpost.store.sqlite.nouns.history import SqliteHistory
from signalpost.store.sqlite.nouns.lanes import SqliteLanes
from signalpost.store.sqlite.nouns.log import SqliteLog
from signalpost.store.sqlite.nouns.replays import SqliteReplays
from signalpost.store.sqlite.nouns.retention import SqliteRetention
from signalpost.store.sqlite.nouns.sign_ins import SqliteSignIns
from signalpost.store.sqlite.nouns.stats import SqliteStats
from signalpost.store.sqlite.nouns.versions import SqliteVersions
from signalpost.store.sqlite.readers import Readers
from signalpost.store.sqlite.schema import migrate
from signalpost.store.sqlite.writer import Writer
from signalpost.store.store import MAX_SCANNED, PublishedBatch, StoreSize
from signalpost.store.vault import DataKey, MasterKeys, Vault

T = TypeVar("T")
READERS = 2


class Executors(NamedTuple):
    """Where blocking work runs. A simulation passes one that runs it at once."""

    writer: Executor
    checkpoint: Executor
    readers: Executor


def thread_executors() -> Executors:
    return Executors(
        ThreadPoolExecutor(1, "writer"),
        ThreadPoolExecutor(1, "checkpoint"),
        LoopExecutor(READERS, "reader"),
    )


def _prepare(connection: apsw.Connection, vault: Vault, now: Callable[[], int]) -> Notary:
    """Bring the database up to date, and open its keys. Closes the connection if that fails. Raises StartError."""
    try:
        migrate(connection, now())
        data_keys.prepare(connection, vault, now())
        notary = data_keys.notary(connection, vault)
        append_noted(connection, notary)
    except BaseException:
        with suppress(apsw.Error):  # a disk that failed once may fail again
            connection.close()
        raise
    return notary


class SqliteStore:
    commits_on_a_thread: Final = True
    waits: Final[Mapping[str, Histogram]] = {}

    def __init__(
        self,
        path: Path,
        master_keys: MasterKeys,
        context: BatchContext,
        now: Callable[[], int],
        executors: Executors,
        on_broken: Callable[[BaseException], None],
        vfs: str | None = None,
        max_scanned: int = MAX_SCANNED,
        terms: Terms = ALONE,
        cpu: Callable[[], float] = thread_time,
    ) -> None:
        """Open the database, and create or upgrade it if needed. `terms` are those of its fleet; `cpu` returns the
        seconds of CPU that the calling thread has used. Raises StartError."""
        check_version()
        self._path = path
        self._vfs = vfs
        vault = self._vault = Vault(master_keys, self._find_data_key)
        self._context = context
        self._now = now
        self._executors = executors
        connection = connect(path, vfs=vfs)
        self.notary = _prepare(connection, vault, now)
        self.writer = Writer(connection, connect(path, vfs=vfs), executors.writer, executors.checkpoint, on_broken)
        reading = [connect(path, read_only=True, vfs=vfs) for _ in range(READERS)]
        self.readers = Readers(reading, executors.readers, cpu)
        self.documents = SqliteDocuments(self.readers, max_scanned)
        self.versions = SqliteVersions(self.readers, self.writer)
        self.history = SqliteHistory(self.readers)
        self.connections = SqliteConnections(self.readers)
        self.deliveries = SqliteDeliveries(self.readers, max_scanned)
        self.data_keys = SqliteDataKeys(self.readers, self.writer, vault, now)
        self.access = AccessStore(self.readers, self.writer)
        self.lists = ListStore(self.readers, self.data_keys)
        self.audit = SqliteAudit(self.readers, self.writer, self.notary)
        self.log = SqliteLog(self.readers, max_scanned)
        self.lanes = SqliteLanes(self.readers, self.writer, lambda: self.fleet.node_id, max_scanned)
        self.replays = SqliteReplays(self.readers)
        self.retention = SqliteRetention(self.readers, self.writer)
        self.fleet = SqliteFleet(self.readers, self.writer, self.data_keys, vault, now, terms)
        self.sign_ins = SqliteSignIns(self.readers, self.writer)
        self.searched_text = SearchedTextStore(self.readers, self.writer)
        self.sources = SourceStore(self.readers, self.data_keys)
        self.stats = SqliteStats(self.readers, self.writer)
        self.erasures = SqliteErasures(self.readers, self.writer, path)

    async def close(self) -> None:
        await self.readers.close()
        await self.writer.close()
        for executor in self._executors:
            await asyncio.to_thread(executor.shutdown)

    def _find_data_key(self, number: int) -> DataKey | None:
        """A data key that another node made since this one started."""
        connection = connect(self._path, read_only=True, vfs=self._vfs)
        try:
            return data_keys.find(connection, number)
        finally:
            connection.close()

    async def reading(self, asking: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await self.readers.together(asking)

    async def reading_in_turn(self, tenant_id: int, asking: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await self.readers.together_in_turn(tenant_id, asking)

    async def size(self) -> StoreSize:
        return await self.readers.run(lambda _: _size(self._path))

    # --- Writing ------------------------------------------------------------------------------------------------------

    async def publish(self, commands: Sequence[Command[Any]]) -> PublishedBatch:
        await self.data_keys.provide({command.tenant_id for command in commands})
        published = await halved(commands, self._commit)
        self._vault.forget_deleted(published.tenants)
        return published

    async def _commit(self, commands: Sequence[Command[Any]]) -> PublishedBatch:
        def job(connection: apsw.Connection) -> PublishedBatch:
            return publishing.publish(connection, commands, self._vault, self.notary, self._batch, self.fleet.owner)

        return await self.writer.run(job)

    def _batch(self, rows: Rows) -> Batch:
        return Batch(rows, self._now(), self._context)


def _size(path: Path) -> StoreSize:
    backup = backup_mark.last(path)
    return StoreSize(_bytes(path), _bytes(Path(f"{path}-wal")), None if backup is None else backup.at)


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
