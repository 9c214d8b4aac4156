"""How entries get into the audit on PostgreSQL, in the transaction of the change that they tell of.

Each entry is chained to the one before it, of its tenant and of the whole database. So a transaction that adds entries
first locks the row of the fleet, until the commit: one transaction at a time, and after the tenants that it changes.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from signalpost.domain.audit import WHOLE, AuditEntry, End, EntryDraft, Notary
from signalpost.store.postgres.sessions import Steps
from signalpost.store.postgres.tables import AUDIT, AUDIT_END
from signalpost.store.statements import Statement
from signalpost.store.tables.audit import ENDS, NAMES, UPDATING_END, pack_ends, put_behind

LOCK: Final = Statement("SELECT FROM fleet FOR UPDATE")
"""The first statement of a transaction that adds entries or removes some."""


def append(drafts: Sequence[EntryDraft], notary: Notary) -> Steps[tuple[tuple[AuditEntry, ...], list[Statement]]]:
    """Lock the audit and put entries behind those that are there. Returns them, and the statements that write them."""
    if not drafts:
        return (), []
    tenants = {draft.tenant_id for draft in drafts}
    _, found, names = yield [
        LOCK,
        Statement(ENDS, ([WHOLE, *tenants],)),
        Statement(NAMES, ([*tenants],)),
    ]
    entries, ends = put_behind(drafts, found, names, notary)
    return tuple(entries), [*AUDIT.insert(entries), *write_ends(ends, notary)]


def write_ends(ends: Iterable[End], notary: Notary) -> list[Statement]:
    """Say where chains begin and end."""
    return AUDIT_END.insert(pack_ends(ends, notary), UPDATING_END)
