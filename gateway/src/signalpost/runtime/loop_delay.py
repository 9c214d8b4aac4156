"""How late the event loop gets to what is due: the time that every request and every delivery may wait for others.

A time-out that should end after a tenth of a second is late by what kept the loop busy then. Sampling sees what lasts:
of work that keeps the loop from others for 50 ms once a second, it sees half.
"""

import asyncio
import time
from collections.abc import Callable

from signalpost.runtime.histogram import Histogram

EVERY = 0.1
DELAY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class LoopDelay:
    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """`now` is in seconds, and may begin anywhere. What asyncio's loops tell is as old as their present round."""
        self._now = now
        self.seconds = Histogram(DELAY_SECONDS)

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            due = self._now() + EVERY
            await asyncio.sleep(EVERY)
            self.seconds.add(max(0.0, self._now() - due))
