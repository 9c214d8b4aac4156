"""The audit in SQLite. Entries are only ever added at the end and removed at the beginning."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

import apsw
import msgspec

from signalpost.domain.audit import WHOLE, AuditEntry, End, EntryDraft, Notary, Verification, still_has
from signalpost.store.nouns.audit import AuditFilter, AuditMark, AuditPart, VerifiedAudit
from signalpost.store.sqlite.codec import unpack_uuid
from signalpost.store.sqlite.connect import rows, rows_within
from signalpost.store.sqlite.readers import Readers, reading
from signalpost.store.sqlite.statements import ask
from signalpost.store.sqlite.tables import inserting
from signalpost.store.sqlite.writer import Writer, writing
from signalpost.store.tables.audit import (
    ACCESS,
    ALL_ENDS,
    AUDIT,
    AUDIT_END,
    ENDS,
    MARK,
    NAMES,
    NOTE,
    OLDEST,
    PROOF,
    REMOVE_UP_TO,
    UPDATING_END,
    begun_behind,
    older,
    pack_ends,
    put_behind,
    unpack_ends,
)

_CONTENT: Final = AuditEntry._fields.index("content")
_encode = msgspec.json.Encoder().encode
_decode_draft = msgspec.json.Decoder(EntryDraft).decode


class SqliteAudit:
    def __init__(self, readers: Readers, writer: Writer, notary: Notary) -> None:
        self._readers = readers
        self._writer = writer
        self._notary = notary
        self._verifying = asyncio.Lock()
        """Held while one goes through all entries, so that another reader is left for everybody else."""

    @reading
    def page(
        self, connection: apsw.Connection, tenant_id: int, wanted: AuditFilter, above: int, limit: int
    ) -> AuditPart:
        return _page(connection, tenant_id, wanted, "number > ? ORDER BY number", (above, limit))

    @reading
    def newest(
        self, connection: apsw.Connection, tenant_id: int, wanted: AuditFilter, above: int, below: int, limit: int
    ) -> AuditPart:
        within = "number > ? AND number < ? ORDER BY number DESC"
        return _page(connection, tenant_id, wanted, within, (above, below, limit))

    @reading
    def mark(self, connection: apsw.Connection, tenant_id: int) -> AuditMark | None:
        found = ask(connection, MARK, tenant_id)
        return AuditMark(*found[0]) if found else None

    @reading
    def sealed_end(self, connection: apsw.Connection) -> str:
        ends = _ends(connection, [WHOLE])
        return self._notary.seal(ends[0][0] if ends else End(tenant_id=WHOLE))

    @reading
    def has(self, connection: apsw.Connection, sealed_end: str) -> bool:
        if (opened := self._notary.opened(sealed_end)) is None:
            return False
        ends = _ends(connection, [WHOLE])
        proofs = ask(connection, PROOF, opened[0])
        return still_has(opened, ends[0][0] if ends else None, proofs[0][0] if proofs else None)

    async def verify(self) -> VerifiedAudit:
        async with self._verifying:
            return await self._verify()

    @reading
    def _verify(self, connection: apsw.Connection) -> VerifiedAudit:
        return verify(connection, self._notary)

    @writing
    def add(self, connection: apsw.Connection, drafts: list[EntryDraft]) -> tuple[AuditEntry, ...]:
        return append(connection, drafts, self._notary)

    async def keep(self, days: int) -> int:
        return days  # whoever can write to the file can do anything to it

    @writing
    def prune(self, connection: apsw.Connection, before: int, limit: int) -> int:
        return prune(connection, before, limit, self._notary)


def append(connection: apsw.Connection, drafts: Sequence[EntryDraft], notary: Notary) -> tuple[AuditEntry, ...]:
    """Add entries after the existing ones."""
    if not drafts:
        return ()
    tenants = {draft.tenant_id for draft in drafts}
    found, names = ask(connection, ENDS, [WHOLE, *tenants]), ask(connection, NAMES, [*tenants])
    entries, ends = put_behind(drafts, found, names, notary)
    connection.executemany(
        inserting(AUDIT),
        [entry._replace(content=entry.content.decode()) for entry in entries],  # type: ignore[arg-type]
    )
    _write_ends(connection, ends, notary)
    return tuple(entries)


def note(connection: apsw.Connection, draft: EntryDraft) -> None:
    """Keep a draft for the next start, which has the key for its proof."""
    ask(connection, NOTE, _encode(draft))


def append_noted(connection: apsw.Connection, notary: Notary) -> None:
    """Add the entries of what was noted since the last start."""
    with connection:
        noted = rows(connection, "SELECT draft FROM audit_draft ORDER BY number")
        append(connection, [_decode_draft(draft) for (draft,) in noted], notary)
        if noted:
            connection.execute("DELETE FROM audit_draft")


def prune(connection: apsw.Connection, before: int, limit: int, notary: Notary) -> int:
    """See `AuditStore.prune`."""
    removed = older(ask(connection, OLDEST, limit), before)
    if not removed:
        return 0
    found = ask(connection, ENDS, [WHOLE, *{row[1] for row in removed}])
    ask(connection, REMOVE_UP_TO, removed[-1][0])
    _write_ends(connection, begun_behind(removed, found), notary)
    return len(removed)


def verify(connection: apsw.Connection, notary: Notary | None) -> VerifiedAudit:
    """Go through all entries; without a notary by their hashes alone."""
    verification = Verification({end.tenant_id: (end, proof) for end, proof in _ends(connection)}, notary)
    cursor = connection.execute(f"SELECT {AUDIT.listed} FROM audit ORDER BY position")  # noqa: S608
    verification.see(map(_entry, cursor))
    cursor.close()
    verification.finish()
    for statement in ACCESS:
        found = rows(connection, statement)
        verification.see_access((unpack_uuid(identity), *others) for identity, *others in found)
    return VerifiedAudit(verification.entries, verification.fault)


def is_proven_by(connection: apsw.Connection, notary: Notary) -> bool:
    """Whether a notary has proven the end of the whole audit."""
    return any(proof == notary.proof_of_end(end) for end, proof in _ends(connection, [WHOLE]))


def _page(
    connection: apsw.Connection, tenant_id: int, wanted: AuditFilter, within: str, bounds: tuple[int, ...]
) -> AuditPart:
    """The entries of a page; the last of `bounds` is how many there may be."""
    conditions: list[str] = ["tenant_id = ?"]
    bindings: list[object] = [tenant_id]
    for column, value in (("actor", wanted.actor), ("object", wanted.object)):
        if value is not None:
            conditions.append(f"{column} = ?")
            bindings.append(value)
    statement = f"SELECT {AUDIT.listed} FROM audit WHERE {' AND '.join(conditions)} AND {within} LIMIT ?"  # noqa: S608
    found, is_cut = rows_within(connection, statement, (*bindings, *bounds), lambda row: len(row[_CONTENT]))
    return AuditPart([_entry(columns) for columns in found], not is_cut and len(found) < bounds[-1])


def _entry(columns: Sequence[Any]) -> AuditEntry:
    entry = AuditEntry(*columns)
    return entry._replace(content=entry.content.encode())  # type: ignore[attr-defined]


def _ends(connection: apsw.Connection, tenant_ids: Sequence[int] | None = None) -> list[tuple[End, bytes]]:
    """The ends of these tenants' chains, or of all, with their proofs."""
    if tenant_ids is None:
        return unpack_ends(rows(connection, ALL_ENDS))
    return unpack_ends(ask(connection, ENDS, [*tenant_ids]))


def _write_ends(connection: apsw.Connection, ends: Iterable[End], notary: Notary) -> None:
    connection.executemany(inserting(AUDIT_END, UPDATING_END), pack_ends(ends, notary))
