"""Lanes as their owner takes them up: at the start, and where another owner wrote one."""

from collections.abc import Iterable, Sequence

import apsw
import msgspec

from signalpost.commands.command import Retry
from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.subscription import Subscription
from signalpost.store.sqlite import replays
from signalpost.store.sqlite.codec import list_numbers, unpack_sequences, unpack_uuid
from signalpost.store.sqlite.connections import rows
from signalpost.store.store import Health, LaneRow, LaneWanted

decode_health = msgspec.json.Decoder(Health).decode
_decode_gaps = msgspec.json.Decoder(tuple[tuple[int, int], ...]).decode

ROW_COLUMNS = "sequence, document_id, state, due, charged, budget, run, resume_at"


def load_lanes(connection: apsw.Connection, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
    numbers = [each.subscription.number for each in wanted]
    retries = _retries(connection, numbers)
    loaded: dict[int, LaneRow] = {}
    for subscription, parked in wanted:
        row = _lane(connection, subscription, parked, tuple(retries.get(subscription.number, ())))
        if row is not None:
            loaded[subscription.number] = row
    return loaded


def _lane(
    connection: apsw.Connection, subscription: Subscription, parked: int, retries: tuple[Retry, ...]
) -> LaneRow | None:
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
        f"SELECT {ROW_COLUMNS} FROM delivery WHERE subscription_number = ? AND state = 2 ORDER BY sequence",  # noqa: S608
        (number,),
    )
    waiting, horizon = parked_rows(connection, number, parked)
    return LaneRow(
        version=version,
        head=head,
        open=_with_documents(connection, subscription.tenant_id, unpack_sequences(packed)),
        gaps=_decode_gaps(gaps),
        health=decode_health(health),
        rows=(*waiting, *(unpack_row(*columns) for columns in blocked)),
        horizon=horizon,
        unskipped=_is_unskipped(connection, subscription),
        retries=retries,
        replays=replays.running(connection, number),
    )


def _is_unskipped(connection: apsw.Connection, subscription: Subscription) -> bool:
    return subscription.skip_to > 0 and bool(
        rows(
            connection,
            "SELECT 1 FROM delivery INDEXED BY delivery_state WHERE subscription_number = ? AND state IN (1, 2)"
            " AND sequence <= ? AND run = 0 LIMIT 1",
            (subscription.number, subscription.skip_to),
        )
    )


def _retries(connection: apsw.Connection, numbers: Iterable[int]) -> dict[int, list[Retry]]:
    """Retries by hand by subscription. The table holds only those that no lane has acted upon: it is read through."""
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


def parked_rows(connection: apsw.Connection, number: int, limit: int) -> tuple[tuple[Row, ...], int | None]:
    """The parked rows that are due first, and from which due time on there are others (None: these are all)."""
    found = rows(
        connection,
        f"SELECT {ROW_COLUMNS} FROM delivery WHERE subscription_number = ? AND state = 1 ORDER BY due LIMIT ?",  # noqa: S608
        (number, limit),
    )
    if len(found) < limit:
        return tuple(unpack_row(*columns) for columns in found), None
    # Rows that share the last due time may have been cut off: leave that moment to the next refill, unless all do.
    horizon = found[-1][3]
    kept = [columns for columns in found if columns[3] < horizon] or rows(
        connection,
        f"SELECT {ROW_COLUMNS} FROM delivery WHERE subscription_number = ? AND state = 1 AND due <= ?",  # noqa: S608
        (number, horizon),
    )
    return tuple(unpack_row(*columns) for columns in kept), horizon if kept[-1][3] < horizon else horizon + 1


def count_parked(connection: apsw.Connection, subscription: Subscription, below: int, due_from: int) -> int:
    statement = (
        "SELECT count(*) FROM delivery INDEXED BY delivery_state"
        " WHERE subscription_number = ? AND state = 1 AND sequence < ? AND due >= ?"
    )
    return int(rows(connection, statement, (subscription.number, below, due_from))[0][0])


def _with_documents(
    connection: apsw.Connection, tenant_id: int, sequences: Sequence[int]
) -> tuple[tuple[int, str], ...]:
    statement = "SELECT document_id FROM event WHERE tenant_id = ? AND sequence = ?"
    return tuple(
        (sequence, unpack_uuid(document_id))
        for sequence in sequences
        for (document_id,) in rows(connection, statement, (tenant_id, sequence))
    )


def unpack_row(
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
