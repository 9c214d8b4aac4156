"""Limits how many clients a second are refused: because too much is waiting (429), or because no one
knows them (401, 404).

Refusing a request costs a third of serving it, and a client that ignores `Retry-After` asks again at once: a hundred
such clients would keep the event loop busy with nothing else. So refusals beyond the rate are delayed, and each delays
the client's next request. Only who is refused waits: a caller with a good key is served at once, also from the address
from which others try wrong ones. And only so many wait, because each holds one of `MAX_CONNECTIONS`; beyond that, they
are refused at once, which is all that can be done for the others then.
"""

import asyncio

from signalpost.domain.timestamps import SECOND
from signalpost.runtime.clock import Clock

REFUSALS_PER_SECOND = 1_000
STRANGERS_PER_SECOND = 100


class Refusals:
    def __init__(self, clock: Clock, per_second: int, max_waiting: int) -> None:
        self._clock = clock
        self._distance = SECOND // per_second
        self._max_waiting = max_waiting
        self._waiting = 0
        self._theoretical = 0
        """When the next refusal would be due if all had kept their distance since the start (µs)."""

    async def turn(self) -> None:
        """Waits until one more client may be refused. As many as a second allows are refused at once."""
        if self._waiting >= self._max_waiting:
            return
        now = self._clock.steady()
        delay = self._theoretical + self._distance - SECOND - now
        self._theoretical = max(self._theoretical, now) + self._distance
        if delay > 0:
            self._waiting += 1
            try:
                await asyncio.sleep(delay / SECOND)
            finally:
                self._waiting -= 1
