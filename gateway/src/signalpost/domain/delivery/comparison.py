"""What two endpoints answered to the same events: that of a subscription and that of its shadow."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Protocol

from signalpost.domain.delivery.outcome import Failure

Difference = Literal["status", "answer"]
COMPARED_AT_MOST: Final = 10_000
"""How many events one comparison looks at."""


class AnsweredAttempt(Protocol):
    """What a comparison has to know of an attempt."""

    @property
    def started_at(self) -> int: ...
    @property
    def elapsed_us(self) -> int: ...
    @property
    def status(self) -> int | None: ...
    @property
    def failure(self) -> str | None: ...
    @property
    def answer(self) -> bytes: ...


def differences(original: AnsweredAttempt, shadow: AnsweredAttempt) -> tuple[Difference, ...]:
    """In what the answers of two attempts differ. If an endpoint gave none, what went wrong stands for its status."""
    found: list[Difference] = []
    if _status(original) != _status(shadow):
        found.append("status")
    if original.answer != shadow.answer:
        found.append("answer")
    return tuple(found)


def _status(attempt: AnsweredAttempt) -> int | str | None:
    return attempt.failure if attempt.status is None else attempt.status


class Latency(NamedTuple):
    """How long an endpoint took, in µs."""

    median: int
    p95: int


class AnswerTally:
    """Counts what was compared."""

    def __init__(self, since: int) -> None:
        """Attempts from before `since` may have been made to another endpoint, and do not count."""
        self._since = since
        self.compared = 0
        self.agree = 0
        self.differ: dict[Difference, int] = {"status": 0, "answer": 0}
        self._elapsed: tuple[list[int], list[int]] = [], []

    def add(self, original: AnsweredAttempt, shadow: AnsweredAttempt) -> tuple[Difference, ...]:
        """Compare the last attempts of an event. Returns in what they differ."""
        if any(each.started_at < self._since or each.failure == Failure.SKIPPED for each in (original, shadow)):
            return ()
        self.compared += 1
        for elapsed, attempt in zip(self._elapsed, (original, shadow), strict=True):
            elapsed.append(attempt.elapsed_us)
        found = differences(original, shadow)
        self.agree += not found
        for each in found:
            self.differ[each] += 1
        return found

    def latencies(self) -> tuple[Latency | None, Latency | None]:
        """How long the original took, and the shadow; None if nothing was compared."""
        original, shadow = map(_latency, self._elapsed)
        return original, shadow


def _latency(elapsed: Sequence[int]) -> Latency | None:
    if not elapsed:
        return None
    ordered = sorted(elapsed)
    return Latency(ordered[len(ordered) // 2], ordered[len(ordered) * 95 // 100])
