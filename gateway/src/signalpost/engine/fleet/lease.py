"""How long a node may start attempts.

A lease is counted from before the beat that renewed it was sent, by a clock that also runs while the machine sleeps. So
it has ended on a node that was frozen before that node does anything else, and before another one takes its lanes.
"""

from collections.abc import Callable
from math import inf

from signalpost.domain.timestamps import SECOND


class Lease:
    def __init__(self, seconds: float, now: Callable[[], int]) -> None:
        """`now` is such a clock, µs. A lease of infinite `seconds` never ends once it has begun."""
        self._seconds = seconds
        self._now = now
        self._until: float = -inf

    @property
    def holds(self) -> bool:
        until = self._until
        return until == inf or self._now() < until

    def began(self) -> int:
        """The time to note before a beat is sent."""
        return 0 if self._seconds == inf else self._now()

    def renew(self, began: int) -> None:
        """Note that the beat that began then has succeeded."""
        self._until = max(self._until, began + self._seconds * SECOND)

    def end(self) -> None:
        self._until = -inf
