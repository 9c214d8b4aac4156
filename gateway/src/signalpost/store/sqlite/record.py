"""Lanes as their owner records them. A write moves the lane's version on, and applies only to the version it knew."""

from collections.abc import Sequence

import apsw
import msgspec
from msgspec.structs import replace

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.subscription import Subscription
from signalpost.store.sqlite import replays
from signalpost.store.sqlite.codec import pack_sequences, pack_uuid, unpack_sequences, unpack_uuid
from signalpost.store.sqlite.database import rows, rows_of_many
from signalpost.store.store import Health, LaneFlush, LaneFlushed, LaneRow

_encode = msgspec.json.Encoder().encode
decode_health = msgspec.json.Decoder(Health).decode
_decode_gaps = msgspec.json.Decoder(tuple[tuple[int, int], ...]).decode

_ROW_COLUMNS = "sequence, document_id, state, due, charged, budget, run, resume_at"


def record(connection: apsw.Connection, flushes: Sequence[LaneFlush]) -> dict[int, LaneFlushed]:
    """Record, set-wise, each lane that is still at the version its owner knew, and answer what it asks."""
    ours = _still_theirs(connection, flushes)
    _move_on(connection, ours)
    _write_deliveries(connection, ours)
    connection.executemany(
        "INSERT OR REPLACE INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
        "UPDATE delivery SET state = 3 WHERE subscription_number = ? AND sequence <= ? AND state IN (1, 2)",
        [(flush.subscription_number, flush.abandoned_to) for flush in flushes if flush.abandoned_to],
    )
    changed = [(flush, sequence, row) for flush in flushes for sequence, row in flush.rows.items()]
    connection.executemany(
        "DELETE FROM delivery WHERE subscription_number = ? AND sequence = ?",
        [(flush.subscription_number, sequence) for flush, sequence, row in changed if row is None],
    )
    connection.executemany(
        "INSERT INTO delivery VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
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
            f"SELECT {_ROW_COLUMNS} FROM delivery WHERE subscription_number = ? AND sequence = ?",  # noqa: S608
            (number, sequence),
        )
        if found:
            looked_up[sequence] = _row(*found[0])
    parked, horizon = parked_rows(connection, number, flush.refill) if flush.refill else ((), None)
    return LaneFlushed(looked_up, parked, horizon)


def parked_rows(connection: apsw.Connection, number: int, limit: int) -> tuple[tuple[Row, ...], int | None]:
    """The parked rows that are due first, and from which due time on there are others (None: these are all)."""
    found = rows(
        connection,
        f"SELECT {_ROW_COLUMNS} FROM delivery WHERE subscription_number = ? AND state = 1 ORDER BY due LIMIT ?",  # noqa: S608
        (number, limit),
    )
    if len(found) < limit:
        return tuple(_row(*columns) for columns in found), None
    # Rows that share the last due time may have been cut off: leave that moment to the next refill, unless all do.
    horizon = found[-1][3]
    kept = [columns for columns in found if columns[3] < horizon] or rows(
        connection,
        f"SELECT {_ROW_COLUMNS} FROM delivery WHERE subscription_number = ? AND state = 1 AND due <= ?",  # noqa: S608
        (number, horizon),
    )
    return tuple(_row(*columns) for columns in kept), horizon if kept[-1][3] < horizon else horizon + 1


def count_parked(connection: apsw.Connection, subscription: Subscription, below: int, due_from: int) -> int:
    statement = (
        "SELECT count(*) FROM delivery INDEXED BY delivery_state"
        " WHERE subscription_number = ? AND state = 1 AND sequence < ? AND due >= ?"
    )
    return int(rows(connection, statement, (subscription.number, below, due_from))[0][0])


def load_lane(connection: apsw.Connection, subscription: Subscription, parked: int) -> LaneRow | None:
    number = subscription.number
    found = rows(
        connection,
        "SELECT version, head, open, gaps, health FROM lane WHERE subscription_number = ?",
        (number,),
    )
    if not found:
        return None
    version, head, packed, gaps, health = found[0]
    blocked = rows(
        connection,
        f"SELECT {_ROW_COLUMNS} FROM delivery WHERE subscription_number = ? AND state = 2 ORDER BY sequence",  # noqa: S608
        (number,),
    )
    waiting, horizon = parked_rows(connection, number, parked)
    unskipped = subscription.skip_to and rows(
        connection,
        "SELECT 1 FROM delivery INDEXED BY delivery_state WHERE subscription_number = ? AND state IN (1, 2)"
        " AND sequence <= ? AND run = 0 LIMIT 1",
        (number, subscription.skip_to),
    )
    return LaneRow(
        version=version,
        head=head,
        open=_with_documents(connection, subscription.tenant_id, unpack_sequences(packed)),
        gaps=_decode_gaps(gaps),
        health=decode_health(health),
        rows=(*waiting, *(_row(*columns) for columns in blocked)),
        horizon=horizon,
        unskipped=bool(unskipped),
    )


def _with_documents(
    connection: apsw.Connection, tenant_id: int, sequences: Sequence[int]
) -> tuple[tuple[int, str], ...]:
    statement = "SELECT document_id FROM event WHERE tenant_id = ? AND sequence = ?"
    return tuple(
        (sequence, unpack_uuid(document_id))
        for sequence in sequences
        for (document_id,) in rows(connection, statement, (tenant_id, sequence))
    )


def _row(
    sequence: int,
    document_id: bytes,
    state: int,
    due: int,
    failed_attempts: int,
    max_attempts: int,
    run: int,
    resume_at: int | None,
) -> Row:
    return Row(sequence, unpack_uuid(document_id), State(state), due, failed_attempts, max_attempts, run, resume_at)
