"""The table of sources. The row of one that was removed goes as it is written, and all go with their tenant."""

from typing import Final

from signalpost.domain.source import Source
from signalpost.store.tables.table import FoundBy, Kind, Table

SOURCE: Final = Table(
    "source",
    Source,
    {
        "number": Kind.NUMBER,
        "id": Kind.UUID,
        "tenant_id": Kind.NUMBER,
        "name": Kind.TEXT,
        "oldest_seconds": Kind.NUMBER,
        "dead": Kind.NUMBER,
        "added_at": Kind.NUMBER,
        "heard_at": Kind.NUMBER,
        "deleted_at": Kind.NUMBER,
    },
    changing=["oldest_seconds", "dead", "heard_at", "deleted_at"],
    found_by={"tenant": FoundBy("tenant_id = {} AND deleted_at IS NULL", Kind.NUMBER)},
    goes_after="deleted_at",
    there="deleted_at IS NULL",
)
