"""The tables of the audit: its entries, and the ends of its chains."""

from collections.abc import Iterable
from typing import Any, Final

from msgspec.structs import astuple

from signalpost.domain.audit import End, Notary
from signalpost.store.tables.table import Columns, Kind, updating

AUDIT: Final = Columns(
    "audit",
    {
        "position": Kind.NUMBER,
        "tenant_id": Kind.NUMBER,
        "number": Kind.NUMBER,
        "at": Kind.NUMBER,
        "actor": Kind.TEXT,
        "object": Kind.TEXT,
        "content": Kind.BLOB,
        "hash": Kind.BLOB,
        "proof": Kind.BLOB,
    },
)
AUDIT_END: Final = Columns(
    "audit_end",
    {
        "tenant_id": Kind.NUMBER,
        "first": Kind.NUMBER,
        "before": Kind.BLOB,
        "last": Kind.NUMBER,
        "hash": Kind.BLOB,
        "tenants": Kind.NUMBER,
        "proof": Kind.BLOB,
    },
)
UPDATING_END: Final = updating("tenant_id", "first", "before", "last", "hash", "tenants", "proof")


def pack_ends(ends: Iterable[End], notary: Notary) -> list[tuple[Any, ...]]:
    """Rows of `AUDIT_END`."""
    return [(*astuple(end), notary.proof_of_end(end)) for end in ends]
