"""The counts of exception rows as SQLite keeps them; see `row_changes.py`."""

from collections import Counter
from collections.abc import Sequence

import apsw

from signalpost.domain.delivery.exception_row import RowCounts
from signalpost.store import row_changes
from signalpost.store.nouns.lanes import LaneFlush
from signalpost.store.row_changes import Changes
from signalpost.store.sqlite.connect import rows, rows_of_many, write_many
from signalpost.store.sqlite.states import ANY, WAITING


def changes_by_abandoning(connection: apsw.Connection, flushes: Sequence[LaneFlush]) -> Changes:
    """What it changes to give up the rows that these lanes have abandoned. To be asked before that is done."""
    statement = (
        "SELECT subscription_number, state, count(*) FROM delivery INDEXED BY delivery_state"  # noqa: S608
        f" WHERE subscription_number = ? AND state IN {WAITING} AND sequence <= ? GROUP BY state"
    )
    keys = [(flush.subscription_number, flush.abandoned_to) for flush in flushes]
    return row_changes.by_abandoning(rows_of_many(connection, statement, keys))


def changes_by_rows(connection: apsw.Connection, flushes: Sequence[LaneFlush]) -> Changes:
    """What it changes to write, and to remove, the rows of these lanes. To be asked before that is done."""
    former = rows_of_many(
        connection,
        "SELECT subscription_number, state FROM delivery WHERE subscription_number = ? AND sequence = ?",
        [(flush.subscription_number, sequence) for flush in flushes for sequence in flush.rows],
    )
    return row_changes.by_rows(former, flushes)


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
    write_many(
        connection,
        "UPDATE lane SET awaiting_retry = awaiting_retry + ?, blocked = blocked + ?, failed = failed + ?"
        " WHERE subscription_number = ?",
        [(*row_changes.after(RowCounts(), number, changes), number) for number in {number for number, _ in changes}],
    )
