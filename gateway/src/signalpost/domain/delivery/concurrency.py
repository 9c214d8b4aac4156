"""How many attempts one endpoint may have under way: few at first, more while it answers fast, fewer if not.

Once it was down to one (attempts stalled, or its breaker closes) it at most doubles every two seconds: a thousand
endpoints that come back together do not fall under what waited for them.
"""

from msgspec import Struct

from signalpost.domain.delivery.outcome import UNCOUNTED, Failure, Outcome
from signalpost.domain.timestamps import SECOND

FAST = 1 * SECOND
DOUBLES_EVERY = 2 * SECOND
_MAX_DOUBLINGS = 10
_SMOOTHING = 3
"""An answer counts for 1/8 of what is typical."""
_STALLS = frozenset({Failure.TIMEOUT, Failure.CONNECT, Failure.PROXY, Failure.RESET, Failure.DNS})


class Concurrency(Struct, frozen=True):
    limit: int = 4
    typical: int = FAST
    """How long an attempt takes, µs: a running mean. Who has not answered yet is taken for slow."""
    low_at: int | None = None
    """When it was last down to one, steady µs."""

    @property
    def is_slow(self) -> bool:
        """Whether its attempts take long, with whatever result."""
        return self.typical >= FAST


FIRST = Concurrency()


def after(before: Concurrency, outcome: Outcome, now: int, most: int) -> Concurrency:
    """Follow one more outcome: one more after a fast answer, half after none came."""
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
    """One at a time until it answers; what it did before it was paused says little."""
    return Concurrency(1, before.typical)


def beginning_low(before: Concurrency, now: int) -> Concurrency:
    """One at a time, and more little by little."""
    return Concurrency(1, before.typical, now)


def _ramp(elapsed: int) -> int:
    return 1 << min(elapsed // DOUBLES_EVERY, _MAX_DOUBLINGS)
