"""How fast something is removed that no caller waits for: in slices of some milliseconds of the database's work, with
turns for others in between.

While nothing else is written, a slice is as large as its time allows. While much is written, a slice waits far longer
for its turn than it works, and that time says nothing about its size. Then it is as large as it takes to keep up: it
removes twice what was written since the slice before. To remove something takes the database less time than to write it
did, so a caller who waits behind a slice waits no longer than behind a commit.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

MAX_SIZE: Final = 2_000
MIN_SIZE: Final = 250
FAST, SLOW = 0.1, 0.25
"""Seconds below which slices get larger again, and above which they get smaller."""
TIMES_WRITTEN: Final = 2
"""How many times as much is removed as was written meanwhile."""
MOST: Final = 4_096
"""A slice's size at most: as much as sixteen commits write. Fewer come between two slices."""
MAX_REST: Final = 0.05
"""Seconds for which others have their turn at most. Up to there it is as long as the slice took."""


class SlicePace:
    def __init__(self, written: Callable[[], int]) -> None:
        """`written` says how much was written so far, in the unit of a slice's size."""
        self._written = written
        self._in_time = MAX_SIZE
        """How large a slice may be for the time that the last ones took."""
        self._written_meanwhile = 0

    @property
    def size(self) -> int:
        """How much the next slice should remove."""
        return max(self._in_time, min(TIMES_WRITTEN * self._written_meanwhile, MOST))

    async def take(self, removal: Awaitable[int]) -> int:
        """Wait for the removal of a slice of `size`, and then let others have their turn. Returns how much was
        removed."""
        loop = asyncio.get_running_loop()
        began, written = loop.time(), self._written()
        removed = await removal
        took = loop.time() - began
        if removed:
            self._in_time = next_size(self._in_time, took)
            await asyncio.sleep(min(took, MAX_REST))
        self._written_meanwhile = self._written() - written
        return removed


def next_size(size: int, took: float) -> int:
    """How much to remove at a time, so that others wait little, after so much took so many seconds."""
    if took < FAST:
        return min(2 * size, MAX_SIZE)
    return max(size // 2, MIN_SIZE) if took > SLOW else size
