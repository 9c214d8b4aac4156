"""When a client is told that too much waits already: at once, but no more than so many a second.

Being refused costs a third of being served, and whoever ignores `Retry-After` is back at once: some hundred such
clients would have the event loop do little else. So refusals beyond the rate wait for their turn, and with each the
client that would ask again.
"""

import asyncio

from signalpost.domain.timestamps import SECOND
from signalpost.runtime.clock import Clock

REFUSALS_PER_SECOND = 1_000
_DISTANCE = SECOND // REFUSALS_PER_SECOND


class Refusals:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._theoretical = 0
        """When the next would be told if all had kept their distance from the start (µs)."""

    async def turn(self) -> None:
        """Wait until one more may be told; up to a second's worth at once."""
        now = self._clock.steady()
        delay = self._theoretical + _DISTANCE - SECOND - now
        self._theoretical = max(self._theoretical, now) + _DISTANCE
        if delay > 0:
            await asyncio.sleep(delay / SECOND)
