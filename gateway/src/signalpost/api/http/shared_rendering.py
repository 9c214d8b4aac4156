"""One rendering for all requests that come at the same time, with a pause before the next.

A request that comes during the pause waits for the next one, so no answer is older than its request. A short rendering
takes at most a tenth of the time. A long one is done in slices, beside which others have their turn, so that no request
waits for longer than `MAX_PAUSE` because of it.
"""

import asyncio
from collections.abc import Awaitable, Callable

from signalpost.domain.timestamps import SECOND
from signalpost.runtime.clock import Clock

PAUSE = 9
"""The pause after a rendering, as a multiple of the time that it took."""
MAX_PAUSE = SECOND // 10
"""The longest pause, µs."""


class SharedRendering:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next: asyncio.Task[bytes] | None = None
        """The rendering that requests wait for now; None if none waits."""
        self._free_at = 0

    async def get(self, render: Callable[[], Awaitable[bytes]]) -> bytes:
        """What `render` makes, now or after the pause."""
        if self._next is None:
            self._next = asyncio.create_task(self._made(render))
        return await asyncio.shield(self._next)

    async def _made(self, render: Callable[[], Awaitable[bytes]]) -> bytes:
        pause = self._free_at - self._clock.steady()
        if pause > 0:
            await asyncio.sleep(pause / SECOND)
        self._next = None  # requests from now on want later numbers
        began = self._clock.steady()
        made = await render()
        ended = self._clock.steady()
        self._free_at = ended + min(PAUSE * (ended - began), MAX_PAUSE)
        return made
