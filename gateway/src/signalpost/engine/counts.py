"""What the engine counts while it works: plain integers, so that a delivery pays next to nothing for being counted.

`api/metric_families.py` turns them into metrics when it is asked.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.event import Event, EventType
from signalpost.domain.timestamps import SECOND

COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
ATTEMPT_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 5.5)
"""The last bound is beyond the time that an attempt has (C15), which tells a time-out from a slow answer."""


class Histogram:
    """Counts values by the lowest bound that they do not exceed; the last count is of those above all bounds."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Counts:
    """What happened since the process began."""

    def __init__(self) -> None:
        self.events: dict[int, int] = {int(event_type): 0 for event_type in EventType}
        """How many events were committed, by type."""
        self.attempts: dict[Failure | None, int] = {None: 0, **dict.fromkeys(Failure, 0)}
        """How many attempts ended, by failure; None counts the delivered ones."""
        self.disabled = 0
        """How many subscriptions were disabled because their endpoints had failed for days."""
        self.attempt_seconds = Histogram(ATTEMPT_SECONDS)
        self.commit_seconds = Histogram(COMMIT_SECONDS)
        """How long commits of commands took."""
        self.record_seconds = Histogram(COMMIT_SECONDS)
        """How long records of lanes took."""

    @property
    def committed(self) -> int:
        """How many events were committed."""
        return sum(self.events.values())

    @property
    def attempted(self) -> int:
        """How many attempts ended."""
        return sum(self.attempts.values())

    def count_events(self, events: Iterable[Event]) -> None:
        for event in events:
            self.events[event.type] += 1

    def count_attempt(self, outcome: Outcome) -> None:
        self.attempts[outcome.failure] += 1
        self.attempt_seconds.add(outcome.elapsed_us / SECOND)
