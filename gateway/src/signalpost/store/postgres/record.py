"""How lanes are recorded on PostgreSQL. A write applies only to a lane that the node still owns, at the version that it
knew, and moves it on by one. A node that claims a lane moves it on too, so an owner that was replaced writes nothing.
The version alone would not do where the database went back: it may rise there to what a node remembers. But by then
that node has another number.

A record is a transaction of two trips: the first locks the lanes that are unmoved, in the order of their numbers, and
reads what their counts follow from; the second writes and commits. What lanes ask for with it is read after that, since
no one but their owner changes it, and the owner waits for this.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import astuple
from psycopg.errors import UniqueViolation

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import Row as ExceptionRow
from signalpost.domain.delivery.exception_row import RowCounts
from signalpost.domain.delivery.replay import Replay
from signalpost.store import row_changes
from signalpost.store.nouns.lanes import LaneFlush, LaneFlushed
from signalpost.store.packing.sequences import pack_sequences
from signalpost.store.postgres import tables
from signalpost.store.postgres.asking import ask, steps_of
from signalpost.store.postgres.columns import blobs, numbers, texts, uuids
from signalpost.store.postgres.committers import CommitConnection, Committers
from signalpost.store.postgres.exception_rows import first_due, unpack_row, up_to_horizon
from signalpost.store.postgres.nouns.replays import PostgresReplayQueries
from signalpost.store.postgres.partitions import Partitions
from signalpost.store.postgres.sessions import ReadSessions
from signalpost.store.row_changes import ROW_COUNT_COLUMNS
from signalpost.store.statements import EVERY_TENANT, Statement
from signalpost.store.tables.deliveries import EXCEPTION_ROW
from signalpost.store.tables.table import updating
from signalpost.store.walks import replaying

_encode = msgspec.json.Encoder().encode
_WAITING: Final = f"({State.AWAITING_RETRY:d}, {State.BLOCKED:d})"
_LOCK: Final = (
    f"SELECT l.subscription_number, {ROW_COUNT_COLUMNS} FROM lane l JOIN unnest($1, $2) AS k (number, version)"
    " ON l.subscription_number = k.number AND l.version = k.version WHERE l.owner IS NOT DISTINCT FROM $3"
    " ORDER BY 1 FOR NO KEY UPDATE OF l"
)
_ABANDONED: Final = (
    "SELECT k.number, d.state, count(*) FROM unnest($1, $2) AS k (number, up_to) JOIN delivery d"
    f" ON d.subscription_number = k.number AND d.state IN {_WAITING} AND d.sequence <= k.up_to GROUP BY 1, 2"
)
_FORMER: Final = (
    "SELECT d.subscription_number, d.sequence, d.state FROM unnest($1, $2) AS k (number, sequence) JOIN delivery d"
    " ON d.subscription_number = k.number AND d.sequence = k.sequence"
)
_MOVE_ON: Final = (
    "UPDATE lane l SET version = l.version + 1, head = k.head, open = k.open, gaps = k.gaps, health = k.health,"
    " delay = k.delay, skip_version = k.skip_version,"
    " awaiting_retry = k.awaiting_retry, blocked = k.blocked, failed = k.failed"
    " FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    " AS k (number, head, open, gaps, health, delay, skip_version, awaiting_retry, blocked, failed)"
    " WHERE l.subscription_number = k.number"
)
_ABANDON: Final = (
    f"UPDATE delivery d SET state = {State.FAILED:d} FROM unnest($1, $2) AS k (number, up_to)"
    f" WHERE d.subscription_number = k.number AND d.state IN {_WAITING} AND d.sequence <= k.up_to"
)
_HURRY: Final = (
    "UPDATE delivery d SET due = greatest(0, d.due - k.hurried_by), resume_at = d.resume_at - k.hurried_by"
    " FROM unnest($1, $2) AS k (number, hurried_by) WHERE d.subscription_number = k.number"
    f" AND d.state = {State.AWAITING_RETRY:d} AND d.run = 0 AND d.failed_attempts = 0"
)
_COUNT_ABANDONED: Final = (
    "UPDATE replay r SET failed = r.failed + found.count FROM (SELECT d.replay, count(*) AS count"
    " FROM unnest($1, $2) AS k (number, up_to) JOIN delivery d"
    f" ON d.subscription_number = k.number AND d.state IN {_WAITING} AND d.sequence <= k.up_to AND d.replay IS NOT NULL"
    " WHERE (d.subscription_number, d.sequence) NOT IN (SELECT * FROM unnest($3, $4)) GROUP BY 1) found"
    " WHERE r.number = found.replay"
)
"""For their replays; lanes have counted those that they change."""
_DELETE: Final = (
    "DELETE FROM delivery d USING unnest($1, $2) AS k (number, sequence)"
    " WHERE d.subscription_number = k.number AND d.sequence = k.sequence"
)
_FORGET_MADE: Final = (
    "DELETE FROM made m USING unnest($1, $2) AS k (number, document_id)"
    " WHERE m.subscription_number = k.number AND m.document_id = k.document_id"
)
_PROGRESS: Final = (
    "UPDATE replay r SET cursor = k.cursor, queued = k.queued,"
    " state = CASE WHEN r.state = 'running' THEN k.state ELSE r.state END,"
    " finished_at = coalesce(r.finished_at, k.finished_at)"
    " FROM unnest($1, $2, $3, $4, $5) AS k (number, cursor, queued, state, finished_at) WHERE r.number = k.number"
)
"""A cancelled replay stays cancelled, and counts what was queued before."""
_ENDED: Final = (
    "UPDATE replay r SET delivered = r.delivered + k.delivered, failed = r.failed + k.failed,"
    " skipped = r.skipped + k.skipped FROM unnest($1, $2, $3, $4) AS k (number, delivered, failed, skipped)"
    " WHERE r.number = k.number"
)
_LOOK_UP: Final = (
    f"SELECT d.subscription_number, {', '.join('d.' + c for c in EXCEPTION_ROW.split(', '))}"
    " FROM unnest($1, $2) AS k (number, sequence) JOIN delivery d"
    " ON d.subscription_number = k.number AND d.sequence = k.sequence"
)


class RecordWriter:
    def __init__(
        self, committers: Committers, partitions: Partitions, readers: ReadSessions, node_id: Callable[[], int | None]
    ) -> None:
        self._node_id = node_id
        self._committers = committers
        self._partitions = partitions
        self._readers = readers

    async def record(self, flushes: Sequence[LaneFlush]) -> dict[int, LaneFlushed]:
        """See `LaneStore.record`."""
        started = [attempt.started_at for flush in flushes for attempt in flush.attempts]
        await self._partitions.provide({"attempt": started})
        counts = await self._commit(flushes, self._node_id)
        recorded = {number: LaneFlushed(each) for number, each in counts.items()}
        asking = [flush for flush in flushes if flush.subscription_number in counts and _asks(flush)]
        if asking:
            recorded |= await self._readers.run(EVERY_TENANT, steps_of(_look(asking, counts)))
        return recorded

    async def record_read(self, flush: LaneFlush) -> bool:
        """See `LaneStore.record_read`."""
        await self._partitions.provide({"attempt": [attempt.started_at for attempt in flush.attempts]})
        return bool(await self._commit([flush], _no_node))

    async def _commit(self, flushes: Sequence[LaneFlush], owner: Callable[[], int | None]) -> dict[int, RowCounts]:
        """Two attempts of one delivery begin in the same microsecond only where a clock went back. Only a second try
        allows for that: the server looks for another row first, and logs a second record for each, wherever it must."""
        on_conflict = ""

        async def work(committer: CommitConnection) -> dict[int, RowCounts]:
            nonlocal on_conflict
            try:
                return await _record(committer, flushes, owner, on_conflict)
            except UniqueViolation:
                on_conflict = "ON CONFLICT DO NOTHING"
                raise

        return await self._committers.run(work)


def _no_node() -> None:
    """The owner of a lane whose events are read."""


class _Former(NamedTuple):
    """What the database has before a record."""

    counts: dict[int, RowCounts]
    """The counts of each lane that is unmoved."""
    abandoned: list[tuple[int, int, int]]
    """How many rows each lane gives up, by state."""
    states: dict[tuple[int, int], int]
    """The states of the rows that change, by lane and sequence."""


async def _record(
    committer: CommitConnection, flushes: Sequence[LaneFlush], node_id: Callable[[], int | None], on_conflict: str
) -> dict[int, RowCounts]:
    """Record the lanes that are unmoved. Returns the counts that they have then."""
    await committer.ready()  # first: what is read by then of the node is as true as the connection
    former = await _lock_and_read(committer, flushes, node_id())
    ours = [flush for flush in flushes if flush.subscription_number in former.counts]
    if not ours:
        return {}
    counts = _counts_after(former, ours)
    await committer.commit(
        [
            *_move_on(ours, counts),
            *_deliveries(ours),
            *_attempts(ours, on_conflict),
            *_made(ours),
            *_of("DELETE FROM retry WHERE number = ANY($1)", [(done,) for f in ours for done in f.retries_done]),
            *_progress([replay for flush in ours for replay in flush.replays]),
            *_of(_ENDED, [(number, *how) for flush in ours for number, how in flush.ended.items()]),
        ]
    )
    return counts


async def _lock_and_read(committer: CommitConnection, flushes: Sequence[LaneFlush], me: int | None) -> _Former:
    tenants = sorted({flush.tenant_id for flush in flushes})
    abandoning = _of(_ABANDONED, [(f.subscription_number, f.abandoned_to) for f in flushes if f.abandoned_to])
    changing = _of(_FORMER, [(flush.subscription_number, sequence) for flush in flushes for sequence in flush.rows])
    lock = [
        Statement(_LOCK, (numbers(f.subscription_number for f in flushes), numbers(f.version for f in flushes), me))
    ]
    locked, *read = await committer.begin(tenants, [*lock, *abandoning, *changing])
    return _Former(
        counts={number: RowCounts(*counts) for number, *counts in locked},
        abandoned=[(number, state, count) for number, state, count in read[0]] if abandoning else [],
        states={(number, sequence): state for number, sequence, state in read[-1]} if changing else {},
    )


def _counts_after(former: _Former, ours: Sequence[LaneFlush]) -> dict[int, RowCounts]:
    abandoned_to = {flush.subscription_number: flush.abandoned_to for flush in ours}
    changes = row_changes.by_abandoning(each for each in former.abandoned if each[0] in abandoned_to)
    changes.update(
        row_changes.by_rows(
            (
                (number, State.FAILED if sequence <= abandoned_to[number] else state)
                for (number, sequence), state in former.states.items()
                if number in abandoned_to
            ),
            ours,
        )
    )
    return {number: row_changes.after(former.counts[number], number, changes) for number in abandoned_to}


# --- Statements -------------------------------------------------------------------------------------------------------


def _of(sql: str, rows: Sequence[Sequence[int]]) -> list[Statement]:
    """A statement with columns of numbers; none where there are no rows."""
    return [Statement(sql, tuple(map(numbers, zip(*rows, strict=True))))] if rows else []


def _move_on(ours: Sequence[LaneFlush], counts: Mapping[int, RowCounts]) -> list[Statement]:
    of_each = zip(*(counts[flush.subscription_number] for flush in ours), strict=True)
    columns = (
        numbers(flush.subscription_number for flush in ours),
        numbers(flush.head for flush in ours),
        blobs(pack_sequences(flush.open) for flush in ours),
        blobs(_encode(flush.gaps) for flush in ours),
        blobs(_encode(flush.health) for flush in ours),
        numbers(flush.delay for flush in ours),
        numbers(flush.skip_version for flush in ours),
        *map(numbers, of_each),
    )
    return [Statement(_MOVE_ON, columns)]


def _deliveries(ours: Sequence[LaneFlush]) -> list[Statement]:
    changed = [(flush, sequence, row) for flush in ours for sequence, row in flush.rows.items()]
    return [
        *_abandoning([flush for flush in ours if flush.abandoned_to]),
        *_of(_HURRY, [(flush.subscription_number, flush.hurried_by) for flush in ours if flush.hurried_by]),
        *_of(_DELETE, [(flush.subscription_number, sequence) for flush, sequence, row in changed if row is None]),
        *tables.DELIVERY.insert(
            ((flush.tenant_id, flush.subscription_number, *row) for flush, _, row in changed if row is not None),
            updating("subscription_number, sequence", *EXCEPTION_ROW.split(", ")[2:]),
        ),
    ]


def _abandoning(flushes: Sequence[LaneFlush]) -> list[Statement]:
    if not flushes:
        return []
    lanes = numbers(flush.subscription_number for flush in flushes)
    up_to = numbers(flush.abandoned_to for flush in flushes)
    changed = [(flush.subscription_number, sequence) for flush in flushes for sequence in flush.rows]
    counted = (numbers(number for number, _ in changed), numbers(sequence for _, sequence in changed))
    return [Statement(_COUNT_ABANDONED, (lanes, up_to, *counted)), Statement(_ABANDON, (lanes, up_to))]


def _attempts(ours: Sequence[LaneFlush], on_conflict: str) -> list[Statement]:
    rows = {
        (flush.tenant_id, a.sequence, flush.subscription_number, a.started_at): a
        for flush in ours
        for a in flush.attempts
    }
    # The last two members are not stored: the document, and whether the event was on time.
    return tables.ATTEMPT.insert(((*key, *astuple(a)[2:-2]) for key, a in rows.items()), on_conflict)


def _made(ours: Sequence[LaneFlush]) -> list[Statement]:
    """Keep what deliveries made, by document. Where that is an empty mapping, what was kept before is forgotten."""
    made = [(flush, document_id, what) for flush in ours for document_id, what in flush.made.items()]
    gone = [(flush.subscription_number, document_id) for flush, document_id, what in made if not what]
    forgetting = []
    if gone:
        lanes, documents = zip(*gone, strict=True)
        forgetting.append(Statement(_FORGET_MADE, (numbers(lanes), uuids(documents))))
    return forgetting + tables.MADE.insert(
        (
            (flush.tenant_id, flush.subscription_number, document_id, _encode(what))
            for flush, document_id, what in made
            if what
        ),
        updating("subscription_number, document_id", "made"),
    )


def _progress(fed: Sequence[Replay]) -> list[Statement]:
    if not fed:
        return []
    columns = (
        numbers(replay.number for replay in fed),
        numbers(replay.cursor for replay in fed),
        numbers(replay.queued for replay in fed),
        texts(str(replay.state) for replay in fed),
        numbers(replay.finished_at for replay in fed),
    )
    return [Statement(_PROGRESS, columns)]


# --- What lanes ask for -----------------------------------------------------------------------------------------------


def _asks(flush: LaneFlush) -> bool:
    return bool(flush.look_up or flush.refill or flush.feed is not None)


async def _look(flushes: Sequence[LaneFlush], counts: Mapping[int, RowCounts]) -> dict[int, LaneFlushed]:
    refills = {flush.subscription_number: flush.refill for flush in flushes if flush.refill}
    look_ups = [(flush.subscription_number, sequence) for flush in flushes for sequence in flush.look_up]
    asked = [*_of(_LOOK_UP, look_ups), *([first_due(refills)] if refills else [])]
    read = await ask(*asked) if asked else []
    looked_up: dict[int, dict[int, ExceptionRow]] = {}
    waiting: dict[int, list[ExceptionRow]] = {}
    for number, *columns in read[0] if look_ups else ():
        row = unpack_row(*columns)
        looked_up.setdefault(number, {})[row.sequence] = row
    for number, *columns in read[-1] if refills else ():
        waiting.setdefault(number, []).append(unpack_row(*columns))
    fed = await replaying.feed(PostgresReplayQueries(), flushes)
    recorded = {}
    for flush in flushes:
        number = flush.subscription_number
        rows, horizon = up_to_horizon(waiting.get(number, []), flush.refill) if flush.refill else ((), None)
        recorded[number] = LaneFlushed(counts[number], looked_up.get(number, {}), rows, horizon, fed.get(number))
    return recorded
