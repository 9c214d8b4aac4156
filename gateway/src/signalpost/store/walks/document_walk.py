"""Lists of documents, a page at a time.

Lists go by the order of creation, which no change of a document moves: through the narrowest index that the filter
allows, looking at a bounded stretch of it a page. With `updated_after` they go, last changed first, through the log,
which is the index by time that every event has paid for already: a document stands at the event that made its
`updated_at`. What changed last before the log's edge is no longer there; it follows in the order of creation. Either
way a document that changes during a walk is listed as it was reached, or not at all; it is then newer than all that the
walk listed, so that a reader who asks for `updated_after` the newest it saw misses nothing.
"""

from typing import Final

from signalpost.store.nouns.documents import DocumentFilter, DocumentPosition, DocumentRows
from signalpost.store.walks.document_queries import DocumentQueries

_UNBOUNDED: Final = 2**62


async def page(
    queries: DocumentQueries,
    tenant_id: int,
    wanted: DocumentFilter,
    below: DocumentPosition | None,
    limit: int,
    max_scanned: int,
) -> DocumentRows:
    """A page of a list; see `DocumentStore.page`. It looks at `max_scanned` rows at most."""
    by_log = wanted.updated_after is not None and wanted.reference_id is None and wanted.owner_email is None
    if below is None:
        below = DocumentPosition(0 if by_log else _UNBOUNDED, (await queries.ends(tenant_id)).last_at + 1)
    if below.number == 0:
        return await _by_log(queries, tenant_id, wanted, below.changed_before, limit, max_scanned)
    return await _by_creation(queries, tenant_id, wanted, below, limit, max_scanned)


async def _by_creation(
    queries: DocumentQueries,
    tenant_id: int,
    wanted: DocumentFilter,
    below: DocumentPosition,
    limit: int,
    max_scanned: int,
) -> DocumentRows:
    most = max(1, max_scanned // 2)  # each may cost a page of the table
    found, is_cut = await queries.created_before(tenant_id, wanted, below, most, limit)
    data = tuple(document for _, document in found)
    if is_cut or len(data) == limit:
        return DocumentRows(data, below._replace(number=found[-1][0]))
    looked_at, lowest = await queries.stretch_below(tenant_id, wanted, below, most)
    return DocumentRows(data, below._replace(number=lowest) if looked_at == most else None)


async def _by_log(
    queries: DocumentQueries,
    tenant_id: int,
    wanted: DocumentFilter,
    changed_before: int,
    limit: int,
    max_scanned: int,
) -> DocumentRows:
    assert wanted.updated_after is not None
    low = await queries.sequence_at(tenant_id, wanted.updated_after + 1)
    high = await queries.sequence_at(tenant_id, changed_before)
    first = max(low, high - max(1, max_scanned // 4))  # each costs a look at its document too
    found, is_cut = await queries.changed_between(tenant_id, wanted, first, high, limit)
    data = tuple(document for _, document in found)
    if is_cut or len(data) == limit:
        return DocumentRows(data, DocumentPosition(0, data[-1].updated_at))
    reached = await queries.created_at(tenant_id, first) if first < high else changed_before
    if first > low:
        return DocumentRows(data, DocumentPosition(0, reached))
    floor = (await queries.ends(tenant_id)).floor
    pruned = 1 < low == floor and wanted.updated_after + 1 < reached
    return DocumentRows(data, DocumentPosition(_UNBOUNDED, reached) if pruned else None)
