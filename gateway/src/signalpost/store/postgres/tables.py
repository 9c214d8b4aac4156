"""What follows in PostgreSQL from the descriptions of tables: how rows are written set-wise, found, and end with their
tenant."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from signalpost.store.postgres.columns import Column, blobs, flags, numbers, texts, uuids
from signalpost.store.statements import Statement
from signalpost.store.tables import (
    TABLES,
    answers,
    audit,
    deliveries,
    documents,
    erasures,
    lanes,
    log,
    stats,
    tenants,
    versions,
)
from signalpost.store.tables.table import Codec, Columns, EndValue, Kind, Table, updating
from signalpost.store.vault import Vault

PLAIN: Final = Codec(str, str)
"""For rows without sealed values."""
THIS_TRANSACTION: Final = "pg_current_xact_id()"
"""Who changes what nodes keep in memory writes it down with that: so they find it (`PostgresFleet.changes`)."""

_KINDS: Final[Mapping[Kind, Callable[[Iterable[Any]], Column]]] = {
    Kind.NUMBER: numbers,
    Kind.UUID: uuids,
    Kind.BLOB: blobs,
    Kind.TEXT: texts,
    Kind.FLAG: flags,
}


class WrittenTable:
    """A table that is written set-wise."""

    def __init__(self, table: Columns) -> None:
        self._table = table
        self._kinds = [_KINDS[kind] for kind in table.columns.values()]
        self._rows = f"unnest({', '.join(f'${place}' for place in range(1, len(self._kinds) + 1))})"
        self._insert = f"INSERT INTO {table.name} ({table.listed}) SELECT * FROM {self._rows} "

    def insert(self, rows: Iterable[Sequence[Any]], on_conflict: str = "") -> list[Statement]:
        """The statement that adds rows; none where there are none to add."""
        packed = [*rows]
        return [Statement(self._insert + on_conflict, self._parameters(packed))] if packed else []

    def update(self, rows: Sequence[Sequence[Any]], *key: str) -> list[Statement]:
        """The statement that writes rows that are there, each found by the columns of its key; none where there are
        none to write. `insert` with `updating` locks each row first, and tells the write-ahead log of that too."""
        if not rows:
            return []
        name, listed = self._table.name, self._table.listed
        values = ", ".join(f"{column} = k.{column}" for column in self._table.columns if column not in key)
        of_key = " AND ".join(f"t.{column} = k.{column}" for column in key)
        statement = f"UPDATE {name} t SET {values} FROM {self._rows} AS k ({listed}) WHERE {of_key}"
        return [Statement(statement, self._parameters(rows))]

    def _parameters(self, rows: Iterable[Sequence[Any]]) -> list[Column]:
        """A parameter for each column."""
        return [kind(column) for kind, column in zip(self._kinds, zip(*rows, strict=True), strict=True)]


TENANT: Final = WrittenTable(tenants.TENANT)
DOCUMENT: Final = WrittenTable(documents.WRITTEN_DOCUMENT)
EVENT: Final = WrittenTable(log.EVENT)
STEP: Final = WrittenTable(log.STEP)
VERSION: Final = WrittenTable(versions.VERSION)
ANSWER: Final = WrittenTable(answers.ANSWER)
ERASURE: Final = WrittenTable(erasures.ERASURE)
AUDIT: Final = WrittenTable(audit.AUDIT)
AUDIT_END: Final = WrittenTable(audit.AUDIT_END)
DELIVERY: Final = WrittenTable(deliveries.DELIVERY)
ATTEMPT: Final = WrittenTable(deliveries.ATTEMPT)
STAT: Final = WrittenTable(stats.STAT)


def _of_tenant(table: Columns) -> WrittenTable:
    """A table that says in PostgreSQL alone whose a row is, first of all, for its row-level security."""
    return WrittenTable(Columns(table.name, {"tenant_id": Kind.NUMBER, **table.columns}))


LANE: Final = _of_tenant(lanes.LANE)
RETRY: Final = _of_tenant(lanes.RETRY)
MADE: Final = _of_tenant(lanes.MADE)


# --- What follows from descriptions -----------------------------------------------------------------------------------

_CHANGED_BY: Final = {"api_key": f"changed_by = {THIS_TRANSACTION}"}
"""What a change also writes of rows that nodes look for when others changed them."""


def codec_with(vault: Vault) -> Codec:
    return Codec(str, str, vault.seal, vault.open)


_written = cache(WrittenTable)


def finding(table: Table[Any], by: str, values: Collection[str]) -> Statement:
    """The rows that are found by these values."""
    kind = table.found_by[by].kind
    where = table.found_by[by].where.format("ANY($1)")
    return Statement(
        f"SELECT {table.listed} FROM {table.name} WHERE {where}",
        (_KINDS[kind](map(int, values) if kind is Kind.NUMBER else values),),
    )


def writing(table: Table[Any], changed: Collection[Any], codec: Codec) -> list[Statement]:
    """Write rows, and remove those that are over."""
    added = _written(table).insert((table.pack(row, codec) for row in changed), _updating(table))
    return [*added, *table.removals(changed)]


def ending(tenant_id: int, at: int) -> list[Statement]:
    """End the rows of a deleted tenant."""
    return [Statement(_ending(table), (tenant_id, at)) for table in TABLES.values() if table.ends_with_tenant]


@cache
def _updating(table: Table[Any]) -> str:
    changes = updating("number", *table.changing)
    return f"{changes}, {_CHANGED_BY[table.name]}" if table.name in _CHANGED_BY else changes


@cache
def _ending(table: Table[Any]) -> str:
    of_tenant = "WHERE tenant_id = $1 AND $2::bigint IS NOT NULL"
    if table.ended is None:
        return f"DELETE FROM {table.name} {of_tenant}"
    values = [f"{column} = {_ended(column, value)}" for column, value in table.ended.items()]
    values += [_CHANGED_BY[table.name]] if table.name in _CHANGED_BY else []
    return f"UPDATE {table.name} SET {', '.join(values)} {of_tenant}"


def _ended(column: str, value: str | bytes | int | EndValue | None) -> str:
    if isinstance(value, int):
        return str(value)
    if value is EndValue.THEN:
        return "$2"
    if value is EndValue.THEN_AT_THE_LATEST:
        return f"coalesce({column}, $2)"
    return "NULL" if value is None else f"'\\x{value.hex()}'" if isinstance(value, bytes) else "''"
