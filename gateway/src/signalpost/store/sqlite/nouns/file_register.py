"""The files that versions point to."""

from collections.abc import Iterator
from pathlib import Path

from signalpost.domain.documents.version import KeptVersion, StoredFile
from signalpost.store.packing.documents import unpack_number
from signalpost.store.sqlite.codec import unpack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.schema import connect_current


class SqliteFileRegister:
    """Reads a page at a time, so that the WAL of a running gateway can start over."""

    def __init__(self, database: Path) -> None:
        self._connection = connect_current(database, read_only=True)

    def close(self) -> None:
        self._connection.close()

    def versions(self) -> Iterator[KeptVersion]:
        last = (b"", 0, b"", 0)
        while True:
            page = rows(
                self._connection,
                "SELECT v.file, v.tenant_id, v.document_id, v.number, t.name, v.size, v.sha256, v.content_type"
                " FROM version v INDEXED BY version_file JOIN tenant t ON t.id = v.tenant_id"
                " WHERE (v.file, v.tenant_id, v.document_id, v.number) > (?, ?, ?, ?) AND v.deleted_at IS NULL"
                " ORDER BY v.file, v.tenant_id, v.document_id, v.number LIMIT 1000",
                last,
            )
            if not page:
                return
            for file, tenant_id, document_id, number, tenant, size, sha256, content_type in page:
                last = (file, tenant_id, document_id, number)
                stored = StoredFile(file.hex(), size, sha256, content_type)
                yield KeptVersion(tenant, unpack_uuid(document_id), str(unpack_number(number)), stored)

    def is_known(self, name: str) -> bool:
        return bool(rows(self._connection, "SELECT 1 FROM version WHERE file = ? LIMIT 1", (bytes.fromhex(name),)))

    def total(self) -> tuple[int, int]:
        of_each = "SELECT max(size) AS size FROM version WHERE deleted_at IS NULL GROUP BY file"
        count, size = rows(self._connection, f"SELECT count(*), coalesce(sum(size), 0) FROM ({of_each})")[0]  # noqa: S608
        return count, size
