"""Which rows are written, by table: their columns in the order in which rows are packed, with the type of each. And
what follows from the description of a table: how its rows are found, written, and end with their tenant."""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from typing import Any, Final

from signalpost.store.batching import ANSWER_COLUMNS
from signalpost.store.postgres.columns import Column, blobs, flags, numbers, texts, uuids
from signalpost.store.postgres.connect import Statement
from signalpost.store.tables import TABLES
from signalpost.store.tables import table as described
from signalpost.store.tables.table import Codec, Ended
from signalpost.store.vault import Vault

PLAIN: Final = Codec(str, str)
"""For rows without sealed values."""
THIS_TRANSACTION: Final = "pg_current_xact_id()"
"""Who changes what nodes keep in memory writes it down with that: so they find it (`PostgresFleet.changes`)."""

Kind = Callable[[Iterable[Any]], Column]
_KINDS: Final[dict[str, Kind]] = {"n": numbers, "u": uuids, "b": blobs, "t": texts, "f": flags}


class Table:
    """A table that is written set-wise."""

    def __init__(self, name: str, columns: str, kinds: str) -> None:
        """`kinds` has a letter for each of the columns: n(umber), u(uid), b(lob), t(ext), f(lag)."""
        self.columns = columns
        self._name = name
        self._kinds = [_KINDS[letter] for letter in kinds]
        self._rows = f"unnest({', '.join(f'${place}' for place in range(1, len(kinds) + 1))})"
        self._insert = f"INSERT INTO {name} ({columns}) SELECT * FROM {self._rows} "

    def insert(self, rows: Iterable[Sequence[Any]], on_conflict: str = "") -> list[Statement]:
        """The statement that adds rows; none where there are none to add."""
        packed = [*rows]
        return [Statement(self._insert + on_conflict, self._parameters(packed))] if packed else []

    def update(self, rows: Sequence[Sequence[Any]], *key: str) -> list[Statement]:
        """The statement that writes rows that are there, each found by the columns of its key; none where there are
        none to write. `insert` with `updating` locks each row first, and tells the write-ahead log of that too."""
        if not rows:
            return []
        values = ", ".join(f"{column} = k.{column}" for column in self.columns.split(", ") if column not in key)
        of_key = " AND ".join(f"t.{column} = k.{column}" for column in key)
        statement = f"UPDATE {self._name} t SET {values} FROM {self._rows} AS k ({self.columns}) WHERE {of_key}"
        return [Statement(statement, self._parameters(rows))]

    def _parameters(self, rows: Iterable[Sequence[Any]]) -> list[Column]:
        """A parameter for each column."""
        return [kind(column) for kind, column in zip(self._kinds, zip(*rows, strict=True), strict=True)]


def updating(key: str, *columns: str) -> str:
    """Have an `insert` update these columns of a row that is there already."""
    return f"ON CONFLICT ({key}) DO UPDATE SET " + ", ".join(f"{column} = excluded.{column}" for column in columns)


TENANT: Final = Table("tenant", "id, name, created_at, paused_at, deleted_at, limits, retention_days", "ntnnntn")
DOCUMENT: Final = Table(
    "document",
    "tenant_id, external_id, version, updated_at, type, status, reference_id, owner_email, body, source_version,"
    " deleted_at, last_number, workflow, expires_at",
    "nunnttttbnnnbn",
)
DOCUMENT_WRITTEN: Final = Table("document", f"{DOCUMENT.columns}, title_key", "nunnttttbnnnbnt")
"""With what is only searched for."""
EVENT: Final = Table(
    "event", "tenant_id, sequence, at, id, type, document_id, body, before, cause, caller", "nnnunubbnn"
)
STEP: Final = Table("step", "tenant_id, document_id, sequence, at, event_id, caller, step", "nunnunb")
VERSION: Final = Table(
    "version",
    "tenant_id, document_id, number, file, size, sha256, content_type, created_at, created_by, published_as,"
    " deleted_at",
    "nunbnbtntnn",
)
ANSWER: Final = Table("idempotency", ANSWER_COLUMNS, "nntbbnb")
LANE: Final = Table("lane", "subscription_number, tenant_id, owner, version, head, open, gaps, health", "nnnnnbbb")
RETRY: Final = Table("retry", "number, tenant_id, subscription_number, sequence, document_id", "nnnnu")
ERASURE: Final = Table("erasure", "id, tenant_id, tenant, document_id, asked_at, to_sequence, removed", "untunnn")
AUDIT: Final = Table("audit", "position, tenant_id, number, at, actor, object, content, hash, proof", "nnnnttbbb")
AUDIT_END: Final = Table("audit_end", "tenant_id, first, before, last, hash, tenants, proof", "nnbnbnb")
DELIVERY: Final = Table(
    "delivery",
    "tenant_id, subscription_number, sequence, document_id, state, due, failed_attempts, max_attempts, run, resume_at,"
    " replay",
    "nnnunnnnnnn",
)
ATTEMPT: Final = Table(
    "attempt",
    "tenant_id, sequence, subscription_number, started_at, elapsed_us, number, run, counted, status, failure, detail,"
    " answer, exchange",
    "nnnnnnnfnttbb",
)
MADE: Final = Table("made", "tenant_id, subscription_number, document_id, made", "nnub")


# --- What follows from descriptions -----------------------------------------------------------------------------------

_LETTERS: Final = {
    described.Kind.NUMBER: "n",
    described.Kind.UUID: "u",
    described.Kind.TEXT: "t",
    described.Kind.BLOB: "b",
    described.Kind.FLAG: "f",
}
_CHANGED_BY: Final = {"api_key": f"changed_by = {THIS_TRANSACTION}"}
"""What a change also writes of rows that nodes look for when others changed them."""


def codec_with(vault: Vault) -> Codec:
    return Codec(str, str, vault.seal, vault.open)


@cache
def written(table: described.Table[Any]) -> Table:
    return Table(table.name, table.listed, "".join(_LETTERS[kind] for kind in table.columns.values()))


def finding(table: described.Table[Any], by: str, values: Collection[str]) -> Statement:
    """The rows that are found by these values."""
    pack = uuids if table.found_by[by].kind is described.Kind.UUID else texts
    where = table.found_by[by].where.format("ANY($1)")
    return Statement(f"SELECT {table.listed} FROM {table.name} WHERE {where}", (pack(values),))


def writing(table: described.Table[Any], changed: Collection[Any], codec: Codec) -> list[Statement]:
    """Write rows, and remove those that are over."""
    statements = written(table).insert((table.pack(row, codec) for row in changed), _updating(table))
    if table.goes_after is not None and changed:
        over = max(row.created_at for row in changed)
        statements.append(Statement(f"DELETE FROM {table.name} WHERE {table.goes_after} <= $1", (over,)))
    return statements


def ending(tenant_id: int, at: int) -> list[Statement]:
    """End the rows of a deleted tenant."""
    tables = [table for table in TABLES.values() if table.ended is None or table.ended]
    return [Statement(_ending(table), (tenant_id, at)) for table in tables]


@cache
def _updating(table: described.Table[Any]) -> str:
    changes = updating("number", *table.changing)
    return f"{changes}, {_CHANGED_BY[table.name]}" if table.name in _CHANGED_BY else changes


@cache
def _ending(table: described.Table[Any]) -> str:
    of_tenant = "WHERE tenant_id = $1 AND $2::bigint IS NOT NULL"
    if table.ended is None:
        return f"DELETE FROM {table.name} {of_tenant}"
    values = [f"{column} = {_ended(column, value)}" for column, value in table.ended.items()]
    values += [_CHANGED_BY[table.name]] if table.name in _CHANGED_BY else []
    return f"UPDATE {table.name} SET {', '.join(values)} {of_tenant}"


def _ended(column: str, value: str | bytes | Ended | None) -> str:
    if value is Ended.THEN:
        return "$2"
    if value is Ended.THEN_AT_THE_LATEST:
        return f"coalesce({column}, $2)"
    return "NULL" if value is None else f"'\\x{value.hex()}'" if isinstance(value, bytes) else "''"
