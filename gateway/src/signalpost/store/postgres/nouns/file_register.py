"""The files that versions point to."""

from collections.abc import Iterator
from typing import Any, Final, LiteralString

import psycopg

from signalpost.domain.documents.version import KeptVersion, StoredFile
from signalpost.store.packing.documents import unpack_number
from signalpost.store.postgres.sessions import EVERY

_NIL: Final = "00000000-0000-0000-0000-000000000000"
_PAGE: Final[LiteralString] = """
SELECT v.file, v.tenant_id, v.document_id, v.number, t.name, v.size, v.sha256, v.content_type
FROM version v JOIN tenant t ON t.id = v.tenant_id
WHERE (v.file, v.tenant_id, v.document_id, v.number) > (%s, %s, %s, %s) AND v.deleted_at IS NULL
ORDER BY v.file, v.tenant_id, v.document_id, v.number LIMIT 1000
"""
_TOTAL: Final[LiteralString] = (
    "SELECT count(*), coalesce(sum(size), 0)::bigint FROM"
    " (SELECT max(size) AS size FROM version WHERE deleted_at IS NULL GROUP BY file) files"
)


class PostgresFileRegister:
    """Reads a page at a time, so that nothing is held up while files are looked at."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def versions(self) -> Iterator[KeptVersion]:
        last: tuple[Any, ...] = (b"", 0, _NIL, 0)
        while page := self._rows(_PAGE, last):
            for file, tenant_id, document_id, number, tenant, size, sha256, content_type in page:
                last = (file, tenant_id, document_id, number)
                stored = StoredFile(bytes(file).hex(), size, bytes(sha256), content_type)
                yield KeptVersion(tenant, str(document_id), str(unpack_number(number)), stored)

    def is_known(self, name: str) -> bool:
        return bool(self._rows("SELECT 1 FROM version WHERE file = %s LIMIT 1", (bytes.fromhex(name),)))

    def total(self) -> tuple[int, int]:
        [(count, size)] = self._rows(_TOTAL, ())
        return int(count), int(size)

    def _rows(self, sql: LiteralString, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._connection.transaction():
            self._connection.execute("SELECT set_config('signalpost.tenants', %s, true)", (EVERY,))
            return self._connection.execute(sql, parameters).fetchall()
