"""A subscription's rate limit: `rate` sends a second, and after a rest as many at once. So any T seconds have at most
rate × (T + 1).

The generic cell rate algorithm: one number, the theoretical time of the next send if all had been on time.
"""

from signalpost.domain.timestamps import SECOND


def earliest(theoretical: int, rate: int) -> int:
    """When the next send may go (µs, the same clock as `theoretical`): up to one second's worth may be early."""
    return theoretical - (rate - 1) * _interval(rate)


def after_send(theoretical: int, rate: int, now: int) -> int:
    """The theoretical time of the send after this one."""
    return max(theoretical, now) + _interval(rate)


def _interval(rate: int) -> int:
    """µs between two sends, rounded up: rounded down, some rates would be exceeded by several per cent."""
    return -(-SECOND // rate)
