"""An answer that is made for all who ask for it at the same time, and takes at most a tenth of the time.

Who asks while it may not be made waits, and gets what is made then: so it is never older than the question.
"""

import asyncio
from collections.abc import Awaitable, Callable

from signalpost.domain.timestamps import SECOND
from signalpost.runtime.clock import Clock

PAUSE = 9
"""How many times as long as it took to make the answer none is made after it."""


class SharedRendering:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next: asyncio.Task[bytes] | None = None
        """What those who ask now will get."""
        self._free_at = 0

    async def get(self, render: Callable[[], Awaitable[bytes]]) -> bytes:
        """What `render` makes, now or once it may."""
        if self._next is None:
            self._next = asyncio.create_task(self._made(render))
        return await asyncio.shield(self._next)

    async def _made(self, render: Callable[[], Awaitable[bytes]]) -> bytes:
        pause = self._free_at - self._clock.steady()
        if pause > 0:
            await asyncio.sleep(pause / SECOND)
        self._next = None  # who asks from now on wants later numbers
        began = self._clock.steady()
        made = await render()
        ended = self._clock.steady()
        self._free_at = ended + PAUSE * (ended - began)
        return made
