"""Exception rows: the deliveries that await a retry, are blocked or failed."""

import apsw

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import Row
from signalpost.store.sqlite.codec import unpack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.states import AWAITING_RETRY
from signalpost.store.tables.deliveries import EXCEPTION_ROW


def rows_awaiting_retry(connection: apsw.Connection, number: int, limit: int) -> tuple[tuple[Row, ...], int | None]:
    """The rows that await a retry, the first due first, and the due time from which on there are others: None if there
    are none."""
    found = rows(
        connection,
        f"SELECT {EXCEPTION_ROW} FROM delivery"  # noqa: S608
        f" WHERE subscription_number = ? AND state = {AWAITING_RETRY} ORDER BY due LIMIT ?",
        (number, limit),
    )
    if len(found) < limit:
        return tuple(unpack_row(*columns) for columns in found), None
    # Rows that share the last due time may have been cut off. They are left to the next refill, unless all share it.
    horizon = found[-1][3]
    kept = [columns for columns in found if columns[3] < horizon] or rows(
        connection,
        f"SELECT {EXCEPTION_ROW} FROM delivery WHERE subscription_number = ? AND state = {AWAITING_RETRY} AND due <= ?",  # noqa: S608
        (number, horizon),
    )
    return tuple(unpack_row(*columns) for columns in kept), horizon if kept[-1][3] < horizon else horizon + 1


def unpack_row(
    sequence: int,
    document_id: bytes,
    state: int,
    due: int,
    failed_attempts: int,
    max_attempts: int,
    run: int,
    resume_at: int | None,
    replay: int | None,
) -> Row:
    document = unpack_uuid(document_id)
    return Row(sequence, document, State(state), due, failed_attempts, max_attempts, run, resume_at, replay)
