"""Versions of documents: written with a batch of changes, read by number, listed, and removed once their files are
gone."""

from collections.abc import Iterable, Sequence

import apsw

from signalpost.commands.command import VersionKey
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.version import Number, VersionRow
from signalpost.store.packing.documents import pack_number
from signalpost.store.sqlite.codec import pack_uuid, unpack_uuid
from signalpost.store.sqlite.connect import rows, rows_of_many, write_many
from signalpost.store.sqlite.readers import Readers, reading
from signalpost.store.sqlite.writer import Writer, writing
from signalpost.store.tables.versions import VERSION, unpack_version


class SqliteVersions:
    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    @reading
    def get(self, connection: apsw.Connection, tenant_id: int, document_id: str, number: Number) -> VersionRow | None:
        return read(connection, [(tenant_id, document_id, number)]).get((tenant_id, document_id, number))

    @reading
    def page(
        self, connection: apsw.Connection, tenant_id: int, document_id: str, below: Number | None, limit: int
    ) -> list[VersionRow]:
        found = rows(
            connection,
            f"SELECT {VERSION.listed} FROM version WHERE tenant_id = ? AND document_id = ? AND number < ?"  # noqa: S608
            " AND deleted_at IS NULL ORDER BY number DESC LIMIT ?",
            (tenant_id, pack_uuid(document_id), 2**63 - 1 if below is None else pack_number(below), limit),
        )
        return [unpack_version(columns, unpack_uuid) for columns in found]

    @reading
    def deleted(self, connection: apsw.Connection, before: int, limit: int) -> list[tuple[int, VersionRow]]:
        found = rows(
            connection,
            f"SELECT {VERSION.listed} FROM version WHERE deleted_at < ? ORDER BY deleted_at LIMIT ?",  # noqa: S608
            (before, limit),
        )
        return [(columns[0], unpack_version(columns, unpack_uuid)) for columns in found]

    @writing
    def forget(self, connection: apsw.Connection, keys: Sequence[VersionKey]) -> None:
        write_many(
            connection,
            "DELETE FROM version WHERE tenant_id = ? AND document_id = ? AND number = ?",
            [(tenant_id, pack_uuid(document_id), pack_number(number)) for tenant_id, document_id, number in keys],
        )


def read(connection: apsw.Connection, keys: Iterable[VersionKey]) -> dict[VersionKey, VersionRow]:
    """The versions with these keys. A key without a version is missing."""
    found = rows_of_many(
        connection,
        f"SELECT {VERSION.listed} FROM version WHERE tenant_id = ? AND document_id = ? AND number = ?",  # noqa: S608
        [(tenant_id, pack_uuid(document_id), pack_number(number)) for tenant_id, document_id, number in keys],
    )
    versions = [(columns[0], unpack_version(columns, unpack_uuid)) for columns in found]
    return {(tenant_id, row.document_id, row.number): row for tenant_id, row in versions}


def delete(connection: apsw.Connection, tombstones: Iterable[tuple[int, DocumentRow]]) -> None:
    """Mark the versions of documents that were deleted, so that their files are removed later, and count these no
    more."""
    gone = [
        (row.deleted_at, tenant_id, pack_uuid(row.external_id), pack_number(row.last_number))
        for tenant_id, row in tombstones
        if row.last_number is not None
    ]
    # A draft that was published has its file twice. One that was made in the very batch is marked already.
    write_many(
        connection,
        "UPDATE tenant SET file_bytes = file_bytes - (SELECT coalesce(sum(size), 0) FROM version"
        " WHERE tenant_id = ?2 AND document_id = ?3 AND number <= ?4 AND published_as IS NULL"
        " AND (deleted_at IS NULL OR deleted_at = ?1)) WHERE id = ?2",
        gone,
    )
    write_many(
        connection,
        "UPDATE version SET deleted_at = ?"
        " WHERE tenant_id = ? AND document_id = ? AND number <= ? AND deleted_at IS NULL",
        gone,
    )
