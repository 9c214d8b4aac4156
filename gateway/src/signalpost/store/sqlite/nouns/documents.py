"""Documents: read by id, written with a batch, and listed."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import compress
from operator import itemgetter, ne
from typing import Any, NamedTuple

import apsw
from msgspec.structs import astuple

from signalpost.commands.command import DocumentKey
from signalpost.domain.checks import MAX_TEXT_CHARACTERS
from signalpost.domain.documents.document import DocumentRow, Facets
from signalpost.domain.id_beginning import Ids
from signalpost.store.nouns.documents import (
    DocumentFilter,
    DocumentPosition,
    DocumentRows,
    Expiry,
    FoundDocument,
)
from signalpost.store.packing.documents import is_same_title, title_in
from signalpost.store.sqlite.codec import pack_uuid, unpack_uuid
from signalpost.store.sqlite.connect import rows, rows_of_many, rows_within, write_many
from signalpost.store.sqlite.nouns import log
from signalpost.store.sqlite.nouns.log_queries import SqliteLogQueries
from signalpost.store.sqlite.readers import Readers, at_once, reading, reading_in_turns
from signalpost.store.sqlite.tables import inserting
from signalpost.store.tables.documents import DOCUMENT, WRITTEN_DOCUMENT, pack_document, unpack_document
from signalpost.store.walks import document_search, document_walk
from signalpost.store.walks.document_queries import DocumentPart, LookedThrough, narrowest
from signalpost.store.walks.document_search import Stretch

_UNBOUNDED = 2**62
_ASCII_LOWER = {ord(capital): ord(capital) + 32 for capital in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
"""What SQLite's own `lower` makes of capitals."""
_GLOB_SIGNS = re.compile(r"[*?\[]")
_LAST_CHARACTER = "\U0010ffff"
_BODY = [*DOCUMENT.columns].index("body")
_SELECTED = ", ".join(f"d.{column}" for column in DOCUMENT.columns)
_FOUND = "external_id, json_extract(CAST(body AS TEXT), '$.title'), type, status, reference_id, owner_email, updated_at"
"""The columns of a `FoundDocument`."""
_READ = f"SELECT {DOCUMENT.listed} FROM document WHERE tenant_id = ? AND external_id = ?"  # noqa: S608
_INSERT = inserting(WRITTEN_DOCUMENT)
_EVERY_CHANGE = ("version", "updated_at", "body", "source_version", "last_number")
"""The columns that every change writes. None of them is in an index."""
_KEY = ("tenant_id", "external_id")
_OTHERS = tuple(column for column in WRITTEN_DOCUMENT.columns if column not in (*_EVERY_CHANGE, *_KEY))


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

    @reading_in_turns
    def search(self, connection: apsw.Connection, tenant_id: int, text: str, limit: int) -> list[FoundDocument]:
        queries = SqliteDocumentQueries(connection)
        return at_once(document_search.search(queries, tenant_id, text, limit, self._max_scanned))

    @reading_in_turns
    def page(
        self,
        connection: apsw.Connection,
        tenant_id: int,
        wanted: DocumentFilter,
        below: DocumentPosition | None,
        limit: int,
    ) -> DocumentRows:
        queries = SqliteDocumentQueries(connection)
        return at_once(document_walk.page(queries, tenant_id, wanted, below, limit, self._max_scanned))


# --- Pages of a list --------------------------------------------------------------------------------------------------

_INDEXES = {
    "reference_id": "document_reference",
    "owner_email": "document_owner",
    "status": "document_status",
    "type": "document_type",
    None: "document_live",
}


class SqliteDocumentQueries(SqliteLogQueries):
    async def begins_with(self, tenant_id: int, text: str, limit: int) -> list[FoundDocument]:
        found = []
        for index, column, wanted in (
            ("document_reference", "reference_id", text),
            ("document_title", "title_key", _key_of(text)),
            ("document_owner", "owner_email", text),
        ):
            found += rows(
                self._connection,
                f"SELECT {_FOUND} FROM document INDEXED BY {index} WHERE tenant_id = ? AND {column} >= ?"  # noqa: S608
                f" AND {column} < ? AND deleted_at IS NULL ORDER BY {column} LIMIT ?",
                (tenant_id, wanted, wanted + _LAST_CHARACTER, limit),
            )
        return [*map(_found, found)]

    async def with_ids(self, tenant_id: int, ids: Ids, limit: int) -> list[FoundDocument]:
        statement = (
            f"SELECT {_FOUND} FROM document WHERE tenant_id = ? AND external_id >= ? AND external_id <= ?"  # noqa: S608
            " AND deleted_at IS NULL ORDER BY external_id LIMIT ?"
        )
        return [*map(_found, rows(self._connection, statement, (tenant_id, *map(pack_uuid, ids), limit)))]

    async def last_with_text(self, tenant_id: int) -> int:
        statement = "SELECT coalesce(max(last), 0) FROM document_text WHERE tenant_id = ?"
        return int(rows(self._connection, statement, (tenant_id,))[0][0])

    async def stretches(self, tenant_id: int, text: str, limit: int) -> list[Stretch]:
        found = rows(
            self._connection,
            # GLOB reads through megabytes four times as fast as `instr`.
            "SELECT first, last FROM document_text WHERE tenant_id = ? AND (text GLOB ? OR text = '')"
            " ORDER BY last DESC LIMIT ?",
            (tenant_id, "*" + _GLOB_SIGNS.sub(r"[\g<0>]", _key_of(text)) + "*", limit),
        )
        return [Stretch(*each) for each in found]

    async def within(self, tenant_id: int, stretches: Sequence[Stretch], text: str, limit: int) -> list[FoundDocument]:
        statement = (
            f"SELECT {_FOUND} FROM document INDEXED BY document_live WHERE tenant_id = ?1 AND deleted_at IS NULL"  # noqa: S608
            " AND number >= ?2 AND number <= ?3 AND (instr(title_key, ?4) OR instr(lower(reference_id), ?4)"
            " OR instr(lower(owner_email), ?4)) ORDER BY number DESC LIMIT ?5"
        )
        wanted = _key_of(text)
        found = (rows(self._connection, statement, (tenant_id, *each, wanted, limit)) for each in stretches)
        return [_found(columns) for of_stretch in found for columns in of_stretch]

    async def created_before(
        self, tenant_id: int, wanted: DocumentFilter, below: DocumentPosition, stretch: int, limit: int
    ) -> DocumentPart:
        looked_at, lowest = await self.stretch_below(tenant_id, wanted, below, stretch)
        if not looked_at:
            return DocumentPart((), is_cut=False)
        source, bindings = _walked(tenant_id, wanted, below)
        matching, values = _matching(wanted)
        if wanted.updated_after is not None:
            matching += " AND updated_at > ? AND updated_at < ?"
            values = (*values, wanted.updated_after, below.changed_before)
        found, is_cut = rows_within(
            self._connection,
            f"SELECT number, {_SELECTED} {source} AND number >= ? AND {matching} ORDER BY number DESC LIMIT ?",
            (*bindings, lowest, *values, limit),
            lambda columns: len(columns[1 + _BODY]),
        )
        return DocumentPart([(columns[0], _row(columns[1:])) for columns in found], is_cut)

    async def stretch_below(
        self, tenant_id: int, wanted: DocumentFilter, below: DocumentPosition, stretch: int
    ) -> LookedThrough:
        source, bindings = _walked(tenant_id, wanted, below)
        statement = (
            f"SELECT count(*), coalesce(min(number), 0) FROM (SELECT number {source} ORDER BY number DESC LIMIT ?)"  # noqa: S608
        )
        return LookedThrough(*rows(self._connection, statement, (*bindings, stretch))[0])

    async def changed_between(
        self, tenant_id: int, wanted: DocumentFilter, first: int, end: int, limit: int
    ) -> DocumentPart:
        matching, values = _matching(wanted)
        found, is_cut = rows_within(
            self._connection,
            f"SELECT d.number, {_SELECTED} FROM event e CROSS JOIN document d"  # noqa: S608
            " ON d.tenant_id = e.tenant_id AND d.external_id = e.document_id AND d.updated_at = e.at"
            f" WHERE e.tenant_id = ? AND e.sequence >= ? AND e.sequence < ? AND d.deleted_at IS NULL AND {matching}"
            " ORDER BY e.sequence DESC LIMIT ?",
            (tenant_id, first, end, *values, limit),
            lambda columns: len(columns[1 + _BODY]),
        )
        return DocumentPart([(columns[0], _row(columns[1:])) for columns in found], is_cut)

    async def created_at(self, tenant_id: int, sequence: int) -> int:
        return log.at_of(self._connection, tenant_id, sequence)


def _walked(tenant_id: int, wanted: DocumentFilter, below: DocumentPosition) -> tuple[str, tuple[Any, ...]]:
    """The documents below a position, by the narrowest index for a filter, and what is bound there."""
    column = narrowest(wanted)
    source = f"FROM document d INDEXED BY {_INDEXES[column]} WHERE tenant_id = ? AND deleted_at IS NULL AND number < ?"
    if column is None:
        return source, (tenant_id, below.number)
    return f"{source} AND {column} = ?", (tenant_id, below.number, getattr(wanted, column))


def _matching(wanted: DocumentFilter) -> tuple[str, tuple[Any, ...]]:
    given = {column: value for column in Facets.__struct_fields__ if (value := getattr(wanted, column)) is not None}
    return " AND ".join(["TRUE", *(f"+d.{column} = ?" for column in given)]), tuple(given.values())


# --- Batches ----------------------------------------------------------------------------------------------------------


def read(connection: apsw.Connection, keys: Iterable[DocumentKey]) -> dict[DocumentKey, DocumentRow]:
    wanted = {(tenant_id, pack_uuid(external_id)): (tenant_id, external_id) for tenant_id, external_id in keys}
    documents = {}
    for columns in rows_of_many(connection, _READ, wanted):
        key = wanted[columns[0], columns[1]]
        documents[key] = unpack_document(key[1], columns)
    return documents


def write(
    connection: apsw.Connection, before: Mapping[DocumentKey, DocumentRow], after: Mapping[DocumentKey, DocumentRow]
) -> None:
    """Write documents. SQLite writes every index of a column that is named, be it to the value that it had, so only
    what a change made otherwise is named: nothing that is in an index, for most. The statement for new ones, which run
    by the thousand in an import, is kept short: for each row its text is hashed again to find it prepared."""
    new: list[tuple[Any, ...]] = []
    changed: defaultdict[tuple[str, ...], list[DocumentKey]] = defaultdict(list)
    for key, row in after.items():
        if key in before:
            changed[_made_otherwise(before[key], row)].append(key)
        else:
            new.append(pack_document(key, row, pack_uuid, _title_key))
    write_many(connection, _INSERT, new)
    for columns, keys in changed.items():
        statement, pick = _update(columns)
        title_key = _title_key if "title_key" in columns else _unasked
        write_many(connection, statement, [pick(pack_document(key, after[key], pack_uuid, title_key)) for key in keys])


class _Update(NamedTuple):
    """How a document is changed that is there."""

    statement: str
    pick: Callable[[tuple[Any, ...]], tuple[Any, ...]]
    """Takes what the statement needs from a whole row."""


@cache
def _update(columns: tuple[str, ...]) -> _Update:
    """Writes these columns, with those that every change writes."""
    written = (*_EVERY_CHANGE, *columns)
    places = [*WRITTEN_DOCUMENT.columns]
    return _Update(
        f"UPDATE document SET {', '.join(f'{column} = ?' for column in written)}"  # noqa: S608
        " WHERE tenant_id = ? AND external_id = ?",
        itemgetter(*map(places.index, (*written, *_KEY))),
    )


def _made_otherwise(before: DocumentRow, after: DocumentRow) -> tuple[str, ...]:
    """The columns that a change made otherwise, besides those that every change writes."""
    was, now = before.facets, after.facets
    if was is None or now is None:
        return () if was is now else _OTHERS
    columns: list[str] = []
    if was != now:
        columns += compress(Facets.__struct_fields__, map(ne, astuple(was), astuple(now)))
    if before.workflow != after.workflow:
        columns += ["workflow", "expires_at"]
    if not is_same_title(before.body, after.body):
        columns.append("title_key")
    return tuple(columns)


def _title_key(body: bytes) -> str:
    return _key_of(title_in(body))


def _unasked(_body: bytes) -> str:
    """Stands for the key of a title that is not written."""
    return ""


def _key_of(title: str) -> str:
    """What a document with this title is found by."""
    start = title[:MAX_TEXT_CHARACTERS]
    return start.lower() if start.isascii() else start.translate(_ASCII_LOWER)


def _found(columns: Sequence[Any]) -> FoundDocument:
    return FoundDocument(unpack_uuid(columns[0]), *columns[1:])


def _row(columns: Sequence[Any]) -> DocumentRow:
    return unpack_document(unpack_uuid(columns[1]), columns)
