"""Records lanes. A write applies only to a lane that the node still owns, at the version that the node knew, and raises
the version by one. So an owner that was replaced writes nothing."""

from collections.abc import Mapping, Sequence

import apsw
import msgspec
from msgspec.structs import replace

from signalpost.domain.delivery.exception_row import RowCounts
from signalpost.store import row_changes
from signalpost.store.nouns.lanes import LaneFlush, LaneFlushed
from signalpost.store.packing.sequences import pack_sequences
from signalpost.store.row_changes import ROW_COUNT_COLUMNS, Changes
from signalpost.store.sqlite import row_counts
from signalpost.store.sqlite.codec import pack_uuid
from signalpost.store.sqlite.connect import rows, rows_of_many, write_many
from signalpost.store.sqlite.exception_rows import rows_awaiting_retry, unpack_row
from signalpost.store.sqlite.nouns import connections, replays
from signalpost.store.sqlite.readers import at_once
from signalpost.store.sqlite.states import AWAITING_RETRY, FAILED, WAITING
from signalpost.store.sqlite.tables import inserting
from signalpost.store.tables.deliveries import ATTEMPT, DELIVERY, EXCEPTION_ROW
from signalpost.store.tables.table import updating
from signalpost.store.walks import replaying

_encode = msgspec.json.Encoder().encode
_DELIVERY = inserting(DELIVERY, updating("subscription_number, sequence", *EXCEPTION_ROW.split(", ")[2:]))
_ATTEMPT = "INSERT OR REPLACE" + inserting(ATTEMPT).removeprefix("INSERT")


def record(connection: apsw.Connection, flushes: Sequence[LaneFlush], me: int | None) -> dict[int, LaneFlushed]:
    """Record, set-wise, the lanes that the node `me` still owns at the versions it knew, and read what they ask for."""
    counts_before = _counts_of_unmoved(connection, flushes, me)
    ours = [flush for flush in flushes if flush.subscription_number in counts_before]
    counts = counts_before
    if with_rows := [flush for flush in ours if flush.rows or flush.abandoned_to or flush.hurried_by]:
        changes = _write_deliveries(connection, with_rows)
        counts = {number: row_changes.after(before, number, changes) for number, before in counts_before.items()}
    _move_on(connection, ours, counts)
    _write_attempts(connection, ours)
    for flush in ours:
        if flush.made:
            connections.write_made(connection, flush.subscription_number, flush.made)
    write_many(
        connection, "DELETE FROM retry WHERE number = ?", [(done,) for flush in ours for done in flush.retries_done]
    )
    replays.write_progress(connection, [replay for flush in ours for replay in flush.replays])
    replays.write_ended(connection, [each for flush in ours for each in flush.ended.items()])
    recorded = {
        flush.subscription_number: _look(connection, flush, counts[flush.subscription_number]) for flush in ours
    }
    for number, fed in at_once(replaying.feed(replays.SqliteReplayQueries(connection), ours)).items():
        recorded[number] = replace(recorded[number], fed=fed)
    return recorded


def _write_attempts(connection: apsw.Connection, flushes: Sequence[LaneFlush]) -> None:
    write_many(
        connection,
        _ATTEMPT,
        [
            (
                flush.tenant_id,
                a.sequence,
                flush.subscription_number,
                a.started_at,
                a.elapsed_us,
                a.number,
                a.run,
                a.counted,
                a.status,
                a.failure,
                a.detail,
                a.answer,
                a.exchange or None,
            )
            for flush in flushes
            for a in flush.attempts
        ],
    )


def _counts_of_unmoved(
    connection: apsw.Connection, flushes: Sequence[LaneFlush], me: int | None
) -> dict[int, RowCounts]:
    """The row counts, by subscription, of each lane of this node that is still at the version it knew."""
    known = {flush.subscription_number: flush.version for flush in flushes}
    found = rows_of_many(
        connection,
        f"SELECT subscription_number, version, {ROW_COUNT_COLUMNS} FROM lane"  # noqa: S608
        " WHERE subscription_number = ? AND owner IS ?",
        [(number, me) for number in known],
    )
    return {number: RowCounts(*counts) for number, version, *counts in found if known[number] == version}


def _move_on(connection: apsw.Connection, flushes: Sequence[LaneFlush], counts: Mapping[int, RowCounts]) -> None:
    write_many(
        connection,
        "UPDATE lane SET version = version + 1, head = ?, open = ?, gaps = ?, health = ?, delay = ?,"
        " skip_version = ?, awaiting_retry = ?, blocked = ?, failed = ? WHERE subscription_number = ?",
        [
            (
                flush.head,
                pack_sequences(flush.open),
                _encode(flush.gaps),
                _encode(flush.health),
                flush.delay,
                flush.skip_version,
                *counts[flush.subscription_number],
                flush.subscription_number,
            )
            for flush in flushes
        ],
    )


def _write_deliveries(connection: apsw.Connection, flushes: Sequence[LaneFlush]) -> Changes:
    """Write the exception rows. Returns how many there are more of each state."""
    abandoning = [flush for flush in flushes if flush.abandoned_to]
    changes = row_counts.changes_by_abandoning(connection, abandoning)
    for flush in abandoning:
        replays.count_abandoned(connection, flush.subscription_number, flush.abandoned_to, flush.rows)
    write_many(
        connection,
        f"UPDATE delivery SET state = {FAILED}"  # noqa: S608
        f" WHERE subscription_number = ? AND sequence <= ? AND state IN {WAITING}",
        [(flush.subscription_number, flush.abandoned_to) for flush in abandoning],
    )
    write_many(
        connection,
        "UPDATE delivery SET due = max(0, due - ?1), resume_at = resume_at - ?1"  # noqa: S608
        f" WHERE subscription_number = ?2 AND state = {AWAITING_RETRY} AND run = 0 AND failed_attempts = 0",
        [(flush.hurried_by, flush.subscription_number) for flush in flushes if flush.hurried_by],
    )
    changes.update(row_counts.changes_by_rows(connection, flushes))
    changed = [(flush, sequence, row) for flush in flushes for sequence, row in flush.rows.items()]
    write_many(
        connection,
        "DELETE FROM delivery WHERE subscription_number = ? AND sequence = ?",
        [(flush.subscription_number, sequence) for flush, sequence, row in changed if row is None],
    )
    write_many(
        connection,
        _DELIVERY,
        [
            (flush.tenant_id, flush.subscription_number, row[0], pack_uuid(row[1]), *row[2:])
            for flush, _, row in changed
            if row is not None
        ],
    )
    return changes


def _look(connection: apsw.Connection, flush: LaneFlush, counts: RowCounts) -> LaneFlushed:
    if not flush.look_up and not flush.refill:
        return LaneFlushed(counts)
    number = flush.subscription_number
    looked_up = {}
    for sequence in flush.look_up:
        found = rows(
            connection,
            f"SELECT {EXCEPTION_ROW} FROM delivery WHERE subscription_number = ? AND sequence = ?",  # noqa: S608
            (number, sequence),
        )
        if found:
            looked_up[sequence] = unpack_row(*found[0])
    awaiting_retry, horizon = rows_awaiting_retry(connection, number, flush.refill) if flush.refill else ((), None)
    return LaneFlushed(counts, looked_up, awaiting_retry, horizon)
