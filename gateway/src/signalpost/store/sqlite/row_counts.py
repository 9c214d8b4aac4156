"""How many exception rows each lane has in each state, kept in the lane's own row.

Nothing counts rows when someone asks. Instead, whatever writes rows of `delivery` says here which states came and went,
in the same transaction, so the counts are exact after every commit.
"""

from collections import Counter
from collections.abc import Sequence

import apsw

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import RowCounts
from signalpost.store.lanes import LaneFlush
from signalpost.store.sqlite.connect import rows, rows_of_many
from signalpost.store.sqlite.states import ANY, WAITING

ROW_COUNT_COLUMNS = "awaiting_retry, blocked, failed"
"""The columns of a lane's row that say how many exception rows it has in each state."""
Changes = Counter[tuple[int, int]]
"""How many rows more (or less) there are, by the number of the subscription and the state."""


def changes_by_abandoning(connection: apsw.Connection, flushes: Sequence[LaneFlush]) -> Changes:
    """What it changes to give up the rows that these lanes have abandoned. To be asked before that is done."""
    changes: Changes = Counter()
    for flush in flushes:
        number = flush.subscription_number
        for state, count in rows(
            connection,
            "SELECT state, count(*) FROM delivery INDEXED BY delivery_state"  # noqa: S608
            f" WHERE subscription_number = ? AND state IN {WAITING} AND sequence <= ? GROUP BY state",
            (number, flush.abandoned_to),
        ):
            changes[number, state] -= count
            changes[number, State.FAILED] += count
    return changes


def changes_by_rows(connection: apsw.Connection, flushes: Sequence[LaneFlush]) -> Changes:
    """What it changes to write, and to remove, the rows of these lanes. To be asked before that is done."""
    changes: Changes = Counter()
    for number, state in rows_of_many(
        connection,
        "SELECT subscription_number, state FROM delivery WHERE subscription_number = ? AND sequence = ?",
        [(flush.subscription_number, sequence) for flush in flushes for sequence in flush.rows],
    ):
        changes[number, state] -= 1
    for flush in flushes:
        for row in flush.rows.values():
            if row is not None:
                changes[flush.subscription_number, row.state] += 1
    return changes


def after(counts: RowCounts, number: int, changes: Changes) -> RowCounts:
    return RowCounts(
        counts.awaiting_retry + changes[number, State.AWAITING_RETRY],
        counts.blocked + changes[number, State.BLOCKED],
        counts.failed + changes[number, State.FAILED],
    )


def forget_below(connection: apsw.Connection, tenant_id: int, sequence: int) -> None:
    """Count a tenant's rows below a sequence no more, which are about to be removed."""
    changes: Changes = Counter()
    for number, state, count in rows(
        connection,
        "SELECT subscription_number, state, count(*) FROM delivery INDEXED BY delivery_tenant_state"  # noqa: S608
        f" WHERE tenant_id = ? AND state IN {ANY} AND sequence < ? GROUP BY subscription_number, state",
        (tenant_id, sequence),
    ):
        changes[number, state] = -count
    connection.executemany(
        "UPDATE lane SET awaiting_retry = awaiting_retry + ?, blocked = blocked + ?, failed = failed + ?"
        " WHERE subscription_number = ?",
        [(*after(RowCounts(), number, changes), number) for number in {number for number, _ in changes}],
    )
