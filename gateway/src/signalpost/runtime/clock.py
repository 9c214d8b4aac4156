"""Time, as the engine is given it."""

import time
from collections.abc import Callable
from typing import Final, Protocol


class Clock(Protocol):
    def wall(self) -> int:
        """µs since the epoch, as people read it; may be set back."""
        ...

    def steady(self) -> int:
        """µs that only go forward, as the event loop's timers do; equal to `wall` when the process began. Delays and
        due times are counted in it, so that a step of the wall clock neither fires nor postpones a retry."""
        ...


def wall_clock() -> int:
    """µs since the epoch, as this machine's clock says."""
    return time.time_ns() // 1000


class SystemClock:
    wall = staticmethod(wall_clock)

    def __init__(self) -> None:
        self._anchor = time.time_ns() - time.monotonic_ns()

    def steady(self) -> int:
        return (self._anchor + time.monotonic_ns()) // 1000


MAX_ADJUSTMENT: Final = 0.02
"""Maximum share of the elapsed time by which a clock is adjusted to the database's. It is so small that counting
seconds by such a clock, such as until a node is dead, is hardly wrong."""
MAX_ADJUSTED_AT_ONCE: Final = 200_000
SURE_WITHIN: Final = 1_000_000
"""An answer that took longer than that, µs, says too little of what the time is, unless it is the first."""


class DatabaseClock:
    """The time of a database that several nodes share, as this node knows it from what it hears with its beats.

    Due times, the ends of links and the times of signatures are made by one node and used by another, so all go by one
    clock. It begins where this machine's clock stands, and takes over the database's with the first beat, before
    anything is timed. Later it is adjusted slowly, and waits rather than goes back: a database whose clock is set, or a
    standby with another one, fires no retry before its time.
    """

    def __init__(self, monotonic: Callable[[], int], wall: Callable[[], int]) -> None:
        """Both tell µs: `monotonic` since whenever, `wall` since the epoch, as this machine has it."""
        self._monotonic = monotonic
        self._offset = wall() - monotonic()
        self._last = 0
        self._heard_at: int | None = None
        """When the last answer came that counted, by `monotonic`."""

    def wall(self) -> int:
        return self.steady()

    def steady(self) -> int:
        self._last = max(self._last, self._monotonic() + self._offset)
        return self._last

    def hear(self, now: int, took: int) -> None:
        """Take up that the database's time was `now` at some moment of the last `took` µs. A clock that may be right
        stays as it is: one of the database's own machine is right, however busy that is."""
        at = self._monotonic()
        ahead = now - (at + self._offset - took // 2)
        differs = abs(ahead) > took // 2
        if self._heard_at is None:
            if differs:
                self._offset += ahead
                self._last = 0
        elif took > SURE_WITHIN:
            return
        elif differs:
            most = min(round((at - self._heard_at) * MAX_ADJUSTMENT), MAX_ADJUSTED_AT_ONCE)
            self._offset += min(most, max(-most, ahead))
        self._heard_at = at


def database_clock() -> DatabaseClock:
    """One that begins with this machine's time."""
    return DatabaseClock(lambda: time.monotonic_ns() // 1000, wall_clock)


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
