"""Limits how many clients a second are told that too much is waiting (429).

Refusing a request costs a third of serving it, and a client that ignores `Retry-After` asks again at once: a hundred
such clients would keep the event loop busy with nothing else. So refusals beyond the rate are delayed, and each delays
the client's next request.
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
        """When the next refusal would be due if all had kept their distance since the start (µs)."""

    async def turn(self) -> None:
        """Waits until one more client may be refused. As many as a second allows are refused at once."""
        now = self._clock.steady()
        delay = self._theoretical + _DISTANCE - SECOND - now
        self._theoretical = max(self._theoretical, now) + _DISTANCE
        if delay > 0:
            await asyncio.sleep(delay / SECOND)
