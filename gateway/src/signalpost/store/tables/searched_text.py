"""The table of what documents are found by."""

from typing import Final

from signalpost.store.tables.table import Columns, Kind

DOCUMENT_TEXT: Final = Columns(
    "document_text",
    {"tenant_id": Kind.NUMBER, "first": Kind.NUMBER, "last": Kind.NUMBER, "text": Kind.TEXT},
    key="tenant_id, last",
)
