"""Replays: what people and lanes read of them, and what lanes write.

What a replay may feed: of what has a row the failed (or what awaits its retry, if that is asked for), and if `all` is
asked for, also what has none and was settled. So its range is cut into parts. In a gap, which no lane ever took in, and
where no type was wanted, only rows count, and these are found through their index. Elsewhere the log is looked through,
a bounded number of entries at a time.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import apsw

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.delivery.replay import LeftOut, Replay, ReplayState, What
from signalpost.domain.event import EventType
from signalpost.domain.subscription import Filters, Subscription, wanted
from signalpost.store.lanes import LaneFlush
from signalpost.store.packing import decode_gaps, unpack_sequences
from signalpost.store.replays import Candidate, Fed, ReplayPart
from signalpost.store.sqlite import log
from signalpost.store.sqlite.codec import pack_uuid, unpack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.readers import Readers, reading
from signalpost.store.sqlite.states import FAILED, RUNNING

MAX_FED = 256
"""How many deliveries a lane is given at a time."""
MAX_FEED_SCANNED = 10_000
"""How many entries of the log one transaction looks through, for all lanes that it records together."""
MAX_COUNTED = 100_000
ALL_TYPES = sum(EventType)

Gaps = Sequence[Sequence[int]]

_COLUMNS = (
    "number, id, tenant_id, subscription_number, what, from_at, to_at, from_sequence, to_sequence, count,"
    " count_is_capped, created_at, cursor, queued, state, finished_at"
)
_SELECT = f"SELECT {_COLUMNS} FROM replay"  # noqa: S608


class SqliteReplays:
    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    @reading
    def get(self, connection: apsw.Connection, subscription: Subscription, replay_id: str) -> Replay | None:
        statement = f"{_SELECT} WHERE id = ? AND subscription_number = ?"
        for columns in rows(connection, statement, (pack_uuid(replay_id), subscription.number)):
            return _unpack(columns)
        return None

    @reading
    def page(
        self, connection: apsw.Connection, subscription: Subscription, below: int | None, limit: int
    ) -> list[Replay]:
        statement = f"{_SELECT} WHERE subscription_number = ? AND number < ? ORDER BY number DESC LIMIT ?"
        found = rows(connection, statement, (subscription.number, below if below is not None else 2**62, limit))
        return [_unpack(columns) for columns in found]

    @reading
    def count(
        self, connection: apsw.Connection, subscription: Subscription, from_sequence: int, to_sequence: int, what: What
    ) -> tuple[int, bool]:
        number = subscription.number
        lane = rows(connection, "SELECT head, open, gaps FROM lane WHERE subscription_number = ?", (number,))
        head, packed, gaps = lane[0] if lane else (0, b"", b"[]")
        first = last = max(from_sequence, subscription.starts_after + 1)
        count, scan, capped = 0, MAX_COUNTED, False
        bindings: tuple[int, ...]
        for part in _parts(what, first, min(to_sequence, head), subscription.filters, decode_gaps(gaps)):
            limit = MAX_COUNTED + 1 - count
            if part.types:
                last = min(part.last, part.first + scan - 1)
                scan -= last - part.first + 1
                statement = f"SELECT count(*) FROM (SELECT 1 {_FAILED_OR_SETTLED})"  # noqa: S608
                bindings = (number, subscription.tenant_id, part.first, last, part.types, limit)
            else:
                last = part.last
                statement = f"SELECT count(*) FROM (SELECT 1 {_IN_STATE})"  # noqa: S608
                bindings = (number, _state_of(what), part.first, last, limit)
            count += rows(connection, statement, bindings)[0][0]
            capped = last < part.last or count > MAX_COUNTED
            if capped:
                break
        if what == "all":
            count -= sum(first <= sequence <= last for sequence in unpack_sequences(packed))
        return min(count, MAX_COUNTED), capped

    @reading
    def left_out(
        self,
        connection: apsw.Connection,
        subscription: Subscription,
        from_sequence: int,
        to_sequence: int,
        head: int,
        what: What,
    ) -> LeftOut:
        tenant_id, starts_after = subscription.tenant_id, subscription.starts_after
        floor = log.floor(connection, tenant_id)
        removed = max(0, floor - 1 - starts_after) if from_sequence <= floor else 0
        first = max(from_sequence, starts_after + 1)
        stretches = [*_stretches(first, to_sequence, subscription.filters)]
        unwanted = sum(_count(connection, tenant_id, part, ALL_TYPES & ~part.types) for part in stretches)
        unread = sum(
            _count(connection, tenant_id, part._replace(first=max(part.first, head + 1)), part.types)
            for part in stretches
        )
        return LeftOut(
            removed=removed,
            unwanted=max(0, min(to_sequence, starts_after) - from_sequence + 1) + unwanted,
            waiting=unread + _unsettled(connection, subscription, first, to_sequence, what),
        )


# --- Replays as rows --------------------------------------------------------------------------------------------------


def write(connection: apsw.Connection, changed: Iterable[Replay]) -> None:
    """Write the replays that commands started or cancelled. Only its lane writes how far a replay has come."""
    connection.executemany(
        f"INSERT INTO replay ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        " ON CONFLICT (number) DO UPDATE SET state = excluded.state, finished_at = excluded.finished_at",
        [_pack(replay) for replay in changed],
    )


def write_progress(connection: apsw.Connection, fed: Iterable[Replay]) -> None:
    """Write how far lanes have come with their replays. A cancelled replay stays cancelled, and counts what was queued
    before."""
    connection.executemany(
        f"UPDATE replay SET cursor = ?, queued = ?, state = iif(state = {RUNNING}, ?, state),"  # noqa: S608
        " finished_at = coalesce(finished_at, ?) WHERE number = ?",
        [(replay.cursor, replay.queued, str(replay.state), replay.finished_at, replay.number) for replay in fed],
    )


def running(connection: apsw.Connection, subscription_number: int) -> tuple[Replay, ...]:
    """The running replays of a subscription, oldest first."""
    statement = (
        f"{_SELECT} INDEXED BY replay_running WHERE subscription_number = ? AND state = {RUNNING} ORDER BY number"
    )
    return tuple(_unpack(columns) for columns in rows(connection, statement, (subscription_number,)))


def concerning(connection: apsw.Connection, subscription_number: int, ids: Collection[str]) -> list[Replay]:
    """The running replays of a subscription, and the others that have one of these ids."""
    found = [*running(connection, subscription_number)]
    for replay_id in ids:
        statement = f"{_SELECT} WHERE id = ? AND subscription_number = ? AND state <> {RUNNING}"
        found += map(_unpack, rows(connection, statement, (pack_uuid(replay_id), subscription_number)))
    return found


def _pack(replay: Replay) -> tuple[Any, ...]:
    return (
        replay.number, pack_uuid(replay.id), replay.tenant_id, replay.subscription_number, replay.what, replay.from_at,
        replay.to_at, replay.from_sequence, replay.to_sequence, replay.count, replay.count_is_capped, replay.created_at,
        replay.cursor, replay.queued, str(replay.state), replay.finished_at,
    )  # fmt: skip


def _unpack(columns: tuple[Any, ...]) -> Replay:
    values = dict(zip(Replay.__struct_fields__, columns, strict=True))
    values |= {
        "id": unpack_uuid(values["id"]),
        "count_is_capped": bool(values["count_is_capped"]),
        "state": ReplayState(values["state"]),
    }
    return Replay(**values)


# --- What there is to replay ------------------------------------------------------------------------------------------


class _Part(NamedTuple):
    """A stretch of a replay's range in which the same deliveries count."""

    first: int
    last: int
    types: int
    """An event of one of these types (as bits) that has no row was delivered; 0 if there are none."""


def _parts(what: What, first: int, last: int, filters: Filters, gaps: Gaps) -> Iterator[_Part]:
    if first > last:
        return
    if what != "all":
        yield _Part(first, last, 0)
        return
    edges = {after + 1 for after, _ in filters} | {edge for gap in gaps for edge in (gap[0], gap[1] + 1)}
    cuts = sorted({first, last + 1} | {edge for edge in edges if first < edge <= last})
    for start, following in pairwise(cuts):
        skipped = any(gap[0] <= start <= gap[1] for gap in gaps)
        yield _Part(start, following - 1, 0 if skipped else wanted(filters, start))


def _stretches(first: int, last: int, filters: Filters) -> Iterator[_Part]:
    """A range, cut where the types that the subscription wants changed."""
    cuts = sorted({first, last + 1} | {after + 1 for after, _ in filters if first <= after < last})
    for start, following in pairwise(cuts):
        yield _Part(start, following - 1, wanted(filters, start))


def _count(connection: apsw.Connection, tenant_id: int, part: _Part, types: int) -> int:
    """How many events of some types are in a part, of which only the first `MAX_COUNTED` entries are looked at."""
    last = min(part.last, part.first + MAX_COUNTED - 1)
    if not types or last < part.first:
        return 0
    statement = (
        "SELECT count(*) FROM event INDEXED BY event_log WHERE tenant_id = ? AND sequence BETWEEN ? AND ? AND type & ?"
    )
    return int(rows(connection, statement, (tenant_id, part.first, last, types))[0][0])


def _unsettled(connection: apsw.Connection, subscription: Subscription, first: int, last: int, what: What) -> int:
    """How many deliveries of a range were taken in and neither settled nor given up. Those that wait for a retry do not
    count where a replay sends just these."""
    number = subscription.number
    lane = rows(connection, "SELECT open FROM lane WHERE subscription_number = ?", (number,))
    opened = sum(first <= sequence <= last for sequence in unpack_sequences(lane[0][0])) if lane else 0
    states = [State.BLOCKED] if what == "waiting" else [State.BLOCKED, State.AWAITING_RETRY]
    statement = f"SELECT count(*) FROM (SELECT 1 {_IN_STATE})"  # noqa: S608
    found = [rows(connection, statement, (number, state, first, last, MAX_COUNTED))[0][0] for state in states]
    return opened + int(sum(found))


def _state_of(what: What) -> State:
    """The state of the exception rows that a replay is about."""
    return State.AWAITING_RETRY if what == "waiting" else State.FAILED


_IN_STATE = (
    # Left to itself SQLite walks all rows of the range, whatever their state.
    "FROM delivery d INDEXED BY delivery_state"
    " WHERE d.subscription_number = ? AND d.state = ? AND d.sequence BETWEEN ? AND ?"
    " ORDER BY d.sequence LIMIT ?"
)
_FAILED_OR_SETTLED = (
    "FROM event e LEFT JOIN delivery d ON d.subscription_number = ? AND d.sequence = e.sequence"
    f" WHERE e.tenant_id = ? AND e.sequence BETWEEN ? AND ? AND e.type & ? AND coalesce(d.state, {FAILED}) = {FAILED}"
    " ORDER BY e.sequence LIMIT ?"
)
_ROW = "d.state, d.due, d.charged, d.budget, d.run, d.resume_at"


def feed(connection: apsw.Connection, flushes: Sequence[LaneFlush]) -> dict[int, Fed]:
    """The next part of what each lane replays. Once MAX_FEED_SCANNED entries were looked through, the remaining lanes
    get nothing this time."""
    fed: dict[int, Fed] = {}
    scan = MAX_FEED_SCANNED
    for flush in flushes:
        if flush.feed is not None:
            fed[flush.subscription_number], scan = _feed(connection, flush, flush.feed, scan)
    return fed


def _feed(connection: apsw.Connection, flush: LaneFlush, asked: ReplayPart, scan: int) -> tuple[Fed, int]:
    """Returns what the lane gets, and how many entries may still be looked through."""
    number, cursor = flush.subscription_number, asked.replay.cursor
    candidates: list[Candidate] = []
    for part in _parts(asked.replay.what, cursor + 1, asked.up_to, asked.filters, flush.gaps):
        limit = min(MAX_FED - len(candidates), scan)
        if limit <= 0:
            break
        if part.types:
            last = min(part.last, part.first + scan - 1)
            statement = f"SELECT e.sequence, e.document_id, {_ROW} {_FAILED_OR_SETTLED}"
            found = rows(connection, statement, (number, flush.tenant_id, part.first, last, part.types, limit))
        else:
            last = part.last
            statement = f"SELECT d.sequence, d.document_id, {_ROW} {_IN_STATE}"
            found = rows(connection, statement, (number, _state_of(asked.replay.what), part.first, last, limit))
        cursor = found[-1][0] if len(found) == limit else last
        scan -= cursor - part.first + 1 if part.types else len(found)
        candidates += [_candidate(*columns) for columns in found if columns[0] not in flush.open]
        if cursor < part.last:
            break
    return Fed(tuple(candidates), cursor), scan


def _candidate(sequence: int, document: bytes, state: int | None, *rest: Any) -> Candidate:
    document_id = unpack_uuid(document)
    row = None if state is None else Row(sequence, document_id, State(state), *rest)
    return Candidate(sequence, document_id, row)
