"""Why an event did, or did not, reach a subscription: the first cause that applies, in words for people.

Pure: it looks at what was recorded of one subscription and one event. The order of the checks is the order in which a
person would ask: was it delivered, was it given up, was it ever to be sent, may anything be sent, and what is it
waiting for.
"""

from enum import StrEnum
from typing import Literal

from msgspec import Struct

from signalpost.domain.event import EventType
from signalpost.domain.subscription import Subscription, wanted
from signalpost.domain.timestamps import format_timestamp

Status = Literal["pending", "delivered", "skipped", "retrying", "failed"]


class Cause(StrEnum):
    """A closed list. Each value is shown as it is in the API."""

    DELIVERED = "delivered"
    SKIPPED = "skipped"
    GIVEN_UP = "given_up"
    SUBSCRIBED_LATER = "subscribed_later"
    TYPE_NOT_WANTED = "type_not_wanted"
    LEFT_OUT = "left_out"
    PAUSED = "paused"
    DISABLED = "disabled"
    BREAKER_OPEN = "breaker_open"
    DELAYED = "delayed"
    RETRY_SCHEDULED = "retry_scheduled"
    BEHIND_EARLIER = "behind_earlier"
    IN_QUEUE = "in_queue"


class LastAttempt(Struct, frozen=True):
    """The newest attempt of a delivery."""

    at: int
    """When it began, µs since the epoch."""
    error: str | None
    """What failed, such as "status: 503"; None if nothing did."""
    detail: str = ""
    """The sentence that was noted with it."""


class Known(Struct, frozen=True, kw_only=True):
    """What is recorded of one event and one subscription."""

    subscription: Subscription
    sequence: int
    event_type: int
    status: Status | None
    """None where the subscription has no delivery of the event."""
    due: int | None = None
    """When a retry may be sent, µs since the epoch."""
    failed_attempts: int = 0
    last_attempt: LastAttempt | None = None
    probe_at: int | None = None
    """When the endpoint's open breaker lets the next attempt through; None while it is closed."""
    last_error: str | None = None
    """The endpoint's last failure, whatever it was sent."""
    behind_event: str | None = None
    """The id of the earlier event of its document that it waits for."""
    ahead: int = 0
    """How many events of the log the subscription has yet to take in before this one."""


class Explanation(Struct, frozen=True):
    cause: Cause
    sentence: str


def explain(known: Known) -> Explanation:
    """The first cause that applies."""
    if known.status == "delivered":
        at = "" if known.last_attempt is None else f" by the attempt of {format_timestamp(known.last_attempt.at)}"
        return Explanation(Cause.DELIVERED, f"It was delivered{at}.")
    if known.status == "skipped":
        return Explanation(
            Cause.SKIPPED, "Nothing was sent." if known.last_attempt is None else known.last_attempt.detail
        )
    if known.status == "failed":
        return _given_up(known)
    if known.status is None:
        return _no_delivery(known)
    return _held_up(known) or _waits(known)


def _given_up(known: Known) -> Explanation:
    attempts = "1 attempt" if known.failed_attempts == 1 else f"{known.failed_attempts} attempts"
    sentence = f"It was given up after {attempts}{_last_error(known)}. A retry or a replay sends it again."
    return Explanation(Cause.GIVEN_UP, sentence)


def _no_delivery(known: Known) -> Explanation:
    subscription = known.subscription
    if known.sequence <= subscription.starts_after:
        sentence = f"The subscription gets events from sequence {subscription.starts_after + 1} on; it began later."
        return Explanation(Cause.SUBSCRIBED_LATER, sentence)
    if not known.event_type & wanted(subscription.filters, known.sequence):
        name = EventType(known.event_type).wire
        return Explanation(Cause.TYPE_NOT_WANTED, f"The subscription did not ask for {name} when the event was made.")
    sentence = "It was left out: the subscription skipped its backlog, or the retention removed the event first."
    return Explanation(Cause.LEFT_OUT, sentence)


def _held_up(known: Known) -> Explanation | None:
    """What holds up every delivery of the subscription, if anything does."""
    if known.subscription.status == "paused":
        return Explanation(Cause.PAUSED, "The subscription is paused. Resume it, and what waits is sent.")
    if known.subscription.status == "disabled":
        since = (
            "" if known.subscription.disabled_at is None else f" on {format_timestamp(known.subscription.disabled_at)}"
        )
        sentence = f"The subscription was disabled{since}, because its endpoint had failed for days. Resume it."
        return Explanation(Cause.DISABLED, sentence)
    if known.probe_at is not None:
        error = "" if known.last_error is None else f" ({known.last_error.rstrip('.')})"
        sentence = (
            f"The endpoint keeps failing{error}. The next attempt probes it at {format_timestamp(known.probe_at)}."
        )
        return Explanation(Cause.BREAKER_OPEN, sentence)
    return None


def _waits(known: Known) -> Explanation:
    if known.status == "retrying":
        at = "soon" if known.due is None else f"at {format_timestamp(known.due)}"
        if known.last_attempt is None:
            return Explanation(Cause.DELAYED, f"It was not sent yet: its first attempt follows {at}.")
        failed = f"Attempt {known.failed_attempts} failed" if known.failed_attempts else "An attempt failed"
        return Explanation(Cause.RETRY_SCHEDULED, f"{failed}{_last_error(known)}. The next follows {at}.")
    if known.behind_event is not None:
        return Explanation(Cause.BEHIND_EARLIER, f"It waits behind event {known.behind_event} of the same document.")
    if known.ahead:
        events = "1 event" if known.ahead == 1 else f"{known.ahead} events"
        return Explanation(Cause.IN_QUEUE, f"It waits for its turn: {events} of the log come before it.")
    return Explanation(Cause.IN_QUEUE, "It is next, or being sent now.")


def _last_error(known: Known) -> str:
    error = None if known.last_attempt is None else known.last_attempt.error
    return "" if error is None else f": {error.rstrip('.')}"
