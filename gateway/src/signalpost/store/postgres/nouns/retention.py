"""What is removed once it is old enough.

A tenant's floor moves first: whatever is below is found by no query any more. Events and attempts are then removed a
day at a time, with the partition that has them, once all that any tenant has there is below its floor. Where one tenant
keeps its events for longer than others, theirs go row by row.
"""

from typing import Any, Final

from signalpost.commands.batch import IDEMPOTENCY_KEPT, SECRETS_KEPT
from signalpost.domain.delivery.delivery import State
from signalpost.domain.event import EventType
from signalpost.store.nouns.retention import (
    ANNOUNCE,
    DELETED_SUBSCRIPTIONS,
    ENDS,
    MOVE_FLOOR,
    REMOVE_REPLAYS,
    REMOVE_RETRIES,
)
from signalpost.store.packing.sequences import unpack_sequences
from signalpost.store.postgres import partition_pruning
from signalpost.store.postgres.asking import ask, ask_one, steps_of
from signalpost.store.postgres.errors import NotOwner
from signalpost.store.postgres.partitions import Partitions
from signalpost.store.postgres.sessions import ReadSessions, Writers
from signalpost.store.statements import EVERY_TENANT, Statement

_ANY: Final = f"({State.AWAITING_RETRY:d}, {State.BLOCKED:d}, {State.FAILED:d})"
_WAITING: Final = f"({State.AWAITING_RETRY:d}, {State.BLOCKED:d})"
_LANES: Final = "SELECT head, open FROM lane WHERE tenant_id = $1"
_IS_WAITING: Final = f"SELECT 1 FROM delivery WHERE tenant_id = $1 AND state IN {_WAITING} AND sequence < $2 LIMIT 1"
_STEPS: Final = (
    "DELETE FROM step s USING event e WHERE e.tenant_id = $1 AND e.sequence >= $2 AND e.sequence < $3"
    f" AND e.type = {EventType.DELETED:d}"
    " AND s.tenant_id = e.tenant_id AND s.document_id = e.document_id AND s.sequence <= e.sequence"
)
"""The steps of documents that were deleted by one of these events."""
_MADE: Final = (
    "DELETE FROM made m USING event e, document d WHERE e.tenant_id = $1 AND e.sequence >= $2 AND e.sequence < $3"
    f" AND e.type = {EventType.DELETED:d} AND m.tenant_id = e.tenant_id AND m.document_id = e.document_id"
    " AND d.tenant_id = e.tenant_id AND d.external_id = e.document_id AND d.deleted_at IS NOT NULL"
)
"""What was made for documents that were deleted by one of these events, and are not there again."""
_LOCK_LANES: Final = (
    "SELECT FROM lane WHERE subscription_number IN (SELECT subscription_number FROM delivery"
    f" WHERE tenant_id = $1 AND state IN {_ANY} AND sequence < $2) ORDER BY subscription_number FOR NO KEY UPDATE"
)
_ROWS: Final = f"""
WITH gone AS (
    DELETE FROM delivery WHERE tenant_id = $1 AND state IN {_ANY} AND sequence < $2
    RETURNING subscription_number, state
), counted AS (
    SELECT
        subscription_number,
        count(*) FILTER (WHERE state = {State.AWAITING_RETRY:d}) AS awaiting_retry,
        count(*) FILTER (WHERE state = {State.BLOCKED:d}) AS blocked,
        count(*) FILTER (WHERE state = {State.FAILED:d}) AS failed
    FROM gone GROUP BY subscription_number
)
UPDATE lane l SET
    awaiting_retry = l.awaiting_retry - c.awaiting_retry,
    blocked = l.blocked - c.blocked,
    failed = l.failed - c.failed
FROM counted c WHERE l.subscription_number = c.subscription_number
"""
"""Removes exception rows below a sequence, of lanes that are locked, and subtracts them from the counts."""
_REPLAYS: Final = (
    "DELETE FROM replay WHERE number IN"
    " (SELECT number FROM replay WHERE tenant_id = $1 AND finished_at < $2 LIMIT $3) RETURNING 1"
)
_SECRETS: Final = (
    "UPDATE idempotency SET answer = without_secrets, without_secrets = NULL"
    " WHERE (tenant_id, api_key_id, key, expires_at) IN (SELECT tenant_id, api_key_id, key, expires_at"
    " FROM idempotency WHERE without_secrets IS NOT NULL AND expires_at <= $1 LIMIT $2) RETURNING 1"
)
"""Puts answers without secrets in the place of those that have shown theirs long enough."""
_CONNECTIONS: Final = (
    "DELETE FROM connection WHERE number IN (SELECT number FROM connection WHERE deleted_at IS NOT NULL LIMIT $1)"
    " RETURNING 1"
)
_DELIVERIES_LEFT: Final = (
    "DELETE FROM delivery WHERE (subscription_number, sequence) IN"
    " (SELECT subscription_number, sequence FROM delivery WHERE subscription_number = $1 LIMIT $2) RETURNING 1"
)
_MADE_LEFT: Final = (
    "DELETE FROM made WHERE (subscription_number, document_id) IN"
    " (SELECT subscription_number, document_id FROM made WHERE subscription_number = $1 LIMIT $2) RETURNING 1"
)


class PostgresRetention:
    def __init__(self, readers: ReadSessions, writers: Writers, partitions: Partitions) -> None:
        self._readers = readers
        self._writers = writers
        self._partitions = partitions

    async def announce_floor(self, tenant_id: int, floor: int) -> None:
        await self._writers.rows(tenant_id, ANNOUNCE, tenant_id, floor)

    async def is_awaited(self, tenant_id: int, floor: int) -> bool:
        return await self._readers.run(tenant_id, steps_of(_is_awaited(tenant_id, floor)))

    async def prune_log(self, tenant_id: int, floor: int, limit: int) -> int:
        return await self._writers.run(tenant_id, steps_of(prune_log(tenant_id, floor, limit)))

    async def prune_replays(self, tenant_id: int, kept_since: int, limit: int) -> int:
        return len(await self._writers.rows(tenant_id, _REPLAYS, tenant_id, kept_since, limit))

    async def prepare(self, now: int, days: int) -> bool:
        try:
            await self._partitions.provide_ahead(now, days)
        except NotOwner:
            return False
        return True

    async def prune_leftovers(self, now: int, limit: int) -> int:
        removed = await self._writers.run(EVERY_TENANT, steps_of(_prune_leftovers(now, limit)))
        return removed + await partition_pruning.prune(self._writers, now, limit)


async def _is_awaited(tenant_id: int, floor: int) -> bool:
    [(_, last)] = await ask_one(ENDS, tenant_id)
    end = min(floor, last + 1)
    lanes, waiting = await ask(Statement(_LANES, (tenant_id,)), Statement(_IS_WAITING, (tenant_id, end)))
    return bool(waiting) or any(head < end - 1 or _is_open_below(packed, end) for head, packed in lanes)


def _is_open_below(packed: bytes, end: int) -> bool:
    return any(sequence < end for sequence in unpack_sequences(packed)[:1])


async def prune_log(tenant_id: int, floor: int, limit: int) -> int:
    """Move the floor past the oldest events below `floor`, at most `limit` of them, and remove their exception rows.
    A document's steps, and what was made for it, go with the event of its deletion."""
    [(oldest, last)] = await ask_one(f"{ENDS} FOR NO KEY UPDATE", tenant_id)
    end = min(floor, oldest + limit, last + 1)
    if end <= oldest:
        return 0
    await ask(
        Statement(_STEPS, (tenant_id, oldest, end)),
        Statement(_MADE, (tenant_id, oldest, end)),
        Statement(MOVE_FLOOR, (tenant_id, end)),
        Statement(_LOCK_LANES, (tenant_id, end)),
        Statement(_ROWS, (tenant_id, end)),
    )
    return int(end - oldest)


async def _prune_leftovers(now: int, limit: int) -> int:
    """Remove secrets in answers that are older than an hour and what deleted subscriptions and connections left."""
    shown, connections, deleted = await ask(
        Statement(_SECRETS, (now + IDEMPOTENCY_KEPT - SECRETS_KEPT, limit)),
        Statement(_CONNECTIONS, (limit,)),
        Statement(DELETED_SUBSCRIPTIONS),
    )
    removed = len(shown) + len(connections)
    for (number,) in deleted:
        removed += await remove_of_subscription(number, limit)
        if removed >= limit:
            break
    return removed


async def remove_of_subscription(number: int, limit: int) -> int:
    """Remove at most `limit` rows of each kind that a deleted subscription left, and last of all its own."""
    left = sum(map(len, await ask(*(_of(each, number, limit) for each in (_DELIVERIES_LEFT, _MADE_LEFT)))))
    if left:
        return left
    *_, itself = await ask(
        Statement(REMOVE_RETRIES, (number,)),
        Statement(REMOVE_REPLAYS, (number,)),
        Statement("DELETE FROM subscription WHERE number = $1 RETURNING 1", (number,)),
    )
    return len(itself)


def _of(sql: str, *parameters: Any) -> Statement:
    return Statement(sql, parameters)
