"""How fast something is removed that no caller waits for: in slices of some milliseconds of the database's work, with
turns for others in between.

A slice has a number of rows. How long it takes depends on who else writes, too: on a busy machine most of that is
waiting, and smaller slices would only make the removal slower than what it follows. So they get smaller only once one
takes so long that a caller who waits behind it would notice.
"""

import asyncio
from collections.abc import Awaitable
from typing import Final

MAX_SIZE: Final = 2_000
MIN_SIZE: Final = 250
FAST, SLOW = 0.1, 0.25
"""Seconds below which slices get larger again, and above which they get smaller."""
MAX_REST: Final = 0.05
"""Seconds for which others have their turn at most. Up to there it is as long as the slice took."""


class SlicePace:
    def __init__(self) -> None:
        self.size = MAX_SIZE
        """How many rows the next slice should have."""

    async def take(self, removal: Awaitable[int]) -> int:
        """Wait for the removal of a slice of `size` rows, and then let others have their turn. Returns how many were
        removed."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        removed = await removal
        took = loop.time() - began
        if removed:
            self.size = next_size(self.size, took)
            await asyncio.sleep(min(took, MAX_REST))
        return removed


def next_size(size: int, took: float) -> int:
    """How many rows to remove at a time after so many took so many seconds."""
    if took < FAST:
        return min(2 * size, MAX_SIZE)
    return max(size // 2, MIN_SIZE) if took > SLOW else size
