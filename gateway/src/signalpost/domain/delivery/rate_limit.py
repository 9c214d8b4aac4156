"""A rate limit: in no second, or other stretch of time, wherever it begins, more than `rate` starts.

The times of the last stretch's starts are kept. A limit that keeps a single number either lets nearly twice as many
through in the first second after a rest, or has every start that is a little late cost throughput for good.
"""

from array import array
from bisect import bisect_right

from signalpost.domain.timestamps import SECOND


class RateLimit:
    """Times are µs of one clock, which never goes back."""

    __slots__ = ("_starts", "_window", "promised")

    def __init__(self, window: int = SECOND) -> None:
        """`window` is the stretch of time, µs."""
        self._window = window
        self._starts = array("q")
        """Ascending: the last one, and those of the stretch before it."""
        self.promised = 0
        """How many were let go and have yet to start: no sooner than now."""

    def earliest(self, rate: int, now: int) -> int:
        """When one more may start, so far as is known now; `now` or earlier: at once."""
        left = rate - self.promised
        if left <= 0:
            return now + self._window
        return self._starts[-left] + self._window if len(self._starts) >= left else 0

    def start(self, at: int) -> None:
        del self._starts[: bisect_right(self._starts, at - self._window)]
        self._starts.append(at)
