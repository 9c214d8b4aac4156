"""Removes what is below the floors of tenants, or has expired: partitions as a whole, or the rows of one tenant.

A partition is removed once its day is over and nothing that any tenant keeps is in it. It is detached and then dropped,
neither of which anybody has to wait for. Where that is broken off in between, the next time goes on.
"""

from collections.abc import Iterable
from math import ceil
from typing import Final, NamedTuple

from signalpost.store.nouns.retention import ATTEMPTS_EACH
from signalpost.store.postgres.errors import NotOwner
from signalpost.store.postgres.partitions import day_of, name_of
from signalpost.store.postgres.sessions import Writers
from signalpost.store.statements import EVERY_TENANT, Row

_PARTITIONS: Final = (
    "SELECT p.relname, c.relname, i.inhdetachpending FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " JOIN pg_class p ON p.oid = i.inhparent"
    " WHERE p.relkind = 'p' AND c.relkind = 'r' AND p.relnamespace = current_schema()::regnamespace"
    " UNION ALL SELECT NULL, relname, false FROM pg_class WHERE relkind = 'r' AND NOT relispartition"
    " AND relnamespace = current_schema()::regnamespace AND relname ~ '^(event|attempt|idempotency)_(before_)?[0-9]+$'"
)
"""The partitions of all tables, and those that were detached and not dropped yet."""
_KEYS: Final = {
    "event": "tenant_id, sequence, at",
    "attempt": "tenant_id, sequence, subscription_number, started_at",
}
_IS_KEPT: Final = (
    "SELECT EXISTS (SELECT FROM tenant t WHERE EXISTS"
    " (SELECT FROM {0} e WHERE e.tenant_id = t.id AND e.sequence >= t.floor))"
)
_ROWS: Final = (
    "WITH gone AS (DELETE FROM {0} WHERE ({1}) IN (SELECT {1} FROM tenant t CROSS JOIN LATERAL"
    " (SELECT {1} FROM {0} e WHERE e.tenant_id = t.id AND e.sequence < t.floor LIMIT $1) e"
    " WHERE NOT EXISTS (SELECT FROM {0} k WHERE k.tenant_id = t.id AND k.sequence >= t.floor) LIMIT $1) RETURNING 1)"
    " SELECT count(*) FROM gone"
)
"""Removes rows of tenants that keep nothing of a partition, which others keep, and counts them. If a tenant keeps some
of its rows there, the others wait for the partition's end."""


class Partition(NamedTuple):
    table: str
    day: int
    name: str
    is_attached: bool
    is_pending: bool
    """Whether a node began to detach it and did not come to the end."""


async def prune(writers: Writers, now: int, limit: int) -> int:
    """Remove partitions of which nothing is kept, and at most `limit` rows of others, in which `ATTEMPTS_EACH` attempts
    count as one. Returns how many rows that were. If this user may remove no tables, whole days stay. Raises
    Unavailable."""
    removed = 0
    for partition in ended(await writers.rows(EVERY_TENANT, _PARTITIONS), day_of(now)):
        if not partition.is_attached or not await _is_kept(writers, partition):
            try:
                await _remove(writers, partition)
            except NotOwner:
                return removed  # later ones stay as well: it says so once (`Preparation`)
        elif removed < limit:
            statement = _ROWS.format(partition.name, _KEYS[partition.table])
            each = ATTEMPTS_EACH if partition.table == "attempt" else 1
            [(rows,)] = await writers.rows(EVERY_TENANT, statement, (limit - removed) * each)
            removed += ceil(rows / each)
    return removed


def ended(found: Iterable[Row], today: int) -> list[Partition]:
    """The partitions of days that are over, the oldest first."""
    partitions = []
    for parent, name, is_pending in found:
        table, _, rest = name.partition("_")
        day = -int(rest.removeprefix("before_")) if rest.startswith("before_") else int(rest)
        if day < today and name == name_of(table, day):
            partitions.append(Partition(table, day, name, parent is not None, is_pending))
    return sorted(partitions, key=lambda partition: partition.day)


async def _is_kept(writers: Writers, partition: Partition) -> bool:
    if partition.table not in _KEYS:
        return False  # all of it has expired
    [(is_kept,)] = await writers.rows(EVERY_TENANT, _IS_KEPT.format(partition.name))
    return bool(is_kept)


async def _remove(writers: Writers, partition: Partition) -> None:
    if partition.is_attached:
        how = "FINALIZE" if partition.is_pending else "CONCURRENTLY"
        await writers.apart(f"ALTER TABLE {partition.table} DETACH PARTITION {partition.name} {how}")
    await writers.apart(f"DROP TABLE IF EXISTS {partition.name}")
