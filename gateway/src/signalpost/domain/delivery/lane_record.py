"""What a lane did since it was last recorded: exception rows that changed, and how deliveries of replays ended."""

from collections.abc import Container
from typing import Final, NamedTuple

from signalpost.domain.delivery.delivery import Delivery, DeliveryInput, State
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.delivery.replay import ReplayTally

DELIVERED: Final = ReplayTally(delivered=1)
FAILED: Final = ReplayTally(failed=1)
SKIPPED: Final = ReplayTally(skipped=1)


class LaneChanges(NamedTuple):
    """What to record of a lane: its row, and the exception rows to write, or (None) to remove, by sequence."""

    head: int
    open: tuple[int, ...]
    gaps: tuple[tuple[int, int], ...]
    rows: dict[int, Row | None]
    abandoned_to: int
    """Rows up to here that await a retry or are blocked become failed ones, before `rows` are written; 0 for none."""
    hurried_by: int
    """Rows that wait and are untried become due so many µs earlier, before `rows` are written."""
    ended: dict[int, ReplayTally]
    """How deliveries of replays ended, by the replays' numbers; without those that only `abandoned_to` ends."""


def add_gap(gaps: list[tuple[int, int]], head: int, up_to: int) -> None:
    """Note that a lane with this head takes in nothing up to a sequence. If the retention catches up with it again and
    again, it has one gap, which grows."""
    continues = gaps and gaps[-1][1] == head
    gaps.append((gaps.pop()[0] if continues else head + 1, up_to))


class UnrecordedChanges:
    """What a lane did since `take` was last called."""

    def __init__(self) -> None:
        self.rows: dict[int, Row | None] = {}
        """Exception rows that changed, by sequence; None for those that are to be removed."""
        self.abandoned_to = 0
        """See `LaneChanges`."""
        self.hurried_by = 0
        """See `LaneChanges`."""
        self._ended: dict[int, ReplayTally] = {}

    def note_end(self, replay: int | None, how: ReplayTally) -> None:
        """Count for its replay that a delivery ended."""
        if replay is not None:
            self._ended[replay] = self._ended.get(replay, ReplayTally()) + how

    def remove(self, delivery: Delivery, how: ReplayTally) -> None:
        """Remove the row of a delivery that ended."""
        self.rows[delivery.sequence] = None
        self.note_end(delivery.replay, how)

    def row_now(self, sequence: int, recorded: Row | None) -> Row | None:
        """The row of a delivery, with what changed since it was recorded. If the delivery was abandoned since then, it
        is given up here, so that it ends once, no matter what follows."""
        if sequence in self.rows:
            return self.rows[sequence]
        if recorded is not None:
            recorded = recorded.hurried(self.hurried_by)
        if recorded is not None and sequence <= self.abandoned_to and recorded.state is not State.FAILED:
            return self.give_up(recorded)
        return recorded

    def give_up(self, row: Row) -> Row:
        """Give up a delivery that is not in memory. Returns its row from now on."""
        self.note_end(row.replay, FAILED)
        self.rows[row.sequence] = given_up = row.after(DeliveryInput.GIVE_UP)
        return given_up

    def abandon(self, up_to: int) -> None:
        """Give up what only the store has, up to a sequence."""
        self.abandoned_to = max(self.abandoned_to, up_to)

    def hurry(self, by: int) -> None:
        """Make every row that waits and is untried due so many µs earlier, here and in the store."""
        self.hurried_by += by
        self.rows = {sequence: None if row is None else row.hurried(by) for sequence, row in self.rows.items()}

    def retries_here_alone(self, in_memory: Container[int]) -> list[Row]:
        """Deliveries that failed since the last record and are due beyond the horizon: they are not among those in
        memory, and not in the store yet."""
        rows = (row for row in self.rows.values() if row is not None and row.state is State.AWAITING_RETRY)
        return [row for row in rows if row.sequence not in in_memory]

    def take(self, head: int, open_: tuple[int, ...], gaps: tuple[tuple[int, int], ...]) -> LaneChanges:
        """Everything since the last call, with the lane's row as it is now."""
        changes = LaneChanges(head, open_, gaps, self.rows, self.abandoned_to, self.hurried_by, self._ended)
        self.rows, self._ended = {}, {}
        self.abandoned_to = self.hurried_by = 0
        return changes
