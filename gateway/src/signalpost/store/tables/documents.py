"""The table of documents."""

from typing import Final

from signalpost.store.tables.table import Columns, Kind

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
)
WRITTEN_DOCUMENT: Final = Columns("document", {**DOCUMENT.columns, "title_key": Kind.TEXT})
"""With what is only searched for."""
