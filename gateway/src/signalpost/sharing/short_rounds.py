"""Keeps rounds of the event loop short if very many clients send, or leave, at the same moment.

The system hands over at once whatever came since it was last asked, so a thousand requests that come together would
keep everything else waiting for a tenth of a second. A few are begun in each round, first come, first served.
"""

import asyncio
from collections import deque
from collections.abc import Callable

STEPS_IN_A_ROUND = 32
"""A step begins a request, or takes the next part of its body: some 0.2 ms with what the application then does."""


class ShortRounds:
    """Belongs to the event loop that it is made on."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = STEPS_IN_A_ROUND
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_round_noted = False

    def run(self, step: Callable[[], None]) -> None:
        """Take a step now, or in a later round if this one has had its share or others wait."""
        if not self._is_round_noted:
            self._note_round()
        if self._left > 0 and not self._waiting:
            self._left -= 1
            step()
        else:
            self._waiting.append(step)

    def _note_round(self) -> None:
        self._is_round_noted = True
        self._loop.call_soon(self._begin_round)

    def _begin_round(self) -> None:
        self._is_round_noted = False
        begun = min(STEPS_IN_A_ROUND, len(self._waiting))
        self._left = STEPS_IN_A_ROUND - begun
        if begun:
            self._note_round()
        for _ in range(begun):
            self._loop.call_soon(self._waiting.popleft())
