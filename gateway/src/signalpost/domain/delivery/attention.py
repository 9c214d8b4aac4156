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


def need_of(standing: Standing, now: int) -> Need | None:
    """Why a subscription needs attention; None if it does not, or if a person paused it. Of ten thousand subscriptions
    this is asked of each, and a sentence is made of few."""
    if standing.status != "active":
        return Need.DISABLED if standing.status == "disabled" else None
    if standing.trouble is not None:
        return Need.HELD
    since = standing.failing_since
    if since is not None and (standing.breaker_is_open or now - since >= FAILS_FOR):
        return Need.FAILING
    if standing.lost:
        return Need.LOST
    if standing.failed:
        return Need.GIVEN_UP
    return Need.BEHIND if standing.lag >= FAR_BEHIND else None


def rank_of(need: Need, standing: Standing) -> tuple[int, int]:
    """The lowest is the worst."""
    return ORDER.index(need), -(standing.waiting + standing.failed + standing.lag)


def attention(standing: Standing, now: int) -> Attention | None:
    """Why a subscription needs attention, in words; None as for `need_of`."""
    need = need_of(standing, now)
    if need is None:
        return None
    since = {
        Need.DISABLED: standing.disabled_at,
        Need.HELD: standing.failing_since,
        Need.FAILING: standing.failing_since,
    }.get(need)
    return Attention(need, since, _sentence(need, standing, now))


def _sentence(need: Need, standing: Standing, now: int) -> str:
    numbers, since = _numbers(standing), standing.failing_since
    now_it = "It is well now." if since is None else "Its last attempt failed."
    match need:
        case Need.DISABLED:
            at = "" if standing.disabled_at is None else f" since {format_timestamp(standing.disabled_at)}"
            because = standing.disabled_because or "Its endpoint had failed for days."
            return f"Disabled{at}. {because}{numbers}{_kept(standing, now)}"
        case Need.HELD:
            return f"{standing.trouble}{numbers}"
        case Need.FAILING:
            began = "" if since is None else f" since {format_timestamp(since)}"
            error = f" {standing.last_error}" if standing.last_error else ""
            return f"Every attempt fails{began}.{error}{numbers}"
        case Need.LOST:
            return f"{now_it}{numbers}"
        case Need.GIVEN_UP:
            return f"{now_it}{numbers} A replay sends them again."
        case Need.BEHIND:
            oldest = standing.waits_since
            made = "" if oldest is None else f" The oldest was made at {format_timestamp(oldest)}."
            return f"It gets its events late: {standing.lag:,} are yet to be sent.{made}"


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
