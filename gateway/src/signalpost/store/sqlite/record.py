"""How lanes are recorded. A write applies only to the version of the lane that its owner knew, and moves it on by one.
So an owner that was replaced writes nothing."""

from collections.abc import Sequence

import apsw
import msgspec
from msgspec.structs import replace

from signalpost.store.lanes import LaneFlush, LaneFlushed
from signalpost.store.sqlite import replays
from signalpost.store.sqlite.codec import pack_sequences, pack_uuid
from signalpost.store.sqlite.connections import rows, rows_of_many
from signalpost.store.sqlite.exception_rows import ROW_COLUMNS, parked_rows, unpack_row
from signalpost.store.sqlite.states import FAILED, WAITING

_encode = msgspec.json.Encoder().encode


def record(connection: apsw.Connection, flushes: Sequence[LaneFlush]) -> dict[int, LaneFlushed]:
    """Record, set-wise, each lane that is still at the version its owner knew, and answer what it asks."""
    ours = _still_theirs(connection, flushes)
    _move_on(connection, ours)
    _write_deliveries(connection, ours)
    connection.executemany(
        "INSERT OR REPLACE INTO attempt (tenant_id, sequence, subscription_number, started_at, elapsed_us, number, run,"
        " counted, status, failure, detail, answer) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(flush.tenant_id, a.sequence, flush.subscription_number, *a[1:]) for flush in ours for a in flush.attempts],
    )
    connection.executemany(
        "DELETE FROM retry WHERE number = ?", [(done,) for flush in ours for done in flush.retries_done]
    )
    replays.write_progress(connection, [replay for flush in ours for replay in flush.replays])
    recorded = {flush.subscription_number: _look(connection, flush) for flush in ours}
    for number, fed in replays.feed(connection, ours).items():
        recorded[number] = replace(recorded[number], fed=fed)
    return recorded


def _still_theirs(connection: apsw.Connection, flushes: Sequence[LaneFlush]) -> list[LaneFlush]:
    versions = dict(
        rows_of_many(
            connection,
            "SELECT subscription_number, version FROM lane WHERE subscription_number = ?",
            [(flush.subscription_number,) for flush in flushes],
        )
    )
    return [flush for flush in flushes if versions.get(flush.subscription_number) == flush.version]


def _move_on(connection: apsw.Connection, flushes: Sequence[LaneFlush]) -> None:
    connection.executemany(
        "UPDATE lane SET version = version + 1, head = ?, open = ?, gaps = ?, health = ? WHERE subscription_number = ?",
        [
            (
                flush.head,
                pack_sequences(flush.open),
                _encode(flush.gaps),
                _encode(flush.health),
                flush.subscription_number,
            )
            for flush in flushes
        ],
    )


def _write_deliveries(connection: apsw.Connection, flushes: Sequence[LaneFlush]) -> None:
    connection.executemany(
        f"UPDATE delivery SET state = {FAILED}"  # noqa: S608
        f" WHERE subscription_number = ? AND sequence <= ? AND state IN {WAITING}",
        [(flush.subscription_number, flush.abandoned_to) for flush in flushes if flush.abandoned_to],
    )
    changed = [(flush, sequence, row) for flush in flushes for sequence, row in flush.rows.items()]
    connection.executemany(
        "DELETE FROM delivery WHERE subscription_number = ? AND sequence = ?",
        [(flush.subscription_number, sequence) for flush, sequence, row in changed if row is None],
    )
    connection.executemany(
        f"INSERT INTO delivery (tenant_id, subscription_number, {ROW_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        " ON CONFLICT DO UPDATE SET state = excluded.state, due = excluded.due, charged = excluded.charged,"
        " budget = excluded.budget, run = excluded.run, resume_at = excluded.resume_at",
        [
            (flush.tenant_id, flush.subscription_number, row[0], pack_uuid(row[1]), *row[2:])
            for flush, _, row in changed
            if row is not None
        ],
    )


def _look(connection: apsw.Connection, flush: LaneFlush) -> LaneFlushed:
    if not flush.look_up and not flush.refill:
        return LaneFlushed()
    number = flush.subscription_number
    looked_up = {}
    for sequence in flush.look_up:
        found = rows(
            connection,
            f"SELECT {ROW_COLUMNS} FROM delivery WHERE subscription_number = ? AND sequence = ?",  # noqa: S608
            (number, sequence),
        )
        if found:
            looked_up[sequence] = unpack_row(*found[0])
    parked, horizon = parked_rows(connection, number, flush.refill) if flush.refill else ((), None)
    return LaneFlushed(looked_up, parked, horizon)
