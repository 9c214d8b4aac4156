"""Versions of documents: read by number, listed, and removed once their files are gone."""

from collections.abc import Sequence
from typing import Final

from signalpost.commands.command import VersionKey
from signalpost.domain.documents.version import Number, VersionRow
from signalpost.store.packing.documents import pack_number
from signalpost.store.postgres.columns import Column, numbers, uuids
from signalpost.store.postgres.sessions import ReadSessions, Writers
from signalpost.store.statements import EVERY_TENANT
from signalpost.store.tables.versions import VERSION, unpack_version

_SELECT: Final = f"SELECT {VERSION.listed} FROM version"
_GET: Final = f"{_SELECT} WHERE tenant_id = $1 AND document_id = $2::uuid AND number = $3"
_PAGE: Final = (
    f"{_SELECT} WHERE tenant_id = $1 AND document_id = $2::uuid AND number < $3 AND deleted_at IS NULL"
    " ORDER BY number DESC LIMIT $4"
)
_DELETED: Final = f"{_SELECT} WHERE deleted_at < $1 ORDER BY deleted_at LIMIT $2"
FORGET: Final = (
    "DELETE FROM version v USING unnest($1, $2, $3) AS k (tenant_id, document_id, number)"
    " WHERE v.tenant_id = k.tenant_id AND v.document_id = k.document_id AND v.number = k.number"
)


class PostgresVersions:
    def __init__(self, readers: ReadSessions, writers: Writers) -> None:
        self._readers = readers
        self._writers = writers

    async def get(self, tenant_id: int, document_id: str, number: Number) -> VersionRow | None:
        found = await self._readers.rows(tenant_id, _GET, tenant_id, document_id, pack_number(number))
        return unpack_version(found[0], str) if found else None

    async def page(self, tenant_id: int, document_id: str, below: Number | None, limit: int) -> list[VersionRow]:
        bound = 2**63 - 1 if below is None else pack_number(below)
        found = await self._readers.rows(tenant_id, _PAGE, tenant_id, document_id, bound, limit)
        return [unpack_version(columns, str) for columns in found]

    async def deleted(self, before: int, limit: int) -> list[tuple[int, VersionRow]]:
        found = await self._readers.rows(EVERY_TENANT, _DELETED, before, limit)
        return [(columns[0], unpack_version(columns, str)) for columns in found]

    async def forget(self, keys: Sequence[VersionKey]) -> None:
        if keys:
            await self._writers.rows(EVERY_TENANT, FORGET, *version_keys(keys))


def version_keys(keys: Sequence[VersionKey]) -> tuple[Column, Column, Column]:
    """The columns that name versions."""
    tenant_ids, document_ids, each = zip(*keys, strict=True)
    return numbers(tenant_ids), uuids(document_ids), numbers(map(pack_number, each))
