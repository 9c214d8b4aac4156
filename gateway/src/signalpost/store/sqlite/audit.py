"""The audit in SQLite. Entries are only ever added at the end and removed at the beginning."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any, Final

import apsw
import msgspec
from msgspec.structs import replace

from signalpost.domain.audit import WHOLE, AuditEntry, End, EntryDraft, Notary, Verification, linked, still_has
from signalpost.store.audit import AuditFilter, AuditMark, AuditPage, Verified
from signalpost.store.sqlite.codec import unpack_uuid
from signalpost.store.sqlite.connect import rows, rows_of_many, rows_within
from signalpost.store.sqlite.readers import Readers, reading
from signalpost.store.sqlite.tables import inserting
from signalpost.store.sqlite.writer import Writer, writing
from signalpost.store.tables.audit import AUDIT, AUDIT_END, UPDATING_END, pack_ends

_CONTENT: Final = AuditEntry._fields.index("content")
_ACCESS: Final = ("api_key", "member")
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
    ) -> AuditPage:
        return _page(connection, tenant_id, wanted, "number > ? ORDER BY number", (above, limit))

    @reading
    def newest(
        self, connection: apsw.Connection, tenant_id: int, wanted: AuditFilter, above: int, below: int, limit: int
    ) -> AuditPage:
        within = "number > ? AND number < ? ORDER BY number DESC"
        return _page(connection, tenant_id, wanted, within, (above, below, limit))

    @reading
    def mark(self, connection: apsw.Connection, tenant_id: int) -> AuditMark | None:
        found = rows(connection, "SELECT last, hash FROM audit_end WHERE tenant_id = ?", (tenant_id,))
        return AuditMark(*found[0]) if found else None

    @reading
    def sealed_end(self, connection: apsw.Connection) -> str:
        ends = _ends(connection, (WHOLE,))
        return self._notary.seal(ends[0][0] if ends else End(tenant_id=WHOLE))

    @reading
    def has(self, connection: apsw.Connection, sealed_end: str) -> bool:
        if (opened := self._notary.opened(sealed_end)) is None:
            return False
        ends = _ends(connection, (WHOLE,))
        proofs = rows(connection, "SELECT proof FROM audit WHERE position = ?", (opened[0],))
        return still_has(opened, ends[0][0] if ends else None, proofs[0][0] if proofs else None)

    async def verify(self) -> Verified:
        async with self._verifying:
            return await self._verify()

    @reading
    def _verify(self, connection: apsw.Connection) -> Verified:
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
    ends = {end.tenant_id: end for end, _ in _ends(connection, {WHOLE, *tenants})}
    names = dict(rows_of_many(connection, "SELECT id, name FROM tenant WHERE id = ?", [(each,) for each in tenants]))
    entries = []
    for draft in drafts:
        own = ends.get(draft.tenant_id, End(tenant_id=draft.tenant_id))
        whole = ends.get(WHOLE, End(tenant_id=WHOLE))
        name = names[draft.tenant_id]
        entry, ends[draft.tenant_id], ends[WHOLE] = linked(draft, name, own, whole, notary)
        entries.append(entry)
    connection.executemany(
        inserting(AUDIT),
        [entry._replace(content=entry.content.decode()) for entry in entries],  # type: ignore[arg-type]
    )
    _write_ends(connection, ends.values(), notary)
    return tuple(entries)


def note(connection: apsw.Connection, draft: EntryDraft) -> None:
    """Keep a draft for the next start, which has the key for its proof."""
    connection.execute("INSERT INTO audit_draft (draft) VALUES (?)", (_encode(draft),))


def append_noted(connection: apsw.Connection, notary: Notary) -> None:
    """Add the entries of what was noted since the last start."""
    with connection:
        noted = rows(connection, "SELECT draft FROM audit_draft ORDER BY number")
        append(connection, [_decode_draft(draft) for (draft,) in noted], notary)
        if noted:
            connection.execute("DELETE FROM audit_draft")


def prune(connection: apsw.Connection, before: int, limit: int, notary: Notary) -> int:
    """See `AuditStore.prune`. The ends then say with which entry each chain begins, and what was before it."""
    oldest = rows(
        connection, "SELECT position, tenant_id, number, at, hash, proof FROM audit ORDER BY position LIMIT ?", (limit,)
    )
    removed = list(takewhile(lambda row: row[3] < before, oldest))
    if not removed:
        return 0
    ends = {end.tenant_id: end for end, _ in _ends(connection, {WHOLE, *(row[1] for row in removed)})}
    for position, tenant_id, number, _, digest, proof in removed:
        ends[tenant_id] = replace(ends[tenant_id], first=number + 1, before=digest)
        ends[WHOLE] = replace(ends[WHOLE], first=position + 1, before=proof)
    connection.execute("DELETE FROM audit WHERE position <= ?", (removed[-1][0],))
    _write_ends(connection, ends.values(), notary)
    return len(removed)


def verify(connection: apsw.Connection, notary: Notary | None) -> Verified:
    """Go through all entries; without a notary by their hashes alone."""
    verification = Verification({end.tenant_id: (end, proof) for end, proof in _ends(connection)}, notary)
    cursor = connection.execute(f"SELECT {AUDIT.listed} FROM audit ORDER BY position")  # noqa: S608
    verification.see(map(_entry, cursor))
    cursor.close()
    verification.finish()
    for table in _ACCESS:
        found = rows(connection, f"SELECT id, tenant_id, created_at FROM {table} ORDER BY number")  # noqa: S608
        verification.see_access((unpack_uuid(identity), *others) for identity, *others in found)
    return Verified(verification.entries, verification.fault)


def is_proven_by(connection: apsw.Connection, notary: Notary) -> bool:
    """Whether a notary has proven the end of the whole audit."""
    return any(proof == notary.proof_of_end(end) for end, proof in _ends(connection, (WHOLE,)))


def _page(
    connection: apsw.Connection, tenant_id: int, wanted: AuditFilter, within: str, bounds: tuple[int, ...]
) -> AuditPage:
    """The entries of a page; the last of `bounds` is how many there may be."""
    conditions: list[str] = ["tenant_id = ?"]
    bindings: list[object] = [tenant_id]
    for column, value in (("actor", wanted.actor), ("object", wanted.object)):
        if value is not None:
            conditions.append(f"{column} = ?")
            bindings.append(value)
    statement = f"SELECT {AUDIT.listed} FROM audit WHERE {' AND '.join(conditions)} AND {within} LIMIT ?"  # noqa: S608
    found, is_cut = rows_within(connection, statement, (*bindings, *bounds), lambda row: len(row[_CONTENT]))
    return AuditPage([_entry(columns) for columns in found], not is_cut and len(found) < bounds[-1])


def _entry(columns: Sequence[Any]) -> AuditEntry:
    entry = AuditEntry(*columns)
    return entry._replace(content=entry.content.encode())  # type: ignore[attr-defined]


def _ends(connection: apsw.Connection, tenant_ids: Iterable[int] | None = None) -> list[tuple[End, bytes]]:
    """The ends of these tenants' chains, or of all, with their proofs."""
    if tenant_ids is None:
        found = rows(connection, f"SELECT {AUDIT_END.listed} FROM audit_end ORDER BY tenant_id")  # noqa: S608
    else:
        statement = f"SELECT {AUDIT_END.listed} FROM audit_end WHERE tenant_id = ?"  # noqa: S608
        found = rows_of_many(connection, statement, [(tenant_id,) for tenant_id in tenant_ids])
    return [
        (End(tenant_id=tenant_id, first=first, before=before, last=last, hash=digest, tenants=tenants), proof)
        for tenant_id, first, before, last, digest, tenants, proof in found
    ]


def _write_ends(connection: apsw.Connection, ends: Iterable[End], notary: Notary) -> None:
    connection.executemany(inserting(AUDIT_END, UPDATING_END), pack_ends(ends, notary))
