"""The table of versions that the gateway keeps itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from signalpost.commands.command import VersionKey
from signalpost.domain.documents.version import StoredFile, VersionRow
from signalpost.store.packing.documents import pack_number, unpack_number
from signalpost.store.tables.table import Columns, Kind, updating

VERSION: Final = Columns(
    "version",
    {
        "tenant_id": Kind.NUMBER,
        "document_id": Kind.UUID,
        "number": Kind.NUMBER,
        "file": Kind.BLOB,
        "size": Kind.NUMBER,
        "sha256": Kind.BLOB,
        "content_type": Kind.TEXT,
        "created_at": Kind.NUMBER,
        "created_by": Kind.TEXT,
        "published_as": Kind.NUMBER,
        "deleted_at": Kind.NUMBER,
    },
)
UPDATING_VERSION: Final = updating("tenant_id, document_id, number", "published_as")
"""What a change writes of a version that is there."""


def pack_versions(changed: Mapping[VersionKey, VersionRow], pack_id: Callable[[str], Any]) -> list[tuple[Any, ...]]:
    """Rows of `VERSION`."""
    return [
        (
            tenant_id,
            pack_id(row.document_id),
            pack_number(row.number),
            bytes.fromhex(row.file.name),
            row.file.size,
            row.file.sha256,
            row.file.content_type,
            row.created_at,
            row.created_by,
            pack_number(row.published_as),
            row.deleted_at,
        )
        for (tenant_id, _, _), row in changed.items()
    ]


def unpack_version(columns: Sequence[Any], unpack_id: Callable[[Any], str]) -> VersionRow:
    """From a row of `VERSION`."""
    _, document_id, packed, file, size, sha256, content_type, created_at, created_by, published_as, deleted_at = columns
    number = unpack_number(packed)
    assert number is not None
    return VersionRow(
        document_id=unpack_id(document_id),
        number=number,
        file=StoredFile(file.hex(), size, sha256, content_type),
        created_at=created_at,
        created_by=created_by,
        published_as=unpack_number(published_as),
        deleted_at=deleted_at,
    )
