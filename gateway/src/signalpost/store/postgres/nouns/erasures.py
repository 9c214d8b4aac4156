"""Erasures: asked for, carried out part by part, finished.

A part removes rows, or empties those that have to stay: an event's shell, an API key's row that the history of others
refers to. PostgreSQL keeps removed rows until it vacuums them, which `finish` has it do. What a page had of them may
stay in its unused part until something else is written there, and in the WAL and in backups for as long as these are
kept.
"""

from collections.abc import Sequence
from typing import Final

from signalpost.commands.command import VersionKey
from signalpost.domain.erasure import ERASED, MAX_SHELL_BYTES, Erasure, shell
from signalpost.runtime.logger import log
from signalpost.store.nouns import erasures
from signalpost.store.nouns.erasures import ErasureStore
from signalpost.store.postgres.asking import ask, ask_one, steps_of
from signalpost.store.postgres.columns import blobs, numbers
from signalpost.store.postgres.errors import NotOwner
from signalpost.store.postgres.nouns.retention import remove_of_subscription
from signalpost.store.postgres.nouns.versions import FORGET, version_keys
from signalpost.store.postgres.sessions import ReadSessions, Writers
from signalpost.store.statements import EVERY_TENANT, Statement
from signalpost.store.tables.connections import CONNECTION
from signalpost.store.tables.log import EVENT

_FORGET_SIZES: Final = (
    # Where a restored backup has the document still, its files count in what the tenant uses.
    "UPDATE tenant t SET file_bytes = t.file_bytes - c.size FROM (SELECT v.tenant_id, sum(v.size)::bigint AS size"
    " FROM unnest($1, $2, $3) AS k (tenant_id, document_id, number) JOIN version v ON v.tenant_id = k.tenant_id"
    " AND v.document_id = k.document_id AND v.number = k.number"
    " WHERE v.deleted_at IS NULL AND v.published_as IS NULL GROUP BY v.tenant_id) c WHERE t.id = c.tenant_id"
)
HANDLED_HERE: Final = frozenset({"lane", "made", "retry"})
"""Tables with a tenant here alone whose rows go in another way."""
_EMPTY_DOCUMENT: Final = (
    # Where a backup was restored that has the document still, it goes without an event.
    "WITH live AS (SELECT tenant_id, count(*) AS documents FROM document WHERE tenant_id = $1"
    " AND external_id = $2::uuid AND updated_at <= $3 AND deleted_at IS NULL GROUP BY tenant_id),"
    " counted AS (UPDATE tenant t SET documents = t.documents - live.documents FROM live WHERE t.id = live.tenant_id)"
    " UPDATE document SET deleted_at = coalesce(deleted_at, $3), type = NULL, status = NULL, reference_id = NULL,"
    " title_key = NULL, owner_email = NULL, body = '', workflow = NULL, expires_at = NULL"
    " WHERE tenant_id = $1 AND external_id = $2::uuid AND updated_at <= $3 AND octet_length(body) > 0 RETURNING 1"
)
_STEPS: Final = (
    "DELETE FROM step WHERE number IN (SELECT number FROM step"
    " WHERE tenant_id = $1 AND document_id = $2::uuid AND sequence <= $3 LIMIT $4) RETURNING 1"
)
_MADE: Final = "DELETE FROM made WHERE tenant_id = $1 AND document_id = $2::uuid RETURNING 1"
_FULL_EVENTS: Final = (
    "SELECT sequence, at, id, type FROM event WHERE tenant_id = $1 AND document_id = $2::uuid AND sequence <= $3"
    f" AND octet_length(body) > {MAX_SHELL_BYTES} LIMIT $4"
)
_EMPTY_EVENTS: Final = (
    "UPDATE event e SET body = k.body, before = NULL FROM unnest($2, $3, $4) AS k (sequence, at, body)"
    " WHERE e.tenant_id = $1 AND e.sequence = k.sequence AND e.at = k.at"
)
_EMPTY_ATTEMPTS: Final = (
    "UPDATE attempt SET detail = '', answer = '', exchange = '' WHERE tenant_id = $1 AND sequence = ANY($2)"
)
_EMPTY_LATE_ATTEMPTS: Final = (
    "UPDATE attempt SET detail = '', answer = '', exchange = '' WHERE tenant_id = $1 AND sequence = ANY(ARRAY("
    "SELECT sequence FROM event WHERE tenant_id = $1 AND document_id = $2::uuid AND sequence <= $3))"
    " AND ((detail <> '' AND detail NOT LIKE '%' || $4) OR octet_length(answer) > 0 OR octet_length(exchange) > 0)"
    " RETURNING 1"
)
"""Empties attempts that were recorded after their events were emptied."""


class PostgresErasures(ErasureStore):
    def __init__(self, readers: ReadSessions, writers: Writers) -> None:
        super().__init__(readers, writers)
        self._writers = writers

    async def forget_files(self, erasure: Erasure, keys: Sequence[VersionKey]) -> None:
        if not keys:
            return
        named = version_keys(keys)
        statements = [Statement(_FORGET_SIZES, named), Statement(FORGET, named), erasures.counting(erasure, len(keys))]
        await self._writers.all(EVERY_TENANT, statements)

    async def erase_part(self, erasure: Erasure, limit: int) -> int:
        return await self._writers.run(EVERY_TENANT, steps_of(_erase_part(erasure, limit)))

    async def finish(self, erasure: Erasure, at: int) -> None:
        try:
            await self._writers.apart(
                "VACUUM document, document_text, event, attempt, step, made, subscription, connection, idempotency"
            )
        except NotOwner:
            log.warning("rows that an erasure removed stay on the database's disk until its autovacuum comes by")
        await self._writers.all(EVERY_TENANT, [erasures.finishing(erasure, at)])


# --- Parts ------------------------------------------------------------------------------------------------------------


async def _erase_part(erasure: Erasure, limit: int) -> int:
    erase = _erase_of_tenant if erasure.document_id is None else _erase_of_document
    removed = await erase(erasure, limit)
    await ask(erasures.counting(erasure, removed))
    return removed


async def _erase_of_tenant(erasure: Erasure, limit: int) -> int:
    tenant_id = erasure.tenant_id
    _, subscriptions = await ask(
        Statement("UPDATE tenant SET floor = last_sequence + 1 WHERE id = $1 AND floor <= last_sequence", (tenant_id,)),
        erasures.subscriptions_of(tenant_id),
    )
    for (number,) in subscriptions:
        if removed := await remove_of_subscription(number, limit):
            return removed
    for table in (EVENT, *erasures.ROWS_OF_TENANT, CONNECTION):
        [gone] = await ask(erasures.removing(table, tenant_id, limit))
        if gone:
            return len(gone)
    return 0


async def _erase_of_document(erasure: Erasure, limit: int) -> int:
    tenant_id, document_id = erasure.tenant_id, erasure.document_id
    emptied, steps, made, events = await ask(
        Statement(_EMPTY_DOCUMENT, (tenant_id, document_id, erasure.asked_at)),
        Statement(_STEPS, (tenant_id, document_id, erasure.to_sequence, limit)),
        Statement(_MADE, (tenant_id, document_id)),
        Statement(_FULL_EVENTS, (tenant_id, document_id, erasure.to_sequence, limit)),
    )
    if events:
        sequences = numbers(sequence for sequence, *_ in events)
        shells = blobs(shell(kind, at, identity) for _, at, identity, kind in events)
        await ask(
            Statement(_EMPTY_EVENTS, (tenant_id, sequences, numbers(at for _, at, *_ in events), shells)),
            Statement(_EMPTY_ATTEMPTS, (tenant_id, sequences)),
        )
    removed = len(emptied) + len(steps) + len(made) + len(events)
    return removed or len(await ask_one(_EMPTY_LATE_ATTEMPTS, tenant_id, document_id, erasure.to_sequence, ERASED))
