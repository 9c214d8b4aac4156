"""A rate limit over a sliding window: no window, wherever it begins, has more than `rate` starts.

It keeps the time of each start in the last window. A limiter that keeps a single number would either let nearly twice
as many through in the first second after a pause, or lose throughput for good by every start that is a little late.
"""

from array import array
from bisect import bisect_right

from signalpost.domain.timestamps import SECOND


class RateLimit:
    """Times are µs of one clock, which never goes back."""

    __slots__ = ("_starts", "_window", "promised")

    def __init__(self, window: int = SECOND) -> None:
        """`window` is the length of the window, µs."""
        self._window = window
        self._starts = array("q")
        """The times of the starts in the window that ends with the last one, ascending."""
        self.promised = 0
        """How many starts were granted that have not happened yet; they count as starts from now on."""

    def earliest(self, rate: int, now: int) -> int:
        """When one more may start, as far as is known now; at once if that is `now` or earlier. Any thread may ask: so
        nothing is counted that could be gone a step later."""
        left = rate - self.promised
        if left <= 0:
            return now + self._window
        try:
            return self._starts[-left] + self._window
        except IndexError:  # fewer have started
            return 0

    def start(self, at: int) -> None:
        del self._starts[: bisect_right(self._starts, at - self._window)]
        self._starts.append(at)
