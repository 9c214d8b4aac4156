"""How many exception rows each lane has in each state, kept in the lane's own row.

Nothing counts rows when someone asks. Instead, whatever writes exception rows says which states come and go, in the
same transaction, so the counts are exact after every commit.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.exception_row import RowCounts
from signalpost.store.nouns.lanes import LaneFlush

ROW_COUNT_COLUMNS = "awaiting_retry, blocked, failed"
"""The columns of a lane's row that say how many exception rows it has in each state."""
Changes = Counter[tuple[int, int]]
"""How many rows more (or less) there are, by the number of the subscription and the state."""


def by_abandoning(waiting: Iterable[tuple[int, int, int]]) -> Changes:
    """What it changes to give up rows that wait: their subscription, their state, and how many there are."""
    changes: Changes = Counter()
    for number, state, count in waiting:
        changes[number, state] -= count
        changes[number, State.FAILED] += count
    return changes


def by_rows(former: Iterable[tuple[int, int]], flushes: Sequence[LaneFlush]) -> Changes:
    """What it changes to write, and to remove, the rows of these lanes. `former` are the states, each with its
    subscription, of those that are there."""
    changes: Changes = Counter()
    for number, state in former:
        changes[number, state] -= 1
    for flush in flushes:
        for row in flush.rows.values():
            if row is not None:
                changes[flush.subscription_number, row.state] += 1
    return changes


def after(counts: RowCounts, number: int, changes: Changes) -> RowCounts:
    """The counts of a lane once its rows have changed."""
    return RowCounts(
        counts.awaiting_retry + changes[number, State.AWAITING_RETRY],
        counts.blocked + changes[number, State.BLOCKED],
        counts.failed + changes[number, State.FAILED],
    )
