"""The table of documents."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from signalpost.commands.command import DocumentKey
from signalpost.domain.documents.document import DocumentRow, Facets
from signalpost.domain.documents.workflow import Workflow
from signalpost.store.packing.documents import pack_number, unpack_number
from signalpost.store.tables.table import Columns, Kind

_encode = msgspec.json.Encoder().encode
_decode_workflow = msgspec.json.Decoder(Workflow).decode
_NO_FACETS: Final = (None,) * len(Facets.__struct_fields__)

DOCUMENT: Final = Columns(
    "document",
    {
        "tenant_id": Kind.NUMBER,
        "external_id": Kind.UUID,
        "version": Kind.NUMBER,
        "updated_at": Kind.NUMBER,
        "type": Kind.TEXT,
        "status": Kind.TEXT,
        "reference_id": Kind.TEXT,
        "owner_email": Kind.TEXT,
        "body": Kind.BLOB,
        "source_version": Kind.NUMBER,
        "deleted_at": Kind.NUMBER,
        "last_number": Kind.NUMBER,
        "workflow": Kind.BLOB,
        "expires_at": Kind.NUMBER,
    },
    key="tenant_id, external_id",
)
WRITTEN_DOCUMENT: Final = Columns("document", {**DOCUMENT.columns, "title_key": Kind.TEXT})
"""With what is only searched for."""


def pack_document(
    key: DocumentKey, row: DocumentRow, pack_id: Callable[[str], Any], title_key: Callable[[bytes], str]
) -> tuple[Any, ...]:
    """A row of `WRITTEN_DOCUMENT`. `title_key` is what a document with this JSON is found by."""
    workflow = row.workflow
    return (
        key[0],
        pack_id(key[1]),
        row.version,
        row.updated_at,
        *(_NO_FACETS if row.facets is None else msgspec.structs.astuple(row.facets)),
        row.body,
        row.source_version,
        row.deleted_at,
        pack_number(row.last_number),
        None if workflow is None else _encode(workflow),
        None if workflow is None else workflow.expires_at,
        None if row.deleted_at is not None else title_key(row.body),
    )


def unpack_document(external_id: str, columns: Sequence[Any]) -> DocumentRow:
    """From a row of `DOCUMENT`, of which the id is known already."""
    (
        _, _, version, updated_at, kind, status, reference_id, owner_email,
        body, source_version, deleted_at, last_number, workflow, _,
    ) = columns  # fmt: skip
    return DocumentRow(
        external_id,
        version,
        updated_at,
        None if kind is None else Facets(kind, status, reference_id, owner_email),
        body,
        source_version,
        deleted_at,
        None if workflow is None else _decode_workflow(workflow),
        unpack_number(last_number),
    )
