"""How many attempts one endpoint may have in flight: few at first, more while it answers fast, fewer if not.

After it was down to one (because attempts stalled, or its breaker just closed), it at most doubles every two seconds,
so that a thousand endpoints that come back together are not overwhelmed by their backlogs.
"""

from msgspec import Struct

from signalpost.domain.delivery.outcome import UNCOUNTED, Failure, Outcome
from signalpost.domain.timestamps import SECOND

FAST = 1 * SECOND
DOUBLES_EVERY = 2 * SECOND
_MAX_DOUBLINGS = 10
_SMOOTHING = 3
"""The weight of one answer in the running mean: 1/8."""
_STALLS = frozenset({Failure.TIMEOUT, Failure.CONNECT, Failure.PROXY, Failure.RESET, Failure.DNS})


class Concurrency(Struct, frozen=True):
    limit: int = 4
    typical: int = FAST
    """The running mean of an attempt's duration, µs. An endpoint that has not answered yet counts as slow."""
    low_at: int | None = None
    """When it was last down to one, steady µs."""

    @property
    def is_slow(self) -> bool:
        """Whether its attempts take long, whether they succeed or fail."""
        return self.typical >= FAST


FIRST = Concurrency()


def after(before: Concurrency, outcome: Outcome, now: int, most: int) -> Concurrency:
    """The concurrency after an outcome: one more after a fast answer, half after no answer."""
    if outcome.failure in UNCOUNTED:
        return before
    limit, low_at = before.limit, before.low_at
    typical = before.typical + (outcome.elapsed_us - before.typical >> _SMOOTHING)
    if outcome.failure in _STALLS:
        limit = max(1, limit // 2)
        low_at = now if limit == 1 else low_at
    elif limit < most and outcome.elapsed_us < FAST and (low_at is None or limit < _ramp(now - low_at)):
        limit += 1
    return Concurrency(limit, typical, low_at)


def resumed(before: Concurrency) -> Concurrency:
    """One at a time until it answers; its speed before a pause says little about it now."""
    return Concurrency(1, before.typical)


def beginning_low(before: Concurrency, now: int) -> Concurrency:
    """One at a time, then gradually more."""
    return Concurrency(1, before.typical, now)


def _ramp(elapsed: int) -> int:
    return 1 << min(elapsed // DOUBLES_EVERY, _MAX_DOUBLINGS)
