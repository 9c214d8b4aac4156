"""Documents: read by id, written with a batch, and listed.

Lists go by the order of creation, which no change of a document moves: through the narrowest index that the filter
allows, looking at a bounded stretch of it a page. With `updated_after` they go, last changed first, through the log,
which is the index by time that every event has paid for already: a document stands at the event that made its
`updated_at`. What changed last before the log's edge is no longer there; it follows in the order of creation. Either
way a document that changes during a walk is listed as it was reached, or not at all; it is then newer than all that the
walk listed, so that a reader who asks for `updated_after` the newest it saw misses nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import apsw

from signalpost.commands.command import DocumentKey
from signalpost.domain.documents.document import DocumentRow, Facets
from signalpost.store.documents import DocumentFilter, DocumentPosition, DocumentRows, Expiry
from signalpost.store.packing import pack_number, pack_workflow, unpack_number, unpack_workflow
from signalpost.store.sqlite import log
from signalpost.store.sqlite.codec import pack_uuid, unpack_uuid
from signalpost.store.sqlite.connect import rows, rows_of_many, rows_within
from signalpost.store.sqlite.readers import Readers, reading

_UNBOUNDED = 2**62
_COLUMNS = (
    "external_id, version, updated_at, type, status, reference_id, owner_email, body, source_version, deleted_at,"
    " last_number, workflow"
)
_BODY = _COLUMNS.split(", ").index("body")
_SELECTED = ", ".join(f"d.{column}" for column in _COLUMNS.split(", "))


class SqliteDocuments:
    def __init__(self, readers: Readers, max_scanned: int) -> None:
        self._readers = readers
        self._max_scanned = max_scanned

    @reading
    def get(self, connection: apsw.Connection, tenant_id: int, external_id: str) -> DocumentRow | None:
        return read(connection, [(tenant_id, external_id)]).get((tenant_id, external_id))

    @reading
    def expiring(self, connection: apsw.Connection, after: Expiry | None, limit: int) -> list[Expiry]:
        found = rows(
            connection,
            "SELECT expires_at, number, tenant_id, external_id FROM document INDEXED BY document_expiry"
            " WHERE expires_at IS NOT NULL AND (expires_at, number) > (?, ?) ORDER BY expires_at, number LIMIT ?",
            (after.at, after.number, limit) if after is not None else (-_UNBOUNDED, 0, limit),
        )
        return [Expiry(at, number, tenant_id, unpack_uuid(external_id)) for at, number, tenant_id, external_id in found]

    @reading
    def page(
        self,
        connection: apsw.Connection,
        tenant_id: int,
        wanted: DocumentFilter,
        below: DocumentPosition | None,
        limit: int,
    ) -> DocumentRows:
        by_log = wanted.updated_after is not None and wanted.reference_id is None and wanted.owner_email is None
        if below is None:
            below = DocumentPosition(0 if by_log else _UNBOUNDED, log.last_at(connection, tenant_id) + 1)
        if below.number == 0:
            return _by_log(connection, tenant_id, wanted, below.changed_before, limit, self._max_scanned)
        return _by_creation(connection, tenant_id, wanted, below, limit, self._max_scanned)


# --- Pages of a list --------------------------------------------------------------------------------------------------


def _by_creation(
    connection: apsw.Connection,
    tenant_id: int,
    wanted: DocumentFilter,
    below: DocumentPosition,
    limit: int,
    max_scanned: int,
) -> DocumentRows:
    index, condition, value = _narrowest(wanted)
    most = max(1, max_scanned // 2)  # each may cost a page of the table
    source = f"FROM document d INDEXED BY {index} WHERE tenant_id = ? AND {condition} AND deleted_at IS NULL"
    looked_at, lowest = rows(
        connection,
        f"SELECT count(*), min(number) FROM (SELECT number {source} AND number < ? ORDER BY number DESC LIMIT ?)",  # noqa: S608
        (tenant_id, *value, below.number, most),
    )[0]
    if not looked_at:
        return DocumentRows(())
    matching, values = _matching(wanted)
    if wanted.updated_after is not None:
        matching, values = (
            f"{matching} AND updated_at > ? AND updated_at < ?",
            (
                *values,
                wanted.updated_after,
                below.changed_before,
            ),
        )
    found, is_cut = rows_within(
        connection,
        f"SELECT number, {_SELECTED} {source} AND number < ? AND number >= ? AND {matching}"
        " ORDER BY number DESC LIMIT ?",
        (tenant_id, *value, below.number, lowest, *values, limit),
        lambda columns: len(columns[1 + _BODY]),
    )
    data = tuple(_row(*columns[1:]) for columns in found)
    if is_cut or len(data) == limit:
        return DocumentRows(data, below._replace(number=found[-1][0]))
    return DocumentRows(data, below._replace(number=lowest) if looked_at == most else None)


def _by_log(
    connection: apsw.Connection,
    tenant_id: int,
    wanted: DocumentFilter,
    changed_before: int,
    limit: int,
    max_scanned: int,
) -> DocumentRows:
    assert wanted.updated_after is not None
    low = log.sequence_at(connection, tenant_id, wanted.updated_after + 1)
    high = log.sequence_at(connection, tenant_id, changed_before)
    first = max(low, high - max(1, max_scanned // 4))  # each costs a look at its document too
    matching, values = _matching(wanted)
    found, is_cut = rows_within(
        connection,
        f"SELECT {_SELECTED} FROM event e CROSS JOIN document d"  # noqa: S608
        " ON d.tenant_id = e.tenant_id AND d.external_id = e.document_id AND d.updated_at = e.at"
        f" WHERE e.tenant_id = ? AND e.sequence >= ? AND e.sequence < ? AND d.deleted_at IS NULL AND {matching}"
        " ORDER BY e.sequence DESC LIMIT ?",
        (tenant_id, first, high, *values, limit),
        lambda columns: len(columns[_BODY]),
    )
    data = tuple(_row(*each) for each in found)
    if is_cut or len(data) == limit:
        return DocumentRows(data, DocumentPosition(0, data[-1].updated_at))
    reached = log.at_of(connection, tenant_id, first) if first < high else changed_before
    if first > low:
        return DocumentRows(data, DocumentPosition(0, reached))
    pruned = 1 < low == log.floor(connection, tenant_id) and wanted.updated_after + 1 < reached
    return DocumentRows(data, DocumentPosition(_UNBOUNDED, reached) if pruned else None)


def _narrowest(wanted: DocumentFilter) -> tuple[str, str, tuple[str, ...]]:
    """The narrowest index for a filter, the condition that goes with it, and the condition's values."""
    for column, index in (
        ("reference_id", "document_reference"),
        ("owner_email", "document_owner"),
        ("status", "document_status"),
        ("type", "document_type"),
    ):
        if (value := getattr(wanted, column)) is not None:
            return index, f"{column} = ?", (value,)
    return "document_live", "TRUE", ()


def _matching(wanted: DocumentFilter) -> tuple[str, tuple[Any, ...]]:
    given = {column: value for column in Facets._fields if (value := getattr(wanted, column)) is not None}
    return " AND ".join(["TRUE", *(f"+d.{column} = ?" for column in given)]), tuple(given.values())


# --- Batches ----------------------------------------------------------------------------------------------------------


def read(connection: apsw.Connection, keys: Iterable[DocumentKey]) -> dict[DocumentKey, DocumentRow]:
    found = rows_of_many(
        connection,
        f"SELECT tenant_id, {_COLUMNS} FROM document WHERE tenant_id = ? AND external_id = ?",  # noqa: S608
        [(tenant_id, pack_uuid(external_id)) for tenant_id, external_id in keys],
    )
    documents = [(columns[0], _row(*columns[1:])) for columns in found]
    return {(tenant_id, row.external_id): row for tenant_id, row in documents}


def write(
    connection: apsw.Connection, before: Mapping[DocumentKey, DocumentRow], after: Mapping[DocumentKey, DocumentRow]
) -> None:
    """Write documents. Where what lists filter by and the workflow stay as they were, as in most changes, no index is
    written."""
    changed = {key: row for key, row in after.items() if key not in before or _moved(before[key], row)}
    connection.executemany(
        f"INSERT INTO document (tenant_id, {_COLUMNS}, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        " ON CONFLICT (tenant_id, external_id) DO UPDATE SET version = excluded.version,"
        " updated_at = excluded.updated_at, type = excluded.type, status = excluded.status,"
        " reference_id = excluded.reference_id, owner_email = excluded.owner_email, body = excluded.body,"
        " source_version = excluded.source_version, deleted_at = excluded.deleted_at, workflow = excluded.workflow,"
        " last_number = excluded.last_number, expires_at = excluded.expires_at",
        [
            (
                tenant_id,
                pack_uuid(external_id),
                row.version,
                row.updated_at,
                *(row.facets or (None, None, None, None)),
                row.body,
                row.source_version,
                row.deleted_at,
                pack_number(row.last_number),
                *pack_workflow(row.workflow),
            )
            for (tenant_id, external_id), row in changed.items()
        ],
    )
    connection.executemany(
        "UPDATE document SET version = ?, updated_at = ?, body = ?, source_version = ?, last_number = ?"
        " WHERE tenant_id = ? AND external_id = ?",
        [
            (
                row.version,
                row.updated_at,
                row.body,
                row.source_version,
                pack_number(row.last_number),
                tenant_id,
                pack_uuid(external_id),
            )
            for (tenant_id, external_id), row in after.items()
            if (tenant_id, external_id) not in changed
        ],
    )


def _moved(before: DocumentRow, after: DocumentRow) -> bool:
    return before.facets != after.facets or before.workflow != after.workflow


def _row(
    external_id: bytes,
    version: int,
    updated_at: int,
    document_type: str | None,
    status: str | None,
    reference_id: str | None,
    owner_email: str | None,
    body: bytes,
    source_version: int | None,
    deleted_at: int | None,
    last_number: int | None,
    workflow: bytes | None,
) -> DocumentRow:
    facets = None
    if document_type is not None and status is not None and owner_email is not None:
        facets = Facets(document_type, status, reference_id, owner_email)
    return DocumentRow(
        unpack_uuid(external_id),
        version,
        updated_at,
        facets,
        body,
        source_version,
        deleted_at,
        None if workflow is None else unpack_workflow(workflow),
        unpack_number(last_number),
    )
