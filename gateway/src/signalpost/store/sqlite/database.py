"""A database file as its operator handles it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

import apsw

from signalpost.domain.access.api_key import FIRST_TENANT, ApiKey
from signalpost.domain.audit import COMMAND_LINE, END_FILE, EntryDraft, Object
from signalpost.domain.errors import StartError
from signalpost.domain.timestamps import DAY, format_timestamp
from signalpost.runtime import durable
from signalpost.store.database import AccessFrom, LastBackup, PartSize, PrunedRows, RestoredDatabase, SinceBackup, Space
from signalpost.store.nouns.data_keys import MASTER_KEYS_NEEDED
from signalpost.store.sqlite import backup_mark
from signalpost.store.sqlite.checks import check, glance
from signalpost.store.sqlite.connect import connect, rows
from signalpost.store.sqlite.copies import copy, draft_of
from signalpost.store.sqlite.folder_lock import FolderLock
from signalpost.store.sqlite.nouns import audit, log, retention
from signalpost.store.sqlite.nouns.file_register import SqliteFileRegister
from signalpost.store.sqlite.restoring import draft_with, note, take_access, take_audit
from signalpost.store.sqlite.schema import connect_current
from signalpost.store.sqlite.tables import PLAIN
from signalpost.store.tables import numbered_with
from signalpost.store.tables.api_keys import API_KEY

PRUNED_AT_ONCE = 1_000
_PRUNED = ("event", "step", "attempt", "delivery", "made", "idempotency", "subscription", "connection")


class SqliteDatabase:
    def __init__(self, path: Path) -> None:
        self._path = path

    def exists(self) -> bool:
        return self._path.exists()

    @contextmanager
    def claim(self) -> Iterator[None]:
        lock = FolderLock(self._path.parent)
        lock.lock()
        try:
            yield
        finally:
            lock.unlock()

    def require_changes(self) -> None: ...

    def master_keys_needed(self) -> frozenset[str]:
        with self._looked_at() as connection:
            return frozenset(key for (key,) in rows(connection, MASTER_KEYS_NEEDED))

    def check(self) -> list[str]:
        return check(self._path)

    def broken_backup(self, backup: Path) -> str | None:
        return glance(backup)

    def check_backup(self, backup: Path) -> list[str]:
        return check(backup)

    def back_up(self, to: Path, now: int) -> None:
        connection = connect(self._path, read_only=True)
        try:
            with draft_of(to) as draft:
                copy(connection, draft)
                if faults := check(draft):
                    raise StartError(f"The copy to {to} has faults, and was removed: {faults[0]}")
            backup_mark.leave(self._path, LastBackup(now, to))
        except (apsw.Error, OSError) as error:
            raise StartError(f"The copy to {to} failed: {error}.") from None
        finally:
            connection.close()

    def since_backup(self) -> SinceBackup:
        last = backup_mark.last(self._path)
        with self._looked_at() as connection:
            tenants = rows(connection, "SELECT id, last_sequence, last_at FROM tenant")
            events = sum(
                last_sequence + 1 - log.sequence_at(connection, tenant_id, 0 if last is None else last.at)
                for tenant_id, last_sequence, _ in tenants
            )
            return SinceBackup(last, events, max(last_at for _, _, last_at in tenants))

    def restore(self, backup: Path, access: AccessFrom, now: int) -> RestoredDatabase:
        kept: Path | None = None
        try:
            with draft_with(backup, self._path) as draft:
                taken = None if access == "backup" else take_access(draft, self._path, now)
                audited = "kept" if take_audit(draft, self._path) else "as in the backup"
                note(draft, _told("database.restore", now, access=access, audit=audited))
                durable.sync(draft)
                if self._path.exists():
                    kept = self._set_aside()
                if audited != "kept":  # the entry of the restore says so
                    (self._path.parent / END_FILE).unlink(missing_ok=True)
                for suffix in ("-wal", "-shm"):
                    _beside(self._path, suffix).unlink(missing_ok=True)
                # Before the backup has its name: it would be taken for the database of a WAL that is still there.
                durable.sync(self._path.parent)
        except OSError as error:
            raise StartError(f"{backup} cannot be copied to {self._path}: {error.strerror}.") from None
        except apsw.Error as error:
            raise StartError(f"{backup} cannot be restored: {error}. Nothing was changed.") from None
        return RestoredDatabase(kept=kept, access=taken)

    def _set_aside(self) -> Path:
        """Give the database another name, without opening it: it may be no database any more.

        Its WAL goes first, because it may hold what the file lacks: after a crash in between, the two still belong
        together.
        """
        kept = self._free_name()
        if (wal := _beside(self._path, "-wal")).exists():
            wal.rename(_beside(kept, "-wal"))
        self._path.rename(kept)
        return kept

    def _free_name(self) -> Path:
        number = 1
        while (name := _beside(self._path, f".before-{number}")).exists():
            number += 1
        return name

    def prune(self, now: int, kept: int, progress: Callable[[int, int], None]) -> PrunedRows:
        connection = connect_current(self._path)
        try:
            connection.pragma("wal_autocheckpoint", 1_000)
            with connection:
                audit.note(connection, _told("database.prune", now, keptSince=format_timestamp(now - kept)))
            counted = _count(connection)
            kept_since = _kept_since(connection, now, kept)
            lost = _prune_logs(connection, kept_since, progress)
            for tenant_id, since in kept_since.items():
                _until_few(connection, partial(retention.prune_replays, connection, tenant_id, since, PRUNED_AT_ONCE))
            _until_few(connection, partial(retention.prune_leftovers, connection, now, PRUNED_AT_ONCE))
            left = _count(connection)
            return PrunedRows({table: count - left[table] for table, count in counted.items()}, lost)
        except apsw.Error as error:
            raise StartError(
                f"Pruning stopped: {error}. Part of the data is removed; run it again for the rest."
            ) from None
        finally:
            connection.close()

    def migrate(self) -> NoReturn:
        raise StartError(
            "A SQLite database is brought up to date by the first start of a version, which keeps a copy. `db migrate` "
            "is for PostgreSQL."
        )

    def keep_partitions(self, now: int) -> NoReturn:
        raise StartError("A SQLite database has no partitions. `db partitions` is for PostgreSQL.")

    def compact(self) -> None:
        connection = connect(self._path)
        try:
            connection.pragma("temp_store", "file")  # the copy that it makes is as large as the database
            connection.execute("VACUUM")
        except apsw.Error as error:
            raise StartError(
                f"The database could not be compacted: {error}. It takes twice its size in free space, in its folder "
                "and in that of temporary files (SQLITE_TMPDIR)."
            ) from None
        finally:
            connection.close()

    def add_key(self, key: ApiKey, told: EntryDraft) -> None:
        connection = connect_current(self._path)
        try:
            with connection:
                numbers = " UNION ALL ".join(f"SELECT number FROM {name}" for name in numbered_with("api_key"))  # noqa: S608
                connection.execute(
                    f"INSERT INTO api_key ({API_KEY.listed})"  # noqa: S608
                    f" SELECT coalesce(max(number), 0) + 1{', ?' * (len(API_KEY.columns) - 1)}"
                    f" FROM ({numbers})",
                    API_KEY.pack(key, PLAIN)[1:],
                )
                audit.note(connection, told)
        finally:
            connection.close()

    def space(self) -> Space:
        connection = connect(self._path, read_only=True)
        try:
            free = int(connection.pragma("freelist_count")) * int(connection.pragma("page_size"))
            return Space(self._path.stat().st_size, free)
        finally:
            connection.close()

    def sizes(self) -> list[PartSize]:
        connection = connect_current(self._path, read_only=True)
        try:
            tables = {name for (name,) in rows(connection, "SELECT name FROM sqlite_schema WHERE type = 'table'")}
            pages = rows(connection, "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC")
            return [
                PartSize(name, _count_rows(connection, name) if name in tables else None, size) for name, size in pages
            ]
        finally:
            connection.close()

    @contextmanager
    def _looked_at(self) -> Iterator[apsw.Connection]:
        try:
            with closing(connect_current(self._path, read_only=True)) as connection:
                yield connection
        except apsw.Error as error:
            raise StartError(
                f"The database {self._path} is damaged ({error}). Restore a backup: signalpost db restore FILE"
            ) from None

    @contextmanager
    def files(self) -> Iterator[SqliteFileRegister]:
        register = SqliteFileRegister(self._path)
        try:
            yield register
        finally:
            register.close()


def _told(action: str, now: int, **what: str) -> EntryDraft:
    """What the audit will say of something that was done to the whole database."""
    changes = {name: {"old": None, "new": value} for name, value in what.items()}
    database = Object("database", "database")
    return EntryDraft(
        tenant_id=FIRST_TENANT, at=now, actor=COMMAND_LINE, action=action, object=database, changes=changes
    )


def _kept_since(connection: apsw.Connection, now: int, kept: int) -> dict[int, int]:
    """From when on each tenant's events are kept; `kept` is how long where a tenant has no retention of its own."""
    return {
        tenant_id: now - (kept if days is None else days * DAY)
        for tenant_id, days in rows(connection, "SELECT id, retention_days FROM tenant")
    }


def _until_few(connection: apsw.Connection, prune: Callable[[], int]) -> None:
    """Prune in batches, each a transaction, until one is not full."""
    removed = PRUNED_AT_ONCE
    while removed >= PRUNED_AT_ONCE:
        with connection:
            removed = prune()


def _prune_logs(
    connection: apsw.Connection, kept_since: Mapping[int, int], progress: Callable[[int, int], None]
) -> dict[str, int]:
    tenants = rows(connection, "SELECT id, floor FROM tenant")
    floors = {tenant_id: log.sequence_at(connection, tenant_id, kept_since[tenant_id]) for tenant_id, _ in tenants}
    total = sum(floors[tenant_id] - floor for tenant_id, floor in tenants)
    done = 0
    lost: dict[str, int] = {}
    for tenant_id, floor in floors.items():
        with connection:
            lost |= retention.give_up_below(connection, tenant_id, floor)
        removed = 1
        while removed:
            with connection:
                removed = retention.prune_log(connection, tenant_id, floor, PRUNED_AT_ONCE)
            done += removed
            progress(done, total)
    return lost


def _count(connection: apsw.Connection) -> dict[str, int]:
    return {table: _count_rows(connection, table) for table in _PRUNED}


def _count_rows(connection: apsw.Connection, table: str) -> int:
    return int(rows(connection, f'SELECT count(*) FROM "{table}"')[0][0])  # noqa: S608


def _beside(database: Path, suffix: str) -> Path:
    return database.with_name(database.name + suffix)
