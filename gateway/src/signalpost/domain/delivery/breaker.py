"""The breaker of one endpoint: after enough failures it stops sending and only probes.

    closed ──(20 failures in a row over at least 60 s)──▶ open ──(a success)──▶ closed
                                                          │  ▲
                                                          └──┘ a failed probe doubles the wait, 10 s → 5 min

While it is open everything waits unsent but for one probe at a time, which is an ordinary attempt of one event that is
ready. A probe goes out when the wait is over, or when a person asks for an attempt: by a retry by hand or a resume. If
a retry by hand fails before the wait is over, the wait goes on as if no one had asked. A delivered test is a success.
An endpoint whose breaker is open and that had no success for days is given up: its subscription is disabled, which
loses nothing. Times are µs of the wall clock, since the breaker outlives a restart.
"""

from msgspec import Struct
from msgspec.structs import replace

from signalpost.domain.timestamps import SECOND

FAILURES = 20
FAILING_FOR = 60 * SECOND
PROBE_FIRST = 10 * SECOND
PROBE_LAST = 300 * SECOND
MAX_JITTER = 0.2


class Breaker(Struct, frozen=True):
    failures: int = 0
    """In a row, up to now."""
    failing_since: int | None = None
    """The first of them."""
    probe_at: int | None = None
    """When the next probe may go; None while closed."""
    wait: int = 0
    """Between the last probe and the next, before jitter."""

    @property
    def is_open(self) -> bool:
        return self.probe_at is not None


CLOSED = Breaker()


def after_success(breaker: Breaker) -> Breaker:
    """Any success closes it."""
    return CLOSED if breaker.failures else breaker


def after_failure(breaker: Breaker, now: int, jitter: float) -> Breaker:
    """The breaker after one more failure, which was no probe. `jitter` is a random number in [0, 1)."""
    failures = breaker.failures + 1
    if breaker.is_open:
        # An attempt that was in flight when the breaker opened tells nothing new.
        return replace(breaker, failures=failures)
    since = now if breaker.failing_since is None else breaker.failing_since
    if failures < FAILURES or now - since < FAILING_FOR:
        return Breaker(failures, since)
    return _waiting(failures, since, PROBE_FIRST, now, jitter)


def after_failed_probe(breaker: Breaker, now: int, jitter: float) -> Breaker:
    """The breaker, which is open, after the failure of its probe. `jitter` as for `after_failure`."""
    if breaker.probe_at is not None and now < breaker.probe_at:  # a person asked for it
        return replace(breaker, failures=breaker.failures + 1)
    since = now if breaker.failing_since is None else breaker.failing_since
    return _waiting(breaker.failures + 1, since, min(breaker.wait * 2, PROBE_LAST), now, jitter)


def _waiting(failures: int, since: int, wait: int, now: int, jitter: float) -> Breaker:
    return Breaker(failures, since, now + round(wait * (1 + MAX_JITTER * jitter)), wait)


def probing_now(breaker: Breaker, now: int) -> Breaker:
    """The breaker, if it is open, with its next probe at once."""
    return replace(breaker, probe_at=now) if breaker.is_open else breaker


def asked_anew(breaker: Breaker, asked_at: int) -> Breaker:
    """The breaker after an attempt was asked for at `asked_at`, of which the node that kept it may not have heard. If
    it is open, the next probe is due since then, unless the last one certainly failed after that."""
    if breaker.probe_at is None or asked_at <= breaker.probe_at - round(breaker.wait * (1 + MAX_JITTER)):
        return breaker
    return replace(breaker, probe_at=min(breaker.probe_at, asked_at))


def is_given_up(breaker: Breaker, counts_from: int, now: int, after: int) -> bool:
    """Whether it failed for so long (`after`, µs; 0 means never) that its subscription must be disabled. What it failed
    before `counts_from` does not count: it was resumed then, or something else was at fault."""
    if not after or not breaker.is_open or breaker.failing_since is None:
        return False
    return now - max(breaker.failing_since, counts_from) >= after
