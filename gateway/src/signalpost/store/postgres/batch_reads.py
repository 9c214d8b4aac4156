"""What a batch of commands reads on PostgreSQL: the tenants' locks and, in statements after these, the rows.

A statement that locks and reads at once would return rows as they were before it waited for the lock.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from signalpost.commands.batch import Rows, StoredAnswer
from signalpost.commands.command import AnswerKey, NumberedRow, RequestedRetry, VersionKey
from signalpost.domain.documents.document import DocumentRow, Facets
from signalpost.domain.documents.version import VersionRow
from signalpost.domain.tenant import Tenant
from signalpost.domain.tenant_limits import TenantUse
from signalpost.store.batching import BatchWanted
from signalpost.store.packing.documents import pack_number, unpack_number, unpack_workflow
from signalpost.store.postgres.columns import numbers, texts, uuids
from signalpost.store.postgres.tables import codec_with, finding
from signalpost.store.statements import Row, Statement
from signalpost.store.tables import TABLES
from signalpost.store.tables.answers import ANSWER, unpack_answer
from signalpost.store.tables.documents import DOCUMENT
from signalpost.store.tables.table import Table
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


class Locked(NamedTuple):
    """Tenants whose locks a transaction holds."""

    tenants: Mapping[int, Tenant]
    uses: Mapping[int, TenantUse]
    now: int
    """The database's time, once the locks were there."""


def lock(asked: BatchWanted, *, waiting: bool) -> Statement:
    """Lock the tenants that a batch is about, in the order of their numbers. Those that somebody else has locked are
    left out, unless it is `waiting` for them."""
    skip = "" if waiting else " SKIP LOCKED"
    named = " OR name = ANY($2)" if asked.names else ""
    return Statement(
        f"SELECT {NOW}, {USE_COLUMNS}, {TENANT_COLUMNS} FROM"
        f" (SELECT * FROM tenant WHERE id = ANY($1){named} ORDER BY id FOR NO KEY UPDATE{skip}) t",
        (numbers(asked.tenants), *([texts(asked.names)] if asked.names else [])),
    )


def unpack_locked(found: Iterable[Row]) -> Locked:
    """What `lock` has returned."""
    now, tenants, uses = 0, {}, {}
    for at, *columns in found:
        tenant = unpack_tenant(columns[3:])
        now, tenants[tenant.id], uses[tenant.id] = at, tenant, unpack_use(columns[:3])
    return Locked(tenants, uses, now)


def existing_names(asked: BatchWanted) -> Statement:
    """The tenants named by a batch that exist. One that could not be locked may not exist at all."""
    return Statement("SELECT name FROM tenant WHERE name = ANY($1)", (texts(asked.names),))


class Read(NamedTuple):
    """A query for rows of one kind, and how they are unpacked."""

    statement: Statement
    unpack: Callable[[Iterable[Row]], dict[Any, Any]]
    tenant_at: int | None = 0
    """Where a row says its tenant; None for rows that commands see of any tenant."""
    sealed: Sequence[int] = ()
    """Where a row has values that only a data key opens."""


Reads = Mapping[str | tuple[type[NumberedRow], str] | type[Any], Read]
"""The queries of a batch: by the member of `Rows`, by a kind of row and what it is found by, or, for the numbers of
new rows, by their kind."""


def reads(asked: BatchWanted, vault: Vault) -> Reads:
    """None for rows of which none is wanted."""
    found: dict[str | tuple[type[NumberedRow], str] | type[Any], Read] = {}
    if asked.documents:
        found["documents"] = Read(_of_keys("document", DOCUMENT.listed, "external_id", asked.documents), _documents)
    if asked.versions:
        found["versions"] = Read(_versions(asked.versions), _unpack_versions)
    if asked.answers:
        found["answers"] = Read(_answers(asked), partial(_unpack_answers, vault), sealed=(4, 6))
    for (kind, by), values in asked.rows.items():
        found[kind, by] = _rows(TABLES[kind], by, values, vault)
    for adds, count in asked.numbers.items():
        take = Statement(f"SELECT nextval('{_sequence(adds)}') FROM generate_series(1, $1)", (count,))
        found[adds] = Read(take, dict, tenant_at=None)
    return found


def _rows(table: Table[Any], by: str, values: Collection[str], vault: Vault) -> Read:
    codec = codec_with(vault)

    def unpack(rows: Iterable[Row]) -> dict[str, Any]:
        return {row.id: row for row in (table.unpack(columns, codec) for columns in rows)}

    tenant_at = None if table.of_any_tenant else table.tenant_at
    return Read(finding(table, by, values), unpack, tenant_at, table.sealed)


def _sequence(kind: type[Any]) -> str:
    """Where the numbers of new rows come from. Each is given once, also where its batch is not committed."""
    return _SEQUENCES.get(kind) or f"{TABLES[kind].numbered_with}_number_seq"


def sealed(asked: Reads, found: Iterable[list[Row]]) -> Iterator[bytes | None]:
    """The sealed values of these rows."""
    for read, rows in zip(asked.values(), found, strict=True):
        for place in read.sealed:
            yield from (row[place] for row in rows)


def rows_of(asked: Reads, found: Iterable[list[Row]], locked: Locked) -> Rows:
    """The rows of a batch. Those of tenants that are not locked, or were deleted, are left out: the former may change,
    and nothing of the latter can be opened."""
    live = {tenant.id for tenant in locked.tenants.values() if tenant.deleted_at is None}
    members: dict[str, Any] = {}
    by_kind: dict[type[NumberedRow], dict[str, Any]] = {}
    taken: dict[type[Any], list[int]] = {}
    for (what, read), rows in zip(asked.items(), found, strict=True):
        ours = rows if read.tenant_at is None else [row for row in rows if row[read.tenant_at] in live]
        if isinstance(what, str):
            members[what] = read.unpack(ours)
        elif isinstance(what, tuple):
            by_kind.setdefault(what[0], {}).update(read.unpack(ours))
        else:
            taken[what] = [number for (number,) in ours]
    return Rows(tenants=locked.tenants, uses=locked.uses, numbers=taken, rows=by_kind, **members)


# --- Queries ----------------------------------------------------------------------------------------------------------

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


def _documents(rows: Iterable[Row]) -> dict[tuple[int, str], DocumentRow]:
    return {(row[0], row[1]): unpack_document(row) for row in rows}


def unpack_document(columns: Row) -> DocumentRow:
    """From the columns of `DOCUMENT`."""
    _, external_id, version, updated_at, *facets, body, source_version, deleted_at, last_number, workflow, _ = columns
    return DocumentRow(
        external_id,
        version,
        updated_at,
        None if facets[0] is None else Facets(*facets),
        body,
        source_version,
        deleted_at,
        None if workflow is None else unpack_workflow(workflow),
        unpack_number(last_number),
    )


def _unpack_versions(rows: Iterable[Row]) -> dict[VersionKey, VersionRow]:
    return {
        (row[0], version.document_id, version.number): version for row in rows for version in [unpack_version(row, str)]
    }


def _unpack_answers(vault: Vault, rows: Iterable[Row]) -> dict[AnswerKey, StoredAnswer]:
    return dict(unpack_answer(columns, vault) for columns in rows)
