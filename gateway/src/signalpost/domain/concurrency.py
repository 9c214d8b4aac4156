"""How many attempts one endpoint may have under way: few at first, more while it answers fast, fewer if not."""

from signalpost.domain.outcome import Failure, Outcome
from signalpost.domain.timestamps import SECOND

FIRST = 4
AFTER_BREAKER = 1
MOST = 128
FAST = 1 * SECOND

_STALLS = frozenset({Failure.TIMEOUT, Failure.CONNECT, Failure.RESET, Failure.DNS})


def after(limit: int, outcome: Outcome) -> int:
    """The limit after one more outcome: one more after a fast answer, half after none came."""
    if outcome.failure in _STALLS:
        return max(1, limit // 2)
    if outcome.elapsed_us < FAST:
        return min(limit + 1, MOST)
    return limit
