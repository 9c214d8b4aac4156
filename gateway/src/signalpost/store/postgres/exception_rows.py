"""Exception rows: the deliveries that await a retry, are blocked or failed."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import Row as ExceptionRow
from signalpost.store.postgres.columns import numbers
from signalpost.store.statements import Statement
from signalpost.store.tables.deliveries import EXCEPTION_ROW

_FIRST_DUE: Final = (
    f"SELECT k.number, d.* FROM unnest($1, $2) AS k (number, rows) CROSS JOIN LATERAL (SELECT {EXCEPTION_ROW}"
    f" FROM delivery WHERE subscription_number = k.number AND state = {State.AWAITING_RETRY:d}"
    " ORDER BY due FETCH FIRST (k.rows) ROWS WITH TIES) d"
)


def first_due(limits: Mapping[int, int]) -> Statement:
    """The rows that await a retry, the first due first, each after its lane's number: of each lane as many as its limit
    says, and all that share the due time of the last."""
    return Statement(_FIRST_DUE, (numbers(limits), numbers(limits.values())))


def up_to_horizon(found: Sequence[ExceptionRow], limit: int) -> tuple[tuple[ExceptionRow, ...], int | None]:
    """The rows that a lane gets, of those that `first_due` found for it, and the due time from which on there are
    others: None if there are none."""
    if len(found) < limit:
        return tuple(found), None
    # Rows that share the last due time are left to the next refill, unless all share it.
    horizon = found[-1].due
    kept = tuple(row for row in found if row.due < horizon)
    return (kept, horizon) if kept else (tuple(found), horizon + 1)


def unpack_row(sequence: int, document_id: str, state: int, *rest: Any) -> ExceptionRow:
    """From `EXCEPTION_ROW`."""
    return ExceptionRow(sequence, document_id, State(state), *rest)
