"""Time, as the engine is given it."""

import time
from typing import Protocol


class Clock(Protocol):
    def wall(self) -> int:
        """µs since the epoch, as people read it; may be set back."""
        ...

    def steady(self) -> int:
        """µs that only go forward, as the event loop's timers do; equal to `wall` when the process began. Delays and
        due times are counted in it, so that a step of the wall clock neither fires nor postpones a retry."""
        ...


class SystemClock:
    def __init__(self) -> None:
        self._anchor = time.time_ns() - time.monotonic_ns()

    def wall(self) -> int:
        return time.time_ns() // 1000

    def steady(self) -> int:
        return (self._anchor + time.monotonic_ns()) // 1000


def boot_time() -> int:
    """µs that only go forward, also while the machine sleeps. A clock of `time.monotonic` stands still then on Linux,
    and runs on other systems."""
    return (
        time.clock_gettime_ns(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic_ns()
    ) // 1000


def passed(clock: Clock) -> int:
    """The time that it is at least, for what cannot be undone (µs since the epoch): by how much the wall clock was set
    ahead since the process began does not count, as it may be years and wrong."""
    return min(clock.wall(), clock.steady())
