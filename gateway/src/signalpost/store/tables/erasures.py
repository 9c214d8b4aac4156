"""The table of erasures, as they are asked for."""

from collections.abc import Callable, Iterable, Sequence
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

ERASURE_COLUMNS: Final = "number, id, tenant_id, tenant, document_id, asked_at, to_sequence, removed, finished_at"
"""What is read of an erasure: the members of `Erasure`, in their order."""


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


def unpack_erasure(columns: Sequence[Any], unpack_id: Callable[[Any], str]) -> Erasure:
    """From `ERASURE_COLUMNS`."""
    number, identity, tenant_id, tenant, document_id, asked_at, to_sequence, removed, finished_at = columns
    return Erasure(
        number=number,
        id=unpack_id(identity),
        tenant_id=tenant_id,
        tenant=tenant,
        document_id=None if document_id is None else unpack_id(document_id),
        asked_at=asked_at,
        to_sequence=to_sequence,
        removed=removed,
        finished_at=finished_at,
    )
