"""A clock whose wall a test moves; delays go by the system's."""

from signalpost.runtime.clock import SystemClock


class MovedClock:
    """Stands still but for what it is moved."""

    def __init__(self) -> None:
        self._system = SystemClock()
        self.now = self._system.wall()

    def move(self, by: int) -> None:
        """Set the clock ahead by some microseconds."""
        self.now += by

    def wall(self) -> int:
        return self.now

    def steady(self) -> int:
        return self._system.steady()
