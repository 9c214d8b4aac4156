"""What a batch of commands reads on PostgreSQL: the tenants' locks and, in statements after these, the rows.

A statement that locks and reads at once would return rows as they were before it waited for the lock.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from signalpost.commands.batch import Rows, StoredAnswer
from signalpost.commands.command import AnswerKey, Command, NumberedRow, RequestedRetry, VersionKey
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.access.tenant_limits import TenantUse
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.version import VersionRow
from signalpost.store.batching import BatchWanted
from signalpost.store.packing.documents import pack_number
from signalpost.store.postgres.columns import numbers, texts, uuids
from signalpost.store.postgres.tables import codec_with, finding
from signalpost.store.statements import Row, Statement
from signalpost.store.tables import TABLES
from signalpost.store.tables.answers import ANSWER, unpack_answer
from signalpost.store.tables.documents import DOCUMENT, unpack_document
from signalpost.store.tables.table import Codec, Columns, Table
from signalpost.store.tables.tenants import (
    TENANT_COLUMNS,
    USE_COLUMNS,
    unpack_tenant,
    unpack_use,
)
from signalpost.store.tables.versions import VERSION, unpack_version
from signalpost.store.vault import Vault

NOW: Final = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_SEQUENCES: Final[Mapping[type[Any], str]] = {
    RequestedRetry: "retry_number_seq",
    Tenant: "tenant_id_seq",
}


_What = str | tuple[type[NumberedRow], str]
"""What a query finds: a member of `Rows`, or rows of a kind and by what they are found."""


class LockedRows(NamedTuple):
    """What a transaction has locked and read."""

    rows: Rows
    now: int
    """The database's time, once the locks were there."""
    names: frozenset[str]
    """The names of tenants that commands named and that there are."""

    def is_locked(self, command: Command[Any]) -> bool:
        """Whether the transaction has the locks of all tenants that a command is about."""
        if command.tenant_id not in self.rows.tenants:
            return False
        if not self.names:
            return True
        name = command.reads.tenant
        return name not in self.names or any(tenant.name == name for tenant in self.rows.tenants.values())


class RowQuery(NamedTuple):
    """A query for rows of one kind, and how they are unpacked."""

    table: Columns
    statement: Statement
    unpack: Callable[[Iterable[Row]], dict[Any, Any]]


class BatchQueries:
    """What the first trip of a batch asks: the locks, which of the named tenants there are, the rows, and numbers for
    new ones."""

    def __init__(self, asked: BatchWanted, vault: Vault, *, waiting: bool) -> None:
        """See `_lock` for `waiting`."""
        self._rows = {**_rows_of_their_own(asked, vault), **_rows_by_kind(asked, vault)}
        self._numbers = {kind: _numbers(kind, count) for kind, count in asked.numbers.items()}
        self._names = [_existing(asked.names)] if asked.names else []
        rows = (query.statement for query in self._rows.values())
        self.statements: Final = [_lock(asked, waiting=waiting), *self._names, *rows, *self._numbers.values()]

    def sealed_in(self, found: Sequence[list[Row]]) -> Iterator[bytes]:
        """The sealed values of what was found."""
        for query, rows in zip(self._rows.values(), self._parts(found)[2], strict=True):
            yield from query.table.sealed_in(rows)

    def unpack(self, found: Sequence[list[Row]]) -> LockedRows:
        """The rows of a batch. Those of tenants that are not locked, or were deleted, are left out: the former may
        change, and nothing of the latter can be opened."""
        locked, names, rows, numbers = self._parts(found)
        now, tenants, uses = _unpack_locked(locked)
        live = {tenant.id for tenant in tenants.values() if tenant.deleted_at is None}
        of_their_own: dict[str, Any] = {}
        by_kind: dict[type[NumberedRow], dict[str, Any]] = {}
        for (what, query), packed in zip(self._rows.items(), rows, strict=True):
            unpacked = query.unpack(query.table.of_tenants(packed, live))
            if isinstance(what, str):
                of_their_own[what] = unpacked
            else:
                by_kind.setdefault(what[0], {}).update(unpacked)
        taken = {kind: [number for (number,) in each] for kind, each in zip(self._numbers, numbers, strict=True)}
        unpacked_rows = Rows(tenants=tenants, uses=uses, numbers=taken, rows=by_kind, **of_their_own)
        return LockedRows(unpacked_rows, now, names)

    def _parts(
        self, found: Sequence[list[Row]]
    ) -> tuple[list[Row], frozenset[str], Sequence[list[Row]], Sequence[list[Row]]]:
        """What was locked, the names that there are, the rows, and the numbers."""
        rows_at = 1 + len(self._names)
        numbers_at = rows_at + len(self._rows)
        names = frozenset(name for (name,) in found[1]) if self._names else frozenset[str]()
        return found[0], names, found[rows_at:numbers_at], found[numbers_at:]


def _rows_of_their_own(asked: BatchWanted, vault: Vault) -> dict[_What, RowQuery]:
    """The queries for members of `Rows`; none for rows of which none is wanted."""
    queries: dict[_What, RowQuery] = {}
    if asked.documents:
        find = _of_keys("document", DOCUMENT.listed, "external_id", asked.documents)
        queries["documents"] = RowQuery(DOCUMENT, find, _documents)
    if asked.versions:
        queries["versions"] = RowQuery(VERSION, _versions(asked.versions), _unpack_versions)
    if asked.answers:
        queries["answers"] = RowQuery(ANSWER, _answers(asked), partial(_unpack_answers, vault))
    return queries


def _rows_by_kind(asked: BatchWanted, vault: Vault) -> dict[_What, RowQuery]:
    """The queries for rows of described tables, by their kind and by what they are found."""
    codec = codec_with(vault)
    queries: dict[_What, RowQuery] = {}
    for (kind, by), values in asked.rows.items():
        table = TABLES[kind]
        queries[kind, by] = RowQuery(table, finding(table, by, values), partial(_unpack_rows, table, codec))
    return queries


# --- Queries ----------------------------------------------------------------------------------------------------------


def _lock(asked: BatchWanted, *, waiting: bool) -> Statement:
    """Lock the tenants that a batch is about, in the order of their numbers. Those that another transaction has locked
    are left out, unless this one is `waiting` for them."""
    skip = "" if waiting else " SKIP LOCKED"
    named = " OR name = ANY($2)" if asked.names else ""
    return Statement(
        f"SELECT {NOW}, {USE_COLUMNS}, {TENANT_COLUMNS} FROM"
        f" (SELECT * FROM tenant WHERE id = ANY($1){named} ORDER BY id FOR NO KEY UPDATE{skip}) t",
        (numbers(asked.tenants), *([texts(asked.names)] if asked.names else [])),
    )


def _existing(names: Iterable[str]) -> Statement:
    """The tenants of these names that exist. One that could not be locked may not exist at all."""
    return Statement("SELECT name FROM tenant WHERE name = ANY($1)", (texts(names),))


def _numbers(kind: type[Any], count: int) -> Statement:
    """Numbers for new rows. Each is given once, also if its batch is not committed."""
    sequence = _SEQUENCES.get(kind) or f"{TABLES[kind].numbered_with}_number_seq"
    return Statement(f"SELECT nextval('{sequence}') FROM generate_series(1, $1)", (count,))


# Keys are joined by LATERAL, so that each is looked up in its index, whatever the planner believes a table to hold.


def _of_keys(table: str, columns: str, identity: str, keys: Iterable[tuple[int, str]]) -> Statement:
    tenant_ids, ids = zip(*keys, strict=True)
    return Statement(
        f"SELECT r.* FROM unnest($1, $2) AS k (tenant_id, id) CROSS JOIN LATERAL"
        f" (SELECT {columns} FROM {table} t WHERE t.tenant_id = k.tenant_id AND t.{identity} = k.id OFFSET 0) r",
        (numbers(tenant_ids), uuids(ids)),
    )


def _versions(keys: Iterable[VersionKey]) -> Statement:
    tenant_ids, document_ids, found = zip(*keys, strict=True)
    return Statement(
        f"SELECT r.* FROM unnest($1, $2, $3) AS k (tenant_id, document_id, number) CROSS JOIN LATERAL"
        f" (SELECT {VERSION.listed} FROM version v WHERE v.tenant_id = k.tenant_id"
        " AND v.document_id = k.document_id AND v.number = k.number OFFSET 0) r",
        (numbers(tenant_ids), uuids(document_ids), numbers(map(pack_number, found))),
    )


def _answers(asked: BatchWanted) -> Statement:
    tenant_ids, api_key_ids, keys = zip(*asked.answers, strict=True)
    return Statement(
        f"SELECT r.* FROM unnest($1, $2, $3) AS k (tenant_id, api_key_id, key) CROSS JOIN LATERAL"
        f" (SELECT {ANSWER.listed} FROM idempotency i WHERE i.tenant_id = k.tenant_id"
        " AND i.api_key_id = k.api_key_id AND i.key = k.key ORDER BY i.expires_at DESC LIMIT 1) r",
        (numbers(tenant_ids), numbers(api_key_ids), texts(keys)),
    )


# --- Rows -------------------------------------------------------------------------------------------------------------


def _unpack_locked(found: Iterable[Row]) -> tuple[int, dict[int, Tenant], dict[int, TenantUse]]:
    """What `_lock` has returned: the time, and the tenants with what they use."""
    now, tenants, uses = 0, {}, {}
    for at, *columns in found:
        tenant = unpack_tenant(columns[3:])
        now, tenants[tenant.id], uses[tenant.id] = at, tenant, unpack_use(columns[:3])
    return now, tenants, uses


def _unpack_rows(table: Table[Any], codec: Codec, rows: Iterable[Row]) -> dict[str, Any]:
    return {row.id: row for row in (table.unpack(columns, codec) for columns in rows)}


def _documents(rows: Iterable[Row]) -> dict[tuple[int, str], DocumentRow]:
    return {(row[0], row[1]): unpack_document(row[1], row) for row in rows}


def _unpack_versions(rows: Iterable[Row]) -> dict[VersionKey, VersionRow]:
    return {
        (row[0], version.document_id, version.number): version for row in rows for version in [unpack_version(row, str)]
    }


def _unpack_answers(vault: Vault, rows: Iterable[Row]) -> dict[AnswerKey, StoredAnswer]:
    return dict(unpack_answer(columns, vault) for columns in rows)
