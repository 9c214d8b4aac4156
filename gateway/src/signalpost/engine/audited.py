"""Writes entries of the audit that do not come from a command. The log names the hash of every entry: it shows later
that nothing up to there was changed."""

from collections.abc import Iterable

from signalpost.domain.audit import AuditEntry, EntryDraft
from signalpost.runtime.logger import log
from signalpost.store.nouns.audit import AuditStore


async def tell(audit: AuditStore, drafts: Iterable[EntryDraft]) -> None:
    """Add these entries. Raises Unavailable."""
    note_in_log(await audit.add([*drafts]))


def note_in_log(entries: Iterable[AuditEntry]) -> None:
    for entry in entries:
        log.info("audited", tenant=entry.tenant_id, number=entry.number, hash=entry.hash.hex(), object=entry.object)
