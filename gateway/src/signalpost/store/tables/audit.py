"""The tables of the audit: its entries, and the ends of its chains."""

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any, Final

from msgspec.structs import astuple, replace

from signalpost.domain.audit import WHOLE, AuditEntry, End, EntryDraft, Notary, linked
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


ENDS: Final = f"SELECT {AUDIT_END.listed} FROM audit_end WHERE tenant_id = ANY($1::bigint[])"  # noqa: S608
ALL_ENDS: Final = f"SELECT {AUDIT_END.listed} FROM audit_end ORDER BY tenant_id"  # noqa: S608
NAMES: Final = "SELECT id, name FROM tenant WHERE id = ANY($1::bigint[])"
MARK: Final = "SELECT last, hash FROM audit_end WHERE tenant_id = $1"
PROOF: Final = "SELECT proof FROM audit WHERE position = $1"
OLDEST: Final = "SELECT position, tenant_id, number, at, hash, proof FROM audit ORDER BY position LIMIT $1"
REMOVE_UP_TO: Final = "DELETE FROM audit WHERE position <= $1"
NOTE: Final = "INSERT INTO audit_draft (draft) VALUES ($1)"
"""Keeps a draft for the next start, which has the key for its proof."""
ACCESS: Final = [f"SELECT id, tenant_id, created_at FROM {table} ORDER BY number" for table in ("api_key", "member")]  # noqa: S608
"""What can act, of which there must be entries."""


def pack_ends(ends: Iterable[End], notary: Notary) -> list[tuple[Any, ...]]:
    """Rows of `AUDIT_END`."""
    return [(*astuple(end), notary.proof_of_end(end)) for end in ends]


def unpack_ends(found: Iterable[Sequence[Any]]) -> list[tuple[End, bytes]]:
    """Ends with their proofs, from rows of `AUDIT_END`."""
    return [
        (End(tenant_id=tenant_id, first=first, before=before, last=last, hash=digest, tenants=tenants), proof)
        for tenant_id, first, before, last, digest, tenants, proof in found
    ]


def put_behind(
    drafts: Iterable[EntryDraft], found: Iterable[Sequence[Any]], names: Iterable[Sequence[Any]], notary: Notary
) -> tuple[list[AuditEntry], list[End]]:
    """Chain drafts to the entries that are there, of which `found` has the ends; `names` are the rows of `NAMES`.
    Returns the entries, and where chains end now."""
    ends = {end.tenant_id: end for end, _ in unpack_ends(found)}
    name_of = {number: name for number, name in names}  # noqa: C416  # which are any columns to mypy
    entries = []
    for draft in drafts:
        own = ends.get(draft.tenant_id, End(tenant_id=draft.tenant_id))
        whole = ends.get(WHOLE, End(tenant_id=WHOLE))
        entry, ends[draft.tenant_id], ends[WHOLE] = linked(draft, name_of[draft.tenant_id], own, whole, notary)
        entries.append(entry)
    return entries, [*ends.values()]


def older(oldest: Iterable[Sequence[Any]], before: int) -> list[Sequence[Any]]:
    """The rows of `OLDEST` that were made before a moment."""
    return [*takewhile(lambda row: row[3] < before, oldest)]


def begun_behind(removed: Iterable[Sequence[Any]], found: Iterable[Sequence[Any]]) -> list[End]:
    """The ends once these rows of `OLDEST` are removed: they say with which entry each chain begins, and what was
    before it. `found` has the ends until then."""
    ends = {end.tenant_id: end for end, _ in unpack_ends(found)}
    for position, tenant_id, number, _, digest, proof in removed:
        ends[tenant_id] = replace(ends[tenant_id], first=number + 1, before=digest)
        ends[WHOLE] = replace(ends[WHOLE], first=position + 1, before=proof)
    return [*ends.values()]
