"""How far the reader of a subscription has come, and what it holds: the lane of a subscription of the kind `poll`.

Its row is that of every lane. What is handed out is `open` until it is acknowledged, or given back, and `head` is the
last event that was looked at. No node owns the lane: each call of the reader loads the row, changes it with the
functions here, and writes it if it still has the version that was loaded. So whichever node is asked, of two readers
one is handed an event, and the other waits until that is acknowledged or its lease is over. Whatever is lost between
(a node, an answer, the reader), the lease ends, and the same events are handed out again.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from signalpost.domain.timestamps import MINUTE

NOTED_EVERY: Final = MINUTE
"""How often it is written down that a reader asked, if there was nothing for it."""


class Reading(Struct, frozen=True, omit_defaults=True):
    """What is kept about a reader. Times are µs since the epoch."""

    read_at: int = 0
    """When it last asked, to the minute."""
    acknowledged_at: int | None = None
    receipt: str | None = None
    """Names what was handed out last."""
    handed_at: int = 0
    last: int = 0
    """The last sequence of what was handed out."""
    until: int = 0
    """When the lease of that ends: from then on it is handed out again."""
    times: int = 0
    """How often the first of it was handed out."""


_NEVER_READ: Final = Reading()


class ReadLane(Struct, frozen=True):
    """The lane of a subscription that is read."""

    head: int
    open: tuple[int, ...]
    """What was handed out and is not acknowledged, in order."""
    gaps: tuple[tuple[int, int], ...]
    reading: Reading

    @classmethod
    def recorded(
        cls,
        head: int,
        opened: Iterable[int],
        skip_to: int,
        gaps: tuple[tuple[int, int], ...] = (),
        reading: Reading = _NEVER_READ,
    ) -> "ReadLane":
        """The lane that a row tells of, without a backlog that was skipped: that is not written before a reader asks
        again."""
        return cls(head, tuple(opened), gaps, reading).past(skip_to)

    def held_until(self, now: int) -> int | None:
        """Until when a reader has what is open; None if it can be handed out. A clock that was set back by more than
        the lease ends it."""
        handed, until = self.reading.handed_at, self.reading.until
        return until if self.open and 2 * handed - until < now < until else None

    def past(self, sequence: int) -> "ReadLane":
        """The same without anything up to a sequence, which was skipped or removed: it is never read."""
        dropped = tuple((each, each) for each in self.open if each <= sequence)
        gaps = (*self.gaps, *dropped)
        if sequence > self.head:
            # If the retention catches up again and again, there is one gap, which grows.
            continues = bool(self.gaps) and not dropped and self.gaps[-1][1] == self.head
            first = self.gaps[-1][0] if continues else self.head + 1
            gaps = (*(gaps[:-1] if continues else gaps), (first, sequence))
        left = tuple(each for each in self.open if each > sequence)
        return replace(self, head=max(self.head, sequence), open=left, gaps=tuple(sorted(gaps)))

    def unread_up_to(self, sequence: int) -> int:
        """How many events up to a sequence were never acknowledged; it may be that not all of them were wanted."""
        return max(0, sequence - self.head) + sum(each <= sequence for each in self.open)

    def looked_up_to(self, sequence: int) -> "ReadLane":
        """The same once everything up to a sequence was looked at."""
        return replace(self, head=max(self.head, sequence))

    def without(self, settled: Iterable[int]) -> "ReadLane":
        """The same once some of what is open needs no reader any more."""
        gone = frozenset(settled)
        return replace(self, open=tuple(each for each in self.open if each not in gone)) if gone else self

    def handed(self, sequences: Iterable[int], receipt: str, now: int, lease: int) -> "ReadLane":
        """The same once events were handed out, for `lease` µs. Some may have been so before."""
        first, *more = sequences
        again = bool(self.open) and self.open[0] == first
        reading = replace(
            self.reading,
            read_at=now,
            receipt=receipt,
            handed_at=now,
            last=more[-1] if more else first,
            until=now + lease,
            times=self.reading.times + 1 if again else 1,
        )
        return replace(self, open=tuple(sorted({*self.open, first, *more})), reading=reading)

    def asked(self, now: int) -> "ReadLane":
        """The same once its reader asked and there was nothing for it."""
        if abs(now - self.reading.read_at) < NOTED_EVERY:
            return self
        return replace(self, reading=replace(self.reading, read_at=now))

    def acknowledged(self, through: int | None, now: int) -> tuple["ReadLane", tuple[int, ...]]:
        """The same once what was handed out last was handled, up to `through` or all of it, and what that settles. The
        rest is given back, to be handed out at once."""
        last = self.reading.last if through is None else min(through, self.reading.last)
        done = tuple(each for each in self.open if each <= last)
        if not self.open:
            return self, ()
        reading = replace(self.reading, until=0, acknowledged_at=now if done else self.reading.acknowledged_at)
        return replace(self.without(done), reading=reading), done
