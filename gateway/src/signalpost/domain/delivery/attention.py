"""Which subscriptions need an operator now, why, and which of them first.

Pure: it looks at what is known of one subscription's lane. A subscription needs attention if nothing reaches its
endpoint, or if something was given up or lost. A single attempt that failed a moment ago does not count: retries take
care of it.
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from signalpost.domain.timestamps import SECOND, format_timestamp

FAILS_FOR: Final = 60 * SECOND
"""An endpoint that has failed for a shorter time, and whose breaker is closed, is left to its retries."""
FAR_BEHIND: Final = 1_000
"""A subscription with this many events to take in is behind."""
SOON: Final = 24 * 3_600 * SECOND
CERTIFICATE_SOON: Final = 14 * SOON
CERTIFICATE_ENDS_NOW: Final = 3 * SOON
"""What renews certificates has failed by then."""


class Need(StrEnum):
    """Why a subscription needs attention, worst first: a closed list. Each value is shown as it is in the API."""

    FAILING = "failing"
    """Nothing reaches the endpoint."""
    DISABLED = "disabled"
    """The gateway disabled it, and its events wait."""
    HELD = "held"
    """Something other than the endpoint blocks all sending, such as a connection that a person has to connect again."""
    LOST = "lost"
    """The retention removed events before they were delivered."""
    GIVEN_UP = "given_up"
    """Deliveries were given up, and wait for a replay."""
    BEHIND = "behind"
    """Events are delivered, but late."""


ORDER: Final = tuple(Need)


class Standing(Struct, frozen=True, kw_only=True):
    """What is known of a subscription's lane. Times are µs since the epoch."""

    status: str
    """`active`, `paused` or `disabled`."""
    failing_since: int | None = None
    breaker_is_open: bool = False
    last_error: str | None = None
    trouble: str | None = None
    """What blocks all sending, other than the endpoint, in a sentence."""
    lag: int = 0
    waiting: int = 0
    failed: int = 0
    """How many deliveries were given up and are kept."""
    lost: int = 0
    disabled_at: int | None = None
    disabled_because: str | None = None
    waits_since: int | None = None
    """When the oldest waiting event was made; None if that is not known."""
    kept_until: int | None = None
    """When the retention removes that event."""


class Attention(Struct, frozen=True):
    need: Need
    since: int | None
    sentence: str

    def rank(self, standing: Standing) -> tuple[int, int]:
        """The lowest is the worst."""
        return ORDER.index(self.need), -(standing.waiting + standing.failed + standing.lag)


def attention(standing: Standing, now: int) -> Attention | None:
    """Why a subscription needs attention; None if it does not, or if a person paused it."""
    numbers = _numbers(standing)
    if standing.status == "disabled":
        at = "" if standing.disabled_at is None else f" since {format_timestamp(standing.disabled_at)}"
        because = standing.disabled_because or "Its endpoint had failed for days."
        return Attention(Need.DISABLED, standing.disabled_at, f"Disabled{at}. {because}{numbers}{_kept(standing, now)}")
    if standing.status != "active":
        return None
    if standing.trouble is not None:
        return Attention(Need.HELD, standing.failing_since, f"{standing.trouble}{numbers}")
    since = standing.failing_since
    if since is not None and (standing.breaker_is_open or now - since >= FAILS_FOR):
        error = f" {standing.last_error}" if standing.last_error else ""
        return Attention(Need.FAILING, since, f"Every attempt fails since {format_timestamp(since)}.{error}{numbers}")
    now_it = "It is well now." if since is None else "Its last attempt failed."
    if standing.lost:
        return Attention(Need.LOST, None, f"{now_it}{numbers}")
    if standing.failed:
        return Attention(Need.GIVEN_UP, None, f"{now_it}{numbers} A replay sends them again.")
    if standing.lag >= FAR_BEHIND:
        oldest = standing.waits_since
        made = "" if oldest is None else f" The oldest was made at {format_timestamp(oldest)}."
        return Attention(Need.BEHIND, None, f"It gets its events late: {standing.lag:,} are yet to be sent.{made}")
    return None


def _kept(standing: Standing, now: int) -> str:
    """Until when it can be fixed without losing an event."""
    if standing.kept_until is None:
        return ""
    if standing.kept_until <= now:
        return " The retention removes the oldest of them now."
    return f" The oldest of them is kept until {format_timestamp(standing.kept_until)}."


def _numbers(standing: Standing) -> str:
    waiting = max(standing.waiting, standing.lag)
    counted = (
        (waiting, "waits", "wait"),
        (standing.failed, "was given up", "were given up"),
        (standing.lost, "was lost to the retention", "were lost to the retention"),
    )
    told = [f"{count:,} {'event ' + one if count == 1 else 'events ' + many}" for count, one, many in counted if count]
    return f" {', '.join(told)}." if told else ""
