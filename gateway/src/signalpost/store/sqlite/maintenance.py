"""What an operator does with the database file: check it, copy it, put a copy back, add a key, see its sizes.

All but `restore`, `prune`, `compact` and `add_key` work beside a running gateway, in read transactions of their own.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
from msgspec import Struct

from signalpost.domain.api_key import ApiKey
from signalpost.domain.documents.version import KeptVersion, StoredFile
from signalpost.domain.errors import StartError
from signalpost.runtime import durable
from signalpost.store.sqlite import codec, log, retention
from signalpost.store.sqlite.copies import copy, draft_of
from signalpost.store.sqlite.database import connect, rows
from signalpost.store.sqlite.schema import applied_migrations, connect_current

PRUNED_AT_ONCE = 1_000
_PRUNED = ("event", "step", "attempt", "delivery", "idempotency", "subscription")

_INVARIANTS = {
    "a log with a gap": (
        "SELECT t.name FROM tenant t WHERE (SELECT count(*) FROM event e WHERE e.tenant_id = t.id)"
        " <> t.last_sequence - t.floor + 1"
    ),
    "a log whose times do not rise": (
        "SELECT e.sequence FROM event e JOIN event f ON f.tenant_id = e.tenant_id AND f.sequence = e.sequence + 1"
        " WHERE f.at <= e.at LIMIT 1"
    ),
    "a lane beyond its log": (
        "SELECT l.subscription_number FROM lane l JOIN subscription s ON s.number = l.subscription_number"
        " JOIN tenant t ON t.id = s.tenant_id WHERE l.head > t.last_sequence"
    ),
    "a subscription without a lane": (
        "SELECT s.number FROM subscription s LEFT JOIN lane l ON l.subscription_number = s.number"
        " WHERE s.deleted_at IS NULL AND l.head IS NULL"
    ),
    "a version beyond its document's last": (
        "SELECT hex(v.document_id) FROM version v LEFT JOIN document d ON d.tenant_id = v.tenant_id"
        " AND d.external_id = v.document_id WHERE d.last_number IS NULL OR v.number > d.last_number"
    ),
    "a delivery beyond its lane": (
        "SELECT d.sequence FROM delivery d JOIN lane l USING (subscription_number) WHERE d.sequence > l.head LIMIT 1"
    ),
}
_SINCE = {"a version beyond its document's last": 6}
"""Which of them are about what only this migration brought: a backup may be of an earlier version."""


def check(database: Path) -> list[str]:
    """What is wrong with a database, a sentence each: of the file, and of what is in it."""
    try:
        connection = connect(database, read_only=True)
        found = [text for (text,) in rows(connection, "PRAGMA integrity_check(20)") if text != "ok"]
        migrations = applied_migrations(connection)
        for fault, statement in _INVARIANTS.items():
            if _SINCE.get(fault, 1) in migrations and (example := rows(connection, statement)):
                found.append(f"There is {fault}: {example[0][0]}.")
        connection.close()
    except StartError as error:
        return [str(error)]
    except apsw.Error as error:
        return [f"{database} cannot be read as a Signalpost database: {error}"]
    return found


def back_up(database: Path, to: Path) -> None:
    """Copy a database, as of one moment, and check the copy. Raises StartError, and then leaves no part of it."""
    connection = connect(database, read_only=True)
    try:
        with draft_of(to) as draft:
            copy(connection, draft)
            if faults := check(draft):
                raise StartError(f"The copy to {to} has faults, and was removed: {faults[0]}")
    except (apsw.Error, OSError) as error:
        raise StartError(f"The copy to {to} failed: {error}.") from None
    finally:
        connection.close()


def restore(backup: Path, database: Path) -> Path | None:
    """Put a checked backup in the database's place; returns where the one of before is kept, whatever became of it.
    Raises StartError, with nothing changed, where there is no room."""
    kept: Path | None = None
    try:
        with draft_of(database) as draft:
            with backup.open("rb") as reading, draft.open("wb") as writing:
                shutil.copyfileobj(reading, writing)
            durable.sync(draft)
            if database.exists():
                kept = _set_aside(database)
            for suffix in ("-wal", "-shm"):
                _beside(database, suffix).unlink(missing_ok=True)
            # Before the new one has its name: a WAL of the database of before would be taken for one of this.
            durable.sync(database.parent)
    except OSError as error:
        raise StartError(f"{backup} cannot be copied to {database}: {error.strerror}.") from None
    return kept


def _set_aside(database: Path) -> Path:
    """It is not opened for that: it may be no database any more. What its WAL alone has stays with it; that goes first,
    so that whoever begins anew after a crash in between finds them together."""
    kept = _free_name(database)
    if (wal := _beside(database, "-wal")).exists():
        wal.rename(_beside(kept, "-wal"))
    database.rename(kept)
    return kept


def _beside(database: Path, suffix: str) -> Path:
    return database.with_name(database.name + suffix)


class Pruned(Struct, frozen=True):
    removed: dict[str, int]
    """Rows by table."""
    lost: dict[str, int]
    """By subscription: events that were removed before they were delivered."""


def prune(database: Path, now: int, before: int, progress: Callable[[int, int], None]) -> Pruned:
    """Remove the events made before a moment, with their history, and what has expired: what the gateway does, at once.

    No gateway may run. `progress` is told how many events are gone, and of how many. Raises StartError.
    """
    connection = connect_current(database)
    try:
        connection.pragma("wal_autocheckpoint", 1_000)
        counted = _count(connection)
        lost = _prune_logs(connection, before, progress)
        removed = PRUNED_AT_ONCE
        while removed >= PRUNED_AT_ONCE:
            with connection:
                removed = retention.prune_leftovers(connection, now, before, PRUNED_AT_ONCE)
        left = _count(connection)
        return Pruned({table: count - left[table] for table, count in counted.items()}, lost)
    except apsw.Error as error:
        raise StartError(f"Pruning stopped: {error}. What is gone is gone; repeat it for the rest.") from None
    finally:
        connection.close()


def _prune_logs(connection: apsw.Connection, before: int, progress: Callable[[int, int], None]) -> dict[str, int]:
    tenants = rows(connection, "SELECT id, floor FROM tenant")
    floors = {tenant_id: log.sequence_at(connection, tenant_id, before) for tenant_id, _ in tenants}
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
    return {table: rows(connection, f"SELECT count(*) FROM {table}")[0][0] for table in _PRUNED}  # noqa: S608


def compact(database: Path) -> None:
    """Give unused space back to the disk. No gateway may run. Raises StartError, with nothing changed."""
    connection = connect(database)
    try:
        connection.pragma("temp_store", "file")  # the copy that it makes is as large as the database
        connection.execute("VACUUM")
    except apsw.Error as error:
        raise StartError(
            f"The database could not be compacted: {error}. It takes twice its size in free space, in its folder and "
            "in that of temporary files (SQLITE_TMPDIR)."
        ) from None
    finally:
        connection.close()


def free_bytes(database: Path) -> int:
    """What the file holds of unused space, which new events take first."""
    connection = connect(database, read_only=True)
    try:
        return int(connection.pragma("freelist_count")) * int(connection.pragma("page_size"))
    finally:
        connection.close()


def add_key(database: Path, key: ApiKey) -> None:
    """Add an API key to the database of a gateway that is stopped; the key gets the next free number."""
    connection = connect_current(database)
    try:
        connection.execute(
            "INSERT INTO api_key SELECT coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?, ? FROM api_key",
            codec.pack_key(key)[1:],
        )
    finally:
        connection.close()


def sizes(database: Path) -> list[tuple[str, int | None, int]]:
    """Tables and indexes, the largest first: name, rows (None of an index), bytes."""
    connection = connect_current(database, read_only=True)
    try:
        tables = {name for (name,) in rows(connection, "SELECT name FROM sqlite_schema WHERE type = 'table'")}
        pages = rows(connection, "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC")
        return [
            (name, rows(connection, f'SELECT count(*) FROM "{name}"')[0][0] if name in tables else None, size)  # noqa: S608
            for name, size in pages
        ]
    finally:
        connection.close()


class FileRegister:
    """What versions point to, for `scrub`. It reads a page at a time: so a running gateway's WAL can start over."""

    def __init__(self, database: Path) -> None:
        self._connection = connect_current(database, read_only=True)

    def close(self) -> None:
        self._connection.close()

    def versions(self) -> Iterator[KeptVersion]:
        last = (b"", 0, b"", 0)
        while True:
            page = rows(
                self._connection,
                "SELECT v.file, v.tenant_id, v.document_id, v.number, t.name, v.size, v.sha256, v.content_type"
                " FROM version v INDEXED BY version_file JOIN tenant t ON t.id = v.tenant_id"
                " WHERE (v.file, v.tenant_id, v.document_id, v.number) > (?, ?, ?, ?) AND v.deleted_at IS NULL"
                " ORDER BY v.file, v.tenant_id, v.document_id, v.number LIMIT 1000",
                last,
            )
            if not page:
                return
            for file, tenant_id, document_id, number, tenant, size, sha256, content_type in page:
                last = (file, tenant_id, document_id, number)
                stored = StoredFile(file.hex(), size, sha256, content_type)
                yield KeptVersion(tenant, codec.unpack_uuid(document_id), str(codec.unpack_number(number)), stored)

    def is_known(self, name: str) -> bool:
        return bool(rows(self._connection, "SELECT 1 FROM version WHERE file = ? LIMIT 1", (bytes.fromhex(name),)))

    def total(self) -> tuple[int, int]:
        """How many files `versions` gives, and their bytes; a file that two share counts once."""
        of_each = "SELECT max(size) AS size FROM version WHERE deleted_at IS NULL GROUP BY file"
        count, size = rows(self._connection, f"SELECT count(*), coalesce(sum(size), 0) FROM ({of_each})")[0]  # noqa: S608
        return count, size


def _free_name(database: Path) -> Path:
    number = 1
    while (name := _beside(database, f".before-{number}")).exists():
        number += 1
    return name
