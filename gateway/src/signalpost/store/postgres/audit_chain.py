"""How entries get into the audit on PostgreSQL, in the transaction of the change that they tell of.

Each entry is chained to the one before it, of its tenant and of the whole database. So a transaction that adds entries
first locks the row of the fleet, until the commit: one transaction at a time, and after the tenants that it changes.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from signalpost.domain.audit import WHOLE, AuditEntry, End, EntryDraft, Notary, linked
from signalpost.store.postgres.columns import numbers
from signalpost.store.postgres.sessions import Steps
from signalpost.store.postgres.tables import AUDIT, AUDIT_END
from signalpost.store.statements import Statement
from signalpost.store.tables import audit as tables
from signalpost.store.tables.audit import UPDATING_END, pack_ends

ENDS: Final = f"SELECT {tables.AUDIT_END.listed} FROM audit_end"
LOCK: Final = Statement("SELECT FROM fleet FOR UPDATE")
"""The first statement of a transaction that adds entries or removes some."""


def append(drafts: Sequence[EntryDraft], notary: Notary) -> Steps[tuple[tuple[AuditEntry, ...], list[Statement]]]:
    """Lock the audit and put entries behind those that are there. Returns them, and the statements that write them."""
    if not drafts:
        return (), []
    tenants = {draft.tenant_id for draft in drafts}
    _, found, names = yield [
        LOCK,
        Statement(f"{ENDS} WHERE tenant_id = ANY($1)", (numbers({WHOLE, *tenants}),)),
        Statement("SELECT id, name FROM tenant WHERE id = ANY($1)", (numbers(tenants),)),
    ]
    ends = {end.tenant_id: end for end, _ in map(unpack_end, found)}
    name_of: dict[int, str] = {number: name for number, name in names}  # noqa: C416
    entries = []
    for draft in drafts:
        own = ends.get(draft.tenant_id, End(tenant_id=draft.tenant_id))
        whole = ends.get(WHOLE, End(tenant_id=WHOLE))
        entry, ends[draft.tenant_id], ends[WHOLE] = linked(draft, name_of[draft.tenant_id], own, whole, notary)
        entries.append(entry)
    return tuple(entries), [*AUDIT.insert(entries), *write_ends(ends.values(), notary)]


def write_ends(ends: Iterable[End], notary: Notary) -> list[Statement]:
    """Say where chains begin and end."""
    return AUDIT_END.insert(pack_ends(ends, notary), UPDATING_END)


def unpack_end(columns: Sequence[object]) -> tuple[End, bytes]:
    """An end with its proof, from the columns of `ENDS`."""
    tenant_id, first, before, last, digest, tenants, proof = columns
    end = End(tenant_id=tenant_id, first=first, before=before, last=last, hash=digest, tenants=tenants)  # type: ignore[arg-type]
    return end, proof  # type: ignore[return-value]
