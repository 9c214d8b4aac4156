"""The audit, as it is read, verified, and removed from its beginning."""

import asyncio
from collections.abc import Sequence
from typing import Final

import psycopg

from signalpost.domain.audit import WHOLE, AuditEntry, End, EntryDraft, Notary, Verification, still_has
from signalpost.domain.timestamps import DAY
from signalpost.store.nouns.audit import AuditFilter, AuditMark, AuditPart, VerifiedAudit
from signalpost.store.postgres.asking import ask, ask_one, steps_of
from signalpost.store.postgres.nouns.audit_chain import LOCK, append, write_ends
from signalpost.store.postgres.sessions import UNBOUNDED, ReadSessions, Steps, Writers
from signalpost.store.statements import EVERY_TENANT, Row, Statement
from signalpost.store.store import PAGE_BYTES
from signalpost.store.tables.audit import (
    ACCESS,
    ALL_ENDS,
    ENDS,
    MARK,
    OLDEST,
    PROOF,
    REMOVE_UP_TO,
    begun_behind,
    older,
    unpack_ends,
)

_COLUMNS: Final = ", ".join(AuditEntry._fields)
_AT_ONCE: Final = 2_000
"""How many entries a verification reads in one trip."""
_PAGE: Final = (
    f"SELECT {_COLUMNS} FROM (SELECT found.*, sum(octet_length(content)) OVER (ORDER BY number {{0}})"
    " - octet_length(content) AS bytes_before FROM (SELECT * FROM audit WHERE tenant_id = $1 AND number > $2"
    " AND number < $3{1} ORDER BY number {0} LIMIT $4) found) counted"
    f" WHERE bytes_before < {PAGE_BYTES} ORDER BY number {{0}}"
)
_ENTRIES: Final = f"SELECT {_COLUMNS} FROM audit WHERE position > $1 ORDER BY position LIMIT {_AT_ONCE}"
_KEPT_DAYS: Final = "SELECT audit_kept_days()"
_KEEP: Final = (
    "CREATE OR REPLACE FUNCTION audit_kept_days() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT {}::bigint'"
)
_REMOVABLE: Final = Statement(
    f"SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - audit_kept_days() * {DAY}"
)
"""Before when an entry must have been made so that the database lets anybody remove it."""


class PostgresAudit:
    def __init__(self, readers: ReadSessions, writers: Writers, notary: Notary) -> None:
        self._readers = readers
        self._writers = writers
        self._notary = notary
        self._verifying = asyncio.Lock()
        """Held while one goes through all entries, so that other readers are left for everybody else."""

    async def page(self, tenant_id: int, wanted: AuditFilter, above: int, limit: int) -> AuditPart:
        return await self._page("ASC", tenant_id, wanted, above, 2**62, limit)

    async def newest(self, tenant_id: int, wanted: AuditFilter, above: int, below: int, limit: int) -> AuditPart:
        return await self._page("DESC", tenant_id, wanted, above, below, limit)

    async def _page(
        self, order: str, tenant_id: int, wanted: AuditFilter, above: int, below: int, limit: int
    ) -> AuditPart:
        given = {column: value for column, value in wanted._asdict().items() if value is not None}
        conditions = "".join(f" AND {column} = ${place}" for place, column in enumerate(given, 5))
        statement = _PAGE.format(order, conditions)
        found = await self._readers.rows(tenant_id, statement, tenant_id, above, below, limit, *given.values())
        entries = [*map(_entry, found)]
        is_cut = sum(len(entry.content) for entry in entries) >= PAGE_BYTES
        return AuditPart(entries, not is_cut and len(entries) < limit)

    async def mark(self, tenant_id: int) -> AuditMark | None:
        found = await self._readers.rows(tenant_id, MARK, tenant_id)
        return AuditMark(*found[0]) if found else None

    async def sealed_end(self) -> str:
        ends = unpack_ends(await self._readers.rows(EVERY_TENANT, ENDS, [WHOLE]))
        return self._notary.seal(ends[0][0] if ends else End(tenant_id=WHOLE))

    async def has(self, sealed_end: str) -> bool:
        if (opened := self._notary.opened(sealed_end)) is None:
            return False
        asked = [Statement(ENDS, ([WHOLE],)), Statement(PROOF, (opened[0],))]
        found, proofs = await self._readers.all(EVERY_TENANT, asked)
        ends = unpack_ends(found)
        return still_has(opened, ends[0][0] if ends else None, proofs[0][0] if proofs else None)

    async def verify(self) -> VerifiedAudit:
        async with self._verifying:
            return await self._readers.run(EVERY_TENANT, steps_of(verify(self._notary)), UNBOUNDED)

    async def add(self, drafts: list[EntryDraft]) -> tuple[AuditEntry, ...]:
        return await self._writers.run(EVERY_TENANT, _add(drafts, self._notary))

    async def keep(self, days: int) -> int:
        [(kept,)] = await self._readers.rows(EVERY_TENANT, _KEPT_DAYS)
        if kept == days:
            return days
        try:
            await self._writers.rows(EVERY_TENANT, _KEEP.format(days))
        except psycopg.errors.InsufficientPrivilege:
            return int(kept)
        return days

    async def prune(self, before: int, limit: int) -> int:
        return await self._writers.run(EVERY_TENANT, steps_of(_prune(before, limit, self._notary)))


async def verify(notary: Notary | None) -> VerifiedAudit:
    """Go through all entries, as of one moment; without a notary by their hashes alone."""
    ends = unpack_ends(await ask_one(ALL_ENDS))
    verification = Verification({end.tenant_id: (end, proof) for end, proof in ends}, notary)
    position = -1
    while found := await ask_one(_ENTRIES, position):
        verification.see(map(_entry, found))
        position = found[-1][0]
    verification.finish()
    for statement in ACCESS:
        verification.see_access(await ask_one(statement))
    return VerifiedAudit(verification.entries, verification.fault)


def _add(drafts: Sequence[EntryDraft], notary: Notary) -> Steps[tuple[AuditEntry, ...]]:
    entries, writes = yield from append(drafts, notary)
    if writes:
        yield writes
    return entries


async def _prune(before: int, limit: int, notary: Notary) -> int:
    """See `AuditStore.prune`."""
    _, [(removable,)], oldest = await ask(LOCK, _REMOVABLE, Statement(OLDEST, (limit,)))
    removed = older(oldest, min(before, removable))
    if not removed:
        return 0
    found = await ask_one(ENDS, [WHOLE, *{row[1] for row in removed}])
    await ask(Statement(REMOVE_UP_TO, (removed[-1][0],)), *write_ends(begun_behind(removed, found), notary))
    return len(removed)


def _entry(columns: Row) -> AuditEntry:
    return AuditEntry(*columns)
