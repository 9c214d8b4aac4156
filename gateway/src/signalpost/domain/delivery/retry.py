"""When a failed attempt is tried again (C16)."""

from datetime import UTC
from email.utils import parsedate_to_datetime

from signalpost.domain.timestamps import SECOND

DELAYS: tuple[int, ...] = (10, 60, 300)
"""Seconds from the end of a failed attempt to the next one."""
MAX_JITTER = 0.2
MAX_RETRY_AFTER = 3600
"""The maximum number of seconds that an endpoint can ask for."""


def delay(seconds: int, jitter: float, retry_after: int | None) -> int:
    """µs from a failure to the next attempt: `seconds` of the schedule or, if longer, what the endpoint asked for,
    and some more by `jitter`, a random number in [0, 1). Never earlier."""
    return round(max(seconds, retry_after or 0) * SECOND * (1 + MAX_JITTER * jitter))


def parse_retry_after(value: str | None, now: int) -> int | None:
    """The seconds that a `retry-after` header (a number or an HTTP date) asks for, at most an hour; None if neither."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(int(text.lstrip("0")[:9] or "0"), MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)  # the obsolete forms name no zone; all of them mean GMT
        seconds = moment.timestamp() - now / SECOND
    except (ValueError, OverflowError, TypeError):
        return None
    return max(0, min(int(seconds) + 1, MAX_RETRY_AFTER))
