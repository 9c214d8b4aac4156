"""The table of erasures, as they are asked for."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from signalpost.domain.erasure import Erasure
from signalpost.store.tables.table import Columns, Kind

ERASURE: Final = Columns(
    "erasure",
    {
        "id": Kind.UUID,
        "tenant_id": Kind.NUMBER,
        "tenant": Kind.TEXT,
        "document_id": Kind.UUID,
        "asked_at": Kind.NUMBER,
        "to_sequence": Kind.NUMBER,
        "removed": Kind.NUMBER,
    },
)


def pack_erasures(asked: Iterable[Erasure], pack_id: Callable[[str], Any]) -> list[tuple[Any, ...]]:
    """Rows of `ERASURE`, of which nothing was removed yet."""
    return [
        (
            pack_id(each.id),
            each.tenant_id,
            each.tenant,
            None if each.document_id is None else pack_id(each.document_id),
            each.asked_at,
            each.to_sequence,
            0,
        )
        for each in asked
    ]
