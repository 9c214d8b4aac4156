"""Lanes: loaded by their owner at the start and where another owner wrote one, and recorded (`record.py`)."""

from collections.abc import Iterable, Sequence

import apsw
import msgspec

from signalpost.commands.command import Retry
from signalpost.domain import subscription as subscribing
from signalpost.domain.delivery.exception_row import RowCounts
from signalpost.domain.subscription import Subscription
from signalpost.store.lanes import LaneFlush, LaneFlushed, LaneRow, LaneSummary, LaneWanted
from signalpost.store.packing import decode_health, unpack_sequences
from signalpost.store.row_changes import ROW_COUNT_COLUMNS
from signalpost.store.sqlite import record as recording
from signalpost.store.sqlite import replays
from signalpost.store.sqlite.codec import list_numbers, unpack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.exception_rows import ROW_COLUMNS, rows_awaiting_retry, unpack_row
from signalpost.store.sqlite.readers import Readers, reading
from signalpost.store.sqlite.states import AWAITING_RETRY, BLOCKED, WAITING
from signalpost.store.sqlite.writer import Writer, writing

MAX_LOOKED_AT = 10_000
"""How many events above a lane's head are looked at to say how far it is behind."""
_decode_gaps = msgspec.json.Decoder(tuple[tuple[int, int], ...]).decode


class SqliteLanes:
    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    @reading
    def load(self, connection: apsw.Connection, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
        return load(connection, wanted)

    @reading
    def summary(self, connection: apsw.Connection, subscription: Subscription) -> LaneSummary | None:
        number = subscription.number
        statement = f"SELECT owner, head, open, health, {ROW_COUNT_COLUMNS} FROM lane WHERE subscription_number = ?"  # noqa: S608
        for owner, head, packed, health, *counts in rows(connection, statement, (number,)):
            known = RowCounts(*counts)
            return LaneSummary(
                owner=owner,
                head=head,
                health=decode_health(health),
                counts=known,
                lag=len(unpack_sequences(packed)) + known.blocked + _wanted_above(connection, subscription, head),
                oldest_due=_oldest_due(connection, number),
            )
        return None

    @reading
    def count_awaiting_retry(
        self, connection: apsw.Connection, subscription: Subscription, below: int, due_from: int
    ) -> int:
        statement = (
            "SELECT count(*) FROM delivery INDEXED BY delivery_state"  # noqa: S608
            f" WHERE subscription_number = ? AND state = {AWAITING_RETRY} AND sequence < ? AND due >= ?"
        )
        return int(rows(connection, statement, (subscription.number, below, due_from))[0][0])

    @writing
    def record(self, connection: apsw.Connection, flushes: Sequence[LaneFlush]) -> dict[int, LaneFlushed]:
        return recording.record(connection, flushes)


def load(connection: apsw.Connection, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
    known = retries(connection, [each.subscription.number for each in wanted])
    loaded: dict[int, LaneRow] = {}
    for subscription, retries_loaded in wanted:
        row = _lane(connection, subscription, retries_loaded, tuple(known.get(subscription.number, ())))
        if row is not None:
            loaded[subscription.number] = row
    return loaded


def _wanted_above(connection: apsw.Connection, subscription: Subscription, head: int) -> int:
    """How many of the next events of the log a lane will take in."""
    looked_at = rows(
        connection,
        "SELECT sequence, type FROM event WHERE tenant_id = ? AND sequence > ? ORDER BY sequence LIMIT ?",
        (subscription.tenant_id, head, MAX_LOOKED_AT),
    )
    return sum(
        event_type & subscribing.wanted(subscription.filters, sequence) != 0 for sequence, event_type in looked_at
    )


def _oldest_due(connection: apsw.Connection, number: int) -> int | None:
    first = (
        "SELECT min(due) FROM delivery INDEXED BY delivery_state"  # noqa: S608
        f" WHERE subscription_number = ? AND state = {AWAITING_RETRY}"
    )
    return rows(connection, first, (number,))[0][0]  # type: ignore[no-any-return]


def _lane(
    connection: apsw.Connection, subscription: Subscription, retries_loaded: int, asked: tuple[Retry, ...]
) -> LaneRow | None:
    number = subscription.number
    found = rows(
        connection,
        f"SELECT version, head, open, gaps, health, owner, {ROW_COUNT_COLUMNS} FROM lane WHERE subscription_number = ?",  # noqa: S608
        (number,),
    )
    if not found:
        return None
    version, head, packed, gaps, health, owner, *counts = found[0]
    blocked = rows(
        connection,
        f"SELECT {ROW_COLUMNS} FROM delivery WHERE subscription_number = ? AND state = {BLOCKED} ORDER BY sequence",  # noqa: S608
        (number,),
    )
    waiting, horizon = rows_awaiting_retry(connection, number, retries_loaded)
    return LaneRow(
        version=version,
        head=head,
        open=_with_documents(connection, subscription.tenant_id, unpack_sequences(packed)),
        gaps=_decode_gaps(gaps),
        health=decode_health(health),
        rows=(*waiting, *(unpack_row(*columns) for columns in blocked)),
        horizon=horizon,
        counts=RowCounts(*counts),
        unskipped=_is_unskipped(connection, subscription),
        retries=asked,
        replays=replays.running(connection, number),
        owner=owner,
    )


def _is_unskipped(connection: apsw.Connection, subscription: Subscription) -> bool:
    return subscription.skip_to > 0 and bool(
        rows(
            connection,
            "SELECT 1 FROM delivery INDEXED BY delivery_state"  # noqa: S608
            f" WHERE subscription_number = ? AND state IN {WAITING}"
            " AND sequence <= ? AND run = 0 LIMIT 1",
            (subscription.number, subscription.skip_to),
        )
    )


def retries(connection: apsw.Connection, numbers: Iterable[int]) -> dict[int, list[Retry]]:
    """Retries by hand, by subscription. The table is read through: it holds only those that no lane has acted upon."""
    found: dict[int, list[Retry]] = {}
    for number, subscription_number, sequence, document_id in rows(
        connection,
        "SELECT number, subscription_number, sequence, document_id FROM retry"
        " WHERE subscription_number IN (SELECT value FROM json_each(?)) ORDER BY number",
        (list_numbers(numbers),),
    ):
        retry = Retry(number, subscription_number, sequence, unpack_uuid(document_id))
        found.setdefault(subscription_number, []).append(retry)
    return found


def _with_documents(
    connection: apsw.Connection, tenant_id: int, sequences: Sequence[int]
) -> tuple[tuple[int, str], ...]:
    statement = "SELECT document_id FROM event WHERE tenant_id = ? AND sequence = ?"
    return tuple(
        (sequence, unpack_uuid(document_id))
        for sequence in sequences
        for (document_id,) in rows(connection, statement, (tenant_id, sequence))
    )
