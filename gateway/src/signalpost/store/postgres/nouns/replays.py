"""Replays: what people read of them, and what there is to replay."""

from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any, Final, TypeVar

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.event import Event
from signalpost.store.nouns.replay_store import ReplayStore
from signalpost.store.nouns.replays import Candidate
from signalpost.store.postgres.asking import ask_one, steps_of
from signalpost.store.postgres.columns import numbers
from signalpost.store.postgres.nouns.log import events_at
from signalpost.store.postgres.nouns.log_queries import PostgresLogQueries
from signalpost.store.postgres.sessions import ReadSessions
from signalpost.store.postgres.tables import PLAIN
from signalpost.store.tables.replays import REPLAY
from signalpost.store.walks.replay_queries import (
    DELIVERY_ROW,
    LANE_STATE,
    REQUEST_MADE,
    Entry,
    LaneState,
    ReplayQueries,
    Stretch,
    candidate,
)

T = TypeVar("T")
_RUNNING: Final = f"SELECT {REPLAY.listed} FROM replay WHERE tenant_id = $1 AND state = 'running' ORDER BY number"
_IN_STATE: Final = (
    "FROM delivery d WHERE d.subscription_number = $1 AND d.state = $2 AND d.sequence BETWEEN $3 AND $4"
    " ORDER BY d.sequence LIMIT $5"
)
_FAILED_OR_WITHOUT: Final = (
    "FROM event e LEFT JOIN delivery d ON d.subscription_number = $2 AND d.sequence = e.sequence"
    " WHERE e.tenant_id = $1 AND e.sequence BETWEEN $3 AND $4"
    " AND e.sequence >= (SELECT floor FROM tenant WHERE id = $1)"
    f" AND e.type & $5 <> 0 AND coalesce(d.state, {State.FAILED:d}) = {State.FAILED:d}"
    " ORDER BY e.sequence LIMIT $6"
)
_COUNT_OF_TYPES: Final = (
    f"SELECT count(*) FROM (SELECT d.sequence {_IN_STATE}) found"
    " CROSS JOIN LATERAL (SELECT type FROM event WHERE tenant_id = $6 AND sequence = found.sequence OFFSET 0) e"
    " WHERE e.type & $7 <> 0"
)
_ENTRIES: Final = (
    f"SELECT e.sequence, e.type, e.document_id, {DELIVERY_ROW} FROM event e"
    " LEFT JOIN delivery d ON d.subscription_number = $2 AND d.sequence = e.sequence"
    " WHERE e.tenant_id = $1 AND e.sequence BETWEEN $3 AND $4"
    " AND e.sequence >= (SELECT floor FROM tenant WHERE id = $1)"
)
_OF_DOCUMENT: Final = f"{_ENTRIES} AND e.document_id = $5::uuid AND e.type & $6 <> 0 ORDER BY e.sequence LIMIT $7"
_ENTRIES_AT: Final = f"{_ENTRIES} AND e.sequence = ANY($5) ORDER BY e.sequence"
_SENT: Final = (
    "SELECT k.sequence FROM unnest($3) AS k (sequence) WHERE EXISTS (SELECT FROM attempt a"
    f" WHERE a.tenant_id = $1 AND a.sequence = k.sequence AND a.subscription_number = $2 AND {REQUEST_MADE})"
)
_COUNT_EVENTS: Final = (
    "SELECT count(*) FROM event WHERE tenant_id = $1 AND sequence BETWEEN $2 AND $3"
    " AND sequence >= (SELECT floor FROM tenant WHERE id = $1) AND type & $4 <> 0"
)


class PostgresReplays(ReplayStore):
    def __init__(self, readers: ReadSessions) -> None:
        super().__init__(readers)
        self._readers = readers
        self._queries = PostgresReplayQueries()

    async def running(self, tenant_id: int) -> list[Replay]:
        found = await self._readers.rows(tenant_id, _RUNNING, tenant_id)
        return [REPLAY.unpack(columns, PLAIN) for columns in found]

    async def _asked(self, tenant_id: int, asking: Callable[[ReplayQueries], Coroutine[Any, Any, T]]) -> T:
        return await self._readers.run(tenant_id, steps_of(asking(self._queries)))


class PostgresReplayQueries(PostgresLogQueries):
    async def lane_state(self, subscription_number: int) -> LaneState | None:
        found = await ask_one(LANE_STATE, subscription_number)
        return LaneState(*found[0]) if found else None

    async def in_state(self, stretch: Stretch, state: int, limit: int) -> list[Candidate]:
        statement = f"SELECT d.sequence, d.document_id, {DELIVERY_ROW} {_IN_STATE}"
        found = await ask_one(statement, stretch.subscription_number, state, stretch.first, stretch.last, limit)
        return [candidate(*columns) for columns in found]

    async def count_in_state(self, stretch: Stretch, state: int, limit: int) -> int:
        statement = f"SELECT count(*) FROM (SELECT 1 {_IN_STATE}) found"
        [(count,)] = await ask_one(statement, stretch.subscription_number, state, stretch.first, stretch.last, limit)
        return int(count)

    async def count_of_types(self, stretch: Stretch, state: int, types: int, limit: int) -> int:
        tenant_id, number, first, last = stretch
        [(count,)] = await ask_one(_COUNT_OF_TYPES, number, state, first, last, limit, tenant_id, types)
        return int(count)

    async def failed_or_without(self, stretch: Stretch, types: int, limit: int) -> list[Candidate]:
        found = await ask_one(
            f"SELECT e.sequence, e.document_id, {DELIVERY_ROW} {_FAILED_OR_WITHOUT}", *stretch, types, limit
        )
        return [candidate(*columns) for columns in found]

    async def count_failed_or_without(self, stretch: Stretch, types: int, limit: int) -> int:
        statement = f"SELECT count(*) FROM (SELECT 1 {_FAILED_OR_WITHOUT}) found"
        [(count,)] = await ask_one(statement, *stretch, types, limit)
        return int(count)

    async def count_events(self, stretch: Stretch, types: int) -> int:
        [(count,)] = await ask_one(_COUNT_EVENTS, stretch.tenant_id, stretch.first, stretch.last, types)
        return int(count)

    async def of_document(self, stretch: Stretch, document_id: str, types: int, limit: int) -> list[Entry]:
        found = await ask_one(_OF_DOCUMENT, *stretch, document_id, types, limit)
        return [_entry(*columns) for columns in found]

    async def sent(self, stretch: Stretch, sequences: Collection[int]) -> frozenset[int]:
        found = await ask_one(_SENT, stretch.tenant_id, stretch.subscription_number, numbers(sequences))
        return frozenset(sequence for (sequence,) in found)

    async def events(self, tenant_id: int, sequences: Sequence[int]) -> list[Event]:
        return await events_at(tenant_id, sequences)

    async def entries(self, stretch: Stretch, sequences: Collection[int]) -> list[Entry]:
        found = await ask_one(_ENTRIES_AT, *stretch, numbers(sequences))
        return [_entry(*columns) for columns in found]


def _entry(sequence: int, event_type: int, document_id: str, *row: Any) -> Entry:
    return Entry(sequence, event_type, document_id, candidate(sequence, document_id, *row).row)
