"""How fast the calls of one connection may follow one another, for calls that the vendor counts together.

    lane asks `earliest` ──▶ let go: promised ──first call──▶ calling ──▶ ended
                                                   └─ a further call waits for its turn, before any delivery that is new

In no stretch of time of the kind's length do more calls start than its rate says. A delivery that was let go and has
yet to make its first call counts as one that starts now.
"""

import asyncio
from typing import Final

from signalpost.domain.timestamps import SECOND
from signalpost.engine.lanes.carriers import GatedLane
from signalpost.runtime.clock import Clock
from signalpost.sharing.rate_limit import RateLimit

UNKNOWN_RATE: Final = (1, 1.0)
"""The rate of a kind that is not installed: nothing is sent to it."""


class Pace:
    def __init__(self, rate: tuple[int, float], clock: Clock) -> None:
        """`rate` is a number of calls, and in how many seconds."""
        self._most, seconds = rate
        self._clock = clock
        self._limit = RateLimit(round(seconds * SECOND))
        self.users: dict[GatedLane, None] = {}
        """The lanes that go at this pace, in the order in which they came: that of a set changes with every start."""
        self._calling: set[object] = set()
        """The deliveries in flight that have made their first call."""
        self._waiting = 0
        """How many deliveries wait to make a further call."""

    @property
    def in_flight(self) -> int:
        return sum(user.in_flight for user in self.users)

    @property
    def is_idle(self) -> bool:
        """Whether no lane uses this pace, and no call is recent enough to matter."""
        busy = self.users or self._calling or self._waiting
        return not busy and self._limit.earliest(1, self._clock.steady()) <= self._clock.steady()

    def earliest(self, now: int) -> int:
        """When one more delivery may be let go, steady µs: at once if that is `now` or earlier."""
        self._limit.promised = self._promised + self._waiting
        return self._limit.earliest(self._most, now)

    def note_call(self, delivery: object | None = None) -> None:
        """Note that a call goes out: the first of `delivery`, or a further one if that is None."""
        if delivery is not None:
            self._calling.add(delivery)
        self._limit.start(self._clock.steady())

    async def further_call(self) -> None:
        """Wait until a delivery that has made its first call may make another."""
        self._waiting += 1
        try:
            while (wait := self._earliest_further()) > 0:
                await asyncio.sleep(wait / SECOND)
        finally:
            self._waiting -= 1

    def note_end(self, delivery: object) -> None:
        """A delivery has ended, and its lane knows."""
        self._calling.discard(delivery)

    def _earliest_further(self) -> int:
        """How many µs to wait for the next further call."""
        now = self._clock.steady()
        self._limit.promised = self._promised
        return self._limit.earliest(self._most, now) - now

    @property
    def _promised(self) -> int:
        return max(0, self.in_flight - len(self._calling))
