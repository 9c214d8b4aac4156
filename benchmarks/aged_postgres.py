"""Fills a PostgreSQL database with what `queries.py` times; see `large_database.py`."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

import psycopg
from large_database import MASTER_KEYS, START, STEP, TENANT, Size, tables

from signalpost.store.postgres.nouns.data_keys import PostgresDataKeys
from signalpost.store.postgres.partitions import DAY, Partitions
from signalpost.store.postgres.schema import migrate
from signalpost.store.postgres.sessions import EVERY, ReadSessions, Writers
from signalpost.store.postgres.source import DatabaseSource
from signalpost.store.vault import MasterKeys, Vault

ALSO: Final[dict[str, dict[str, Any]]] = {
    "attempt": {"exchange": b""},
    "lane": {"tenant_id": 1},
}
"""Columns that only PostgreSQL has, or has no default for, by table."""
AT_ONCE: Final = 20_000


def build(url: str, size: Size) -> None:
    """Fill an empty database."""
    end = START + size.events * STEP
    vault = prepare(url, MASTER_KEYS, TENANT, range(START, end))
    for table, columns, each in tables(size, vault):
        load(url, table, columns, each)
    finish(url, TENANT, size.events, end)


def prepare(url: str, master_keys: MasterKeys, tenant_id: int, times: range) -> Vault:
    """Make the tables, and partitions for a range of times. Returns what seals the secrets of a tenant."""
    return asyncio.run(_prepare(url, master_keys, tenant_id, times))


async def _prepare(url: str, master_keys: MasterKeys, tenant_id: int, times: range) -> Vault:
    await migrate(url)
    vault, readers, writers = Vault(master_keys), ReadSessions(DatabaseSource(url)), Writers(DatabaseSource(url))
    await PostgresDataKeys(readers, writers, vault, lambda: times.start).provide({tenant_id})
    days = range(times.start, times.stop + DAY, DAY)
    await Partitions(url).provide({"event": days, "attempt": days})
    await readers.close()
    await writers.close()
    return vault


def load(url: str, table: str, columns: str, each: Iterable[Sequence[Any]]) -> None:
    """Add rows to a table."""
    names = [*columns.split(", "), *ALSO.get(table, {})]
    added = tuple(ALSO.get(table, {}).values())
    packs: list[Callable[[Any], Any]] = [PACKS.get(name, _as_it_is) for name in columns.split(", ")]
    own = " OVERRIDING SYSTEM VALUE" if table == "document" else ""
    statement = f"INSERT INTO {table} ({', '.join(names)}){own} VALUES ({', '.join(['%s'] * len(names))})"  # noqa: S608
    with psycopg.connect(url) as connection:
        connection.execute("SELECT set_config('signalpost.tenants', %s, true)", (EVERY,))
        connection.execute("SET LOCAL synchronous_commit = off")
        rows = ((*(pack(value) for pack, value in zip(packs, row, strict=True)), *added) for row in each)
        with connection.cursor() as cursor:
            for some in _parts(rows):
                cursor.executemany(statement.encode(), some)


def finish(url: str, tenant_id: int, last_sequence: int, last_at: int) -> None:
    """Say where the tenant's log ends, and have PostgreSQL look at what is there."""
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.transaction():
            connection.execute("SELECT set_config('signalpost.tenants', %s, true)", (EVERY,))
            ends = (last_sequence, last_at, tenant_id)
            connection.execute("UPDATE tenant SET last_sequence = %s, last_at = %s WHERE id = %s", ends)
        connection.execute("VACUUM ANALYZE")


def _parts(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    part: list[tuple[Any, ...]] = []
    for row in rows:
        part.append(row)
        if len(part) == AT_ONCE:
            yield part
            part = []
    yield part


def _uuid_of(packed: bytes | None) -> UUID | None:
    return None if packed is None else UUID(bytes=packed)


def _as_it_is(value: Any) -> Any:
    return value


PACKS: Final[dict[str, Callable[[Any], Any]]] = {
    "id": _uuid_of,
    "external_id": _uuid_of,
    "document_id": _uuid_of,
    "connection_id": _uuid_of,
    "counted": bool,
}
"""How values are given to PostgreSQL that SQLite keeps in another way, by column."""
