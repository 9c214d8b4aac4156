"""Replays: what people and lanes read of them, and what lanes write."""

from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import apsw

from signalpost.domain.delivery.replay import Replay, ReplayTally
from signalpost.domain.event import Event
from signalpost.store.nouns.replay_store import ReplayStore
from signalpost.store.nouns.replays import Candidate
from signalpost.store.sqlite.codec import list_numbers, pack_uuid, unpack_uuid
from signalpost.store.sqlite.connect import rows, rows_of_many, write_many
from signalpost.store.sqlite.nouns import log
from signalpost.store.sqlite.nouns.log_queries import SqliteLogQueries
from signalpost.store.sqlite.readers import Readers, at_once, reading
from signalpost.store.sqlite.statements import ask
from signalpost.store.sqlite.states import FAILED, RUNNING, WAITING
from signalpost.store.sqlite.tables import PLAIN
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
_SELECT = f"SELECT {REPLAY.listed} FROM replay"  # noqa: S608


class SqliteReplays(ReplayStore):
    def __init__(self, readers: Readers) -> None:
        super().__init__(readers)
        self._readers = readers

    @reading
    def running(self, connection: apsw.Connection, tenant_id: int) -> list[Replay]:
        # Few run at a time, of all tenants; a subscription's replays that have ended are kept for long.
        statement = f"{_SELECT} INDEXED BY replay_running WHERE tenant_id = ? AND state = {RUNNING} ORDER BY number"
        return [REPLAY.unpack(columns, PLAIN) for columns in rows(connection, statement, (tenant_id,))]

    async def _asked(self, _tenant_id: int, asking: Callable[[ReplayQueries], Coroutine[Any, Any, T]]) -> T:
        return await self._readers.run(lambda connection: at_once(asking(SqliteReplayQueries(connection))))


# --- Replays as rows --------------------------------------------------------------------------------------------------


def write_progress(connection: apsw.Connection, fed: Iterable[Replay]) -> None:
    """Write how far lanes have come with their replays. A cancelled replay stays cancelled, and counts what was queued
    before."""
    write_many(
        connection,
        f"UPDATE replay SET cursor = ?, queued = ?, state = iif(state = {RUNNING}, ?, state),"  # noqa: S608
        " finished_at = coalesce(finished_at, ?) WHERE number = ?",
        [(replay.cursor, replay.queued, str(replay.state), replay.finished_at, replay.number) for replay in fed],
    )


def write_ended(connection: apsw.Connection, ended: Iterable[tuple[int, ReplayTally]]) -> None:
    """Count how deliveries ended, each with the number of its replay."""
    write_many(
        connection,
        "UPDATE replay SET delivered = delivered + ?, failed = failed + ?, skipped = skipped + ? WHERE number = ?",
        [(*how, number) for number, how in ended],
    )


def count_abandoned(
    connection: apsw.Connection, subscription_number: int, up_to: int, changed: Collection[int]
) -> None:
    """Count for their replays the waiting rows of a lane that are about to be given up, up to a sequence; its lane has
    counted those that it changes."""
    found = rows(
        connection,
        "SELECT replay, count(*) FROM delivery INDEXED BY delivery_state"  # noqa: S608
        f" WHERE subscription_number = ? AND state IN {WAITING} AND sequence <= ? AND replay IS NOT NULL"
        " AND sequence NOT IN (SELECT value FROM json_each(?)) GROUP BY replay",
        (subscription_number, up_to, list_numbers(changed)),
    )
    write_ended(connection, [(number, ReplayTally(failed=count)) for number, count in found])


def running_of(connection: apsw.Connection, numbers: Iterable[int]) -> dict[int, list[Replay]]:
    """The running replays of subscriptions, by their numbers, oldest first."""
    statement = (
        f"{_SELECT} INDEXED BY replay_running WHERE state = {RUNNING}"  # noqa: S608
        " AND subscription_number IN (SELECT value FROM json_each(?)) ORDER BY number"
    )
    found: dict[int, list[Replay]] = {}
    for columns in rows(connection, statement, (list_numbers(numbers),)):
        replay = REPLAY.unpack(columns, PLAIN)
        found.setdefault(replay.subscription_number, []).append(replay)
    return found


def running(connection: apsw.Connection, subscription_number: int) -> tuple[Replay, ...]:
    """The running replays of a subscription, oldest first."""
    statement = (
        f"{_SELECT} INDEXED BY replay_running WHERE subscription_number = ? AND state = {RUNNING} ORDER BY number"
    )
    return tuple(REPLAY.unpack(columns, PLAIN) for columns in rows(connection, statement, (subscription_number,)))


# --- What there is to replay ------------------------------------------------------------------------------------------

_IN_STATE = (
    # Left to itself SQLite walks all rows of the range, whatever their state.
    "FROM delivery d INDEXED BY delivery_state"
    " WHERE d.subscription_number = ? AND d.state = ? AND d.sequence BETWEEN ? AND ?"
    " ORDER BY d.sequence LIMIT ?"
)
_FAILED_OR_WITHOUT = (
    "FROM event e LEFT JOIN delivery d ON d.subscription_number = ? AND d.sequence = e.sequence"
    f" WHERE e.tenant_id = ? AND e.sequence BETWEEN ? AND ? AND e.type & ? AND coalesce(d.state, {FAILED}) = {FAILED}"
    " ORDER BY e.sequence LIMIT ?"
)
_ENTRIES = f"SELECT e.sequence, e.type, e.document_id, {DELIVERY_ROW} FROM event e"  # noqa: S608
_ITS_DELIVERY = "LEFT JOIN delivery d ON d.subscription_number = ? AND d.sequence = e.sequence"


class SqliteReplayQueries(SqliteLogQueries):
    async def lane_state(self, subscription_number: int) -> LaneState | None:
        found = ask(self._connection, LANE_STATE, subscription_number)
        return LaneState(*found[0]) if found else None

    async def in_state(self, stretch: Stretch, state: int, limit: int) -> list[Candidate]:
        statement = f"SELECT d.sequence, d.document_id, {DELIVERY_ROW} {_IN_STATE}"
        return [_candidate(*columns) for columns in self._in_state(statement, stretch, state, limit)]

    async def count_in_state(self, stretch: Stretch, state: int, limit: int) -> int:
        return int(self._in_state(f"SELECT count(*) FROM (SELECT 1 {_IN_STATE})", stretch, state, limit)[0][0])  # noqa: S608

    def _in_state(self, statement: str, stretch: Stretch, state: int, limit: int) -> list[Any]:
        bindings = (stretch.subscription_number, state, stretch.first, stretch.last, limit)
        return rows(self._connection, statement, bindings)

    async def count_of_types(self, stretch: Stretch, state: int, types: int, limit: int) -> int:
        statement = (
            f"SELECT count(*) FROM (SELECT d.sequence {_IN_STATE}) found"  # noqa: S608
            " JOIN event e ON e.tenant_id = ? AND e.sequence = found.sequence WHERE e.type & ?"
        )
        bindings = (stretch.subscription_number, state, stretch.first, stretch.last, limit, stretch.tenant_id, types)
        return int(rows(self._connection, statement, bindings)[0][0])

    async def failed_or_without(self, stretch: Stretch, types: int, limit: int) -> list[Candidate]:
        statement = f"SELECT e.sequence, e.document_id, {DELIVERY_ROW} {_FAILED_OR_WITHOUT}"
        return [_candidate(*columns) for columns in self._failed_or_without(statement, stretch, types, limit)]

    async def count_failed_or_without(self, stretch: Stretch, types: int, limit: int) -> int:
        statement = f"SELECT count(*) FROM (SELECT 1 {_FAILED_OR_WITHOUT})"  # noqa: S608
        return int(self._failed_or_without(statement, stretch, types, limit)[0][0])

    def _failed_or_without(self, statement: str, stretch: Stretch, types: int, limit: int) -> list[Any]:
        tenant_id, number, first, last = stretch
        return rows(self._connection, statement, (number, tenant_id, first, last, types, limit))

    async def count_events(self, stretch: Stretch, types: int) -> int:
        statement = (
            "SELECT count(*) FROM event INDEXED BY event_log"
            " WHERE tenant_id = ? AND sequence BETWEEN ? AND ? AND type & ?"
        )
        found = rows(self._connection, statement, (stretch.tenant_id, stretch.first, stretch.last, types))
        return int(found[0][0])

    async def of_document(self, stretch: Stretch, document_id: str, types: int, limit: int) -> list[Entry]:
        tenant_id, number, first, last = stretch
        statement = (
            f"{_ENTRIES} INDEXED BY event_document {_ITS_DELIVERY} WHERE e.tenant_id = ? AND e.document_id = ?"
            " AND e.sequence BETWEEN ? AND ? AND e.type & ? ORDER BY e.sequence LIMIT ?"
        )
        bindings = (number, tenant_id, pack_uuid(document_id), first, last, types, limit)
        return [_entry(*columns) for columns in rows(self._connection, statement, bindings)]

    async def sent(self, stretch: Stretch, sequences: Collection[int]) -> frozenset[int]:
        statement = (
            "SELECT ?3 WHERE EXISTS (SELECT 1 FROM attempt a"  # noqa: S608
            f" WHERE a.tenant_id = ?1 AND a.sequence = ?3 AND a.subscription_number = ?2 AND {REQUEST_MADE})"
        )
        asked = [(stretch.tenant_id, stretch.subscription_number, each) for each in sequences]
        return frozenset(sequence for (sequence,) in rows_of_many(self._connection, statement, asked))

    async def events(self, tenant_id: int, sequences: Sequence[int]) -> list[Event]:
        return log.events_at(self._connection, tenant_id, sequences)

    async def entries(self, stretch: Stretch, sequences: Collection[int]) -> list[Entry]:
        tenant_id, number, first, last = stretch
        statement = (
            f"{_ENTRIES} {_ITS_DELIVERY} WHERE e.tenant_id = ? AND e.sequence BETWEEN ? AND ?"  # noqa: S608
            " AND e.sequence IN (SELECT value FROM json_each(?)) ORDER BY e.sequence"
        )
        bindings = (number, tenant_id, first, last, list_numbers(sequences))
        return [_entry(*columns) for columns in rows(self._connection, statement, bindings)]


def _entry(sequence: int, event_type: int, document: bytes, *row: Any) -> Entry:
    _, document_id, kept = _candidate(sequence, document, *row)
    return Entry(sequence, event_type, document_id, kept)


def _candidate(sequence: int, document: bytes, *row: Any) -> Candidate:
    return candidate(sequence, unpack_uuid(document), *row)
