"""Documents: read by id, and listed."""

from collections.abc import Sequence
from typing import Final

from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.id_beginning import Ids
from signalpost.store.nouns.documents import (
    DocumentFilter,
    DocumentPosition,
    DocumentRows,
    Expiry,
    FoundDocument,
)
from signalpost.store.postgres.asking import ask, ask_one, steps_of
from signalpost.store.postgres.nouns.log_queries import PostgresLogQueries
from signalpost.store.postgres.sessions import ReadSessions
from signalpost.store.statements import EVERY_TENANT, Row, Statement
from signalpost.store.store import PAGE_BYTES
from signalpost.store.tables.documents import DOCUMENT, unpack_document
from signalpost.store.walks import document_search, document_walk
from signalpost.store.walks.document_queries import DocumentPart, LookedThrough, narrowest
from signalpost.store.walks.document_search import Stretch

_UNBOUNDED: Final = 2**62
_GET: Final = f"SELECT {DOCUMENT.listed} FROM document WHERE tenant_id = $1 AND external_id = $2::uuid"
_EXPIRING: Final = (
    "SELECT expires_at, number, tenant_id, external_id FROM document"
    " WHERE expires_at IS NOT NULL AND (expires_at, number) > ($1, $2) ORDER BY expires_at, number LIMIT $3"
)
_FOUND: Final = (
    "external_id, convert_from(body, 'UTF8')::json ->> 'title', type, status, reference_id, owner_email, updated_at"
)
"""The columns of a `FoundDocument`."""
_BEGINS_WITH: Final = (
    f"SELECT {_FOUND} FROM document WHERE tenant_id = $1 AND deleted_at IS NULL"
    " AND {0} >= $2::text AND {0} < $3::text ORDER BY {0}, number LIMIT $4"
)
_WITH_IDS: Final = (
    f"SELECT {_FOUND} FROM document WHERE tenant_id = $1 AND deleted_at IS NULL AND external_id >= $2::uuid"
    " AND external_id <= $3::uuid ORDER BY external_id LIMIT $4"
)
_LAST_WITH_TEXT: Final = "SELECT coalesce(max(last), 0) FROM document_text WHERE tenant_id = $1"
_STRETCHES: Final = (
    "SELECT first, last FROM document_text WHERE tenant_id = $1 AND (strpos(text, $2::text) > 0 OR text = '')"
    " ORDER BY last DESC LIMIT $3"
)
_WITHIN_STRETCH: Final = (
    f"SELECT {_FOUND} FROM document WHERE tenant_id = $1 AND deleted_at IS NULL AND number >= $2 AND number <= $3"
    " AND (strpos(title_key, $4::text) > 0 OR strpos(lower(reference_id), $4::text) > 0"
    " OR strpos(lower(owner_email), $4::text) > 0) ORDER BY number DESC LIMIT $5"
)
_LAST: Final = chr(0x10FFFF)
"""A text and this character sort behind everything that begins with the text, in the order of bytes."""
_MATCHES: Final = (
    "d.type = coalesce($5, d.type) AND d.status = coalesce($6, d.status)"
    " AND d.owner_email = coalesce($7, d.owner_email) AND ($8::text IS NULL OR d.reference_id = $8)"
)
_WITHIN: Final = (
    f"SELECT number, {DOCUMENT.listed} FROM (SELECT found.*,"
    " sum(octet_length(body)) OVER (ORDER BY place DESC) - octet_length(body) AS bytes_before FROM ({}) found) counted"
    f" WHERE bytes_before < {PAGE_BYTES} ORDER BY place DESC"
)
"""The rows of a query up to the one with which their bodies come to the size of a page, the highest place first."""
_CREATED_BEFORE: Final = _WITHIN.format(
    "SELECT d.*, d.number AS place FROM ("
    "SELECT * FROM document WHERE tenant_id = $1 AND number < $2{} AND deleted_at IS NULL ORDER BY number DESC LIMIT $3"
    f") d WHERE {_MATCHES} AND d.updated_at > $9 AND d.updated_at < $10 ORDER BY d.number DESC LIMIT $4"
)
_STRETCH_BELOW: Final = (
    "SELECT count(*), coalesce(min(number), 0) FROM (SELECT number FROM document"
    " WHERE tenant_id = $1 AND number < $2{} AND deleted_at IS NULL ORDER BY number DESC LIMIT $3) walked"
)
_CHANGED_BETWEEN: Final = _WITHIN.format(
    "SELECT d.*, e.sequence AS place FROM event e CROSS JOIN LATERAL (SELECT * FROM document"
    " WHERE tenant_id = e.tenant_id AND external_id = e.document_id AND updated_at = e.at OFFSET 0) d"
    f" WHERE e.tenant_id = $1 AND e.sequence >= $2 AND e.sequence < $3 AND d.deleted_at IS NULL AND {_MATCHES}"
    " ORDER BY e.sequence DESC LIMIT $4"
)
"""OFFSET 0 has each event look for its document by key. Of tables that were filled a moment ago PostgreSQL knows
nothing, and would hold every event against every document."""
_CREATED_AT: Final = "SELECT at FROM event WHERE tenant_id = $1 AND sequence = $2"


class PostgresDocuments:
    def __init__(self, readers: ReadSessions, max_scanned: int) -> None:
        self._readers = readers
        self._max_scanned = max_scanned
        self._queries = PostgresDocumentQueries()

    async def get(self, tenant_id: int, external_id: str) -> DocumentRow | None:
        found = await self._readers.rows(tenant_id, _GET, tenant_id, external_id)
        return unpack_document(external_id, found[0]) if found else None

    async def expiring(self, after: Expiry | None, limit: int) -> list[Expiry]:
        above = (-_UNBOUNDED, 0) if after is None else (after.at, after.number)
        return [Expiry(*columns) for columns in await self._readers.rows(EVERY_TENANT, _EXPIRING, *above, limit)]

    async def search(self, tenant_id: int, text: str, limit: int) -> list[FoundDocument]:
        asking = document_search.search(self._queries, tenant_id, text, limit, self._max_scanned)
        return await self._readers.run_in_turn(tenant_id, steps_of(asking))

    async def page(
        self, tenant_id: int, wanted: DocumentFilter, below: DocumentPosition | None, limit: int
    ) -> DocumentRows:
        asking = document_walk.page(self._queries, tenant_id, wanted, below, limit, self._max_scanned)
        return await self._readers.run_in_turn(tenant_id, steps_of(asking))


class PostgresDocumentQueries(PostgresLogQueries):
    async def begins_with(self, tenant_id: int, text: str, limit: int) -> list[FoundDocument]:
        wanted = {"reference_id": text, "title_key": text.lower(), "owner_email": text}
        return _found(
            await ask(
                *(
                    Statement(_BEGINS_WITH.format(column), (tenant_id, first, first + _LAST, limit))
                    for column, first in wanted.items()
                )
            )
        )

    async def with_ids(self, tenant_id: int, ids: Ids, limit: int) -> list[FoundDocument]:
        return _found(await ask(Statement(_WITH_IDS, (tenant_id, *ids, limit))))

    async def last_with_text(self, tenant_id: int) -> int:
        [(last,)] = await ask_one(_LAST_WITH_TEXT, tenant_id)
        return int(last)

    async def stretches(self, tenant_id: int, text: str, limit: int) -> list[Stretch]:
        return [Stretch(*each) for each in await ask_one(_STRETCHES, tenant_id, text.lower(), limit)]

    async def within(self, tenant_id: int, stretches: Sequence[Stretch], text: str, limit: int) -> list[FoundDocument]:
        wanted = text.lower()
        return _found(await ask(*(Statement(_WITHIN_STRETCH, (tenant_id, *each, wanted, limit)) for each in stretches)))

    async def created_before(
        self, tenant_id: int, wanted: DocumentFilter, below: DocumentPosition, stretch: int, limit: int
    ) -> DocumentPart:
        changed = (-1, _UNBOUNDED)
        if wanted.updated_after is not None:
            changed = wanted.updated_after, below.changed_before
        statement = _CREATED_BEFORE.format(_narrowed(wanted, "$11"))
        bound = (tenant_id, below.number, stretch, limit, *_facets(wanted), *changed, *_value(wanted))
        return _listed(await ask_one(statement, *bound))

    async def stretch_below(
        self, tenant_id: int, wanted: DocumentFilter, below: DocumentPosition, stretch: int
    ) -> LookedThrough:
        statement = _STRETCH_BELOW.format(_narrowed(wanted, "$4"))
        [found] = await ask_one(statement, tenant_id, below.number, stretch, *_value(wanted))
        return LookedThrough(*found)

    async def changed_between(
        self, tenant_id: int, wanted: DocumentFilter, first: int, end: int, limit: int
    ) -> DocumentPart:
        return _listed(await ask_one(_CHANGED_BETWEEN, tenant_id, first, end, limit, *_facets(wanted)))

    async def created_at(self, tenant_id: int, sequence: int) -> int:
        [(at,)] = await ask_one(_CREATED_AT, tenant_id, sequence)
        return int(at)


def _found(listed: Sequence[Sequence[Row]]) -> list[FoundDocument]:
    return [FoundDocument(*columns) for each in listed for columns in each]


def _narrowed(wanted: DocumentFilter, place: str) -> str:
    """The condition that has a list walk the narrowest index for a filter."""
    column = narrowest(wanted)
    return "" if column is None else f" AND {column} = {place}"


def _value(wanted: DocumentFilter) -> tuple[str, ...]:
    column = narrowest(wanted)
    return () if column is None else (getattr(wanted, column),)


def _facets(wanted: DocumentFilter) -> tuple[str | None, ...]:
    return wanted.type, wanted.status, wanted.owner_email, wanted.reference_id


def _listed(found: Sequence[Row]) -> DocumentPart:
    documents = [(columns[0], unpack_document(columns[2], columns[1:])) for columns in found]
    return DocumentPart(documents, sum(len(document.body) for _, document in documents) >= PAGE_BYTES)
