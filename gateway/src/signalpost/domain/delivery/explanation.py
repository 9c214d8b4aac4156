"""Why an event did, or did not, reach a subscription: the first cause that applies, in words for people.

Pure: it looks at what is known of one subscription and one event. The order of the checks is the order in which a
person would ask: should it ever be sent, is it being sent right now, what happened to it, may anything be sent to this
endpoint, and what else is it waiting for?
"""

from enum import StrEnum
from typing import Final, Literal

from msgspec import Struct

from signalpost.domain.event import EventType
from signalpost.domain.subscription import Subscription, wanted
from signalpost.domain.timestamps import format_timestamp

Status = Literal["pending", "delivered", "skipped", "retrying", "failed"]


_SENT_THEN: Final = "What waits is sent once it is resumed."
_READ_THEN: Final = "What waits can be read once it is resumed."
"""Sentences for those who may not resume it, too."""


class Cause(StrEnum):
    """A closed list. Each value is shown as it is in the API."""

    TYPE_NOT_WANTED = "type_not_wanted"
    SUBSCRIBED_LATER = "subscribed_later"
    BACKLOG_SKIPPED = "backlog_skipped"
    REMOVED = "removed_by_retention"
    SENDING = "sending"
    DELIVERED = "delivered"
    SKIPPED = "skipped"
    GIVEN_UP = "given_up"
    PAUSED = "paused"
    DISABLED = "disabled"
    RETRY_BY_HAND = "retry_by_hand"
    HELD = "held"
    BREAKER_OPEN = "breaker_open"
    DELAYED = "delayed"
    RETRY_SCHEDULED = "retry_scheduled"
    BEHIND_EARLIER = "behind_earlier"
    ASKED_TO_WAIT = "asked_to_wait"
    RATE_LIMITED = "rate_limited"
    IN_QUEUE = "in_queue"


class LastAttempt(Struct, frozen=True):
    """The newest attempt of a delivery."""

    at: int
    """When it began, µs since the epoch."""
    error: str | None
    """What failed, such as "The endpoint answered 503."; None if nothing did."""
    detail: str = ""
    """The sentence that was noted with it."""
    number: int = 1
    """Number of the attempt in its run: 1, 2, …"""
    run: int = 0
    """How often it was sent again before."""


class HeldUp(Struct, frozen=True):
    """What only the lane's owner knows, because it is only in memory."""

    in_flight: bool = False
    """Whether an attempt of the delivery is under way."""
    asked_to_wait_until: int | None = None
    """Until when the endpoint asked the gateway to wait (`Retry-After`), µs since the epoch; None if it did not."""
    rate_limited_until: int | None = None
    """When the rate limit lets the next request through, µs since the epoch; None if it does now."""
    trouble: str | None = None
    """A sentence: what blocks all sending, other than the endpoint; None if nothing is known to."""


class KnownFacts(Struct, frozen=True, kw_only=True):
    """What is known of one event and one subscription."""

    subscription: Subscription
    sequence: int
    event_type: int
    status: Status | None
    """None if the subscription has no delivery of the event."""
    due: int | None = None
    """When a retry may be sent, µs since the epoch."""
    failed_attempts: int = 0
    max_attempts: int = 0
    """How many counted failures the delivery's run may have; 0 before its first failure."""
    last_attempt: LastAttempt | None = None
    passed_over: str = "Nothing was sent."
    """The sentence that says why no attempt was made of a skipped delivery."""
    probe_at: int | None = None
    """When the endpoint's open breaker lets the next attempt through; None while it is closed."""
    last_error: str | None = None
    """The endpoint's last failure, of any event."""
    retry_asked: bool = False
    """Whether a person asked for a retry by hand that has yet to begin."""
    behind_event: str | None = None
    """The id of the earlier event of its document that it waits for."""
    ahead: int = 0
    """How many events of the log the subscription has yet to take in before this one."""
    held_up: HeldUp = HeldUp()


class Explanation(Struct, frozen=True):
    """The cause, and the sentence that a person reads."""

    cause: Cause
    sentence: str
    event: str | None = None
    """The id of the event that the sentence names."""


def explain(known: KnownFacts) -> Explanation:
    """The first cause that applies."""
    if known.status is None:
        return _no_delivery(known)
    if known.held_up.in_flight:
        return Explanation(Cause.SENDING, f"Attempt {known.failed_attempts + 1} is under way.")
    if known.retry_asked:
        return _not_active(known) or _retry_by_hand()
    if known.status == "delivered":
        return _delivered(known)
    if known.status == "skipped":
        return Explanation(Cause.SKIPPED, known.last_attempt.detail if known.last_attempt else known.passed_over)
    if known.status == "failed":
        return _given_up(known)
    return _not_active(known) or _held(known) or _breaker_open(known) or _waits(known)


# --- No delivery ------------------------------------------------------------------------------------------------------


def _no_delivery(known: KnownFacts) -> Explanation:
    subscription = known.subscription
    if known.sequence <= subscription.starts_after:
        sentence = (
            f"The event is from before the subscription, which begins at sequence {subscription.starts_after + 1}."
        )
        return Explanation(Cause.SUBSCRIBED_LATER, sentence)
    if not known.event_type & wanted(subscription.filters, known.sequence):
        name = EventType(known.event_type).wire
        sentence = f"The subscription was not subscribed to {name} when the event was made."
        return Explanation(Cause.TYPE_NOT_WANTED, sentence)
    return _backlog_skipped(known) if known.sequence <= subscription.skip_to else _removed()


def _backlog_skipped(known: KnownFacts) -> Explanation:
    at = format_timestamp(known.subscription.skipped_at)
    sentence = f"It was given up at {at}, when the subscription was resumed and its backlog skipped."
    return Explanation(Cause.BACKLOG_SKIPPED, sentence)


def _removed() -> Explanation:
    sentence = "The retention (RETENTION_DAYS, or the tenant's own) removed the event before it was delivered."
    return Explanation(Cause.REMOVED, sentence)


# --- Deliveries that ended --------------------------------------------------------------------------------------------


def _delivered(known: KnownFacts) -> Explanation:
    last = known.last_attempt
    if last is None:
        return Explanation(Cause.DELIVERED, "It was delivered.")
    again = ", after somebody had it sent again" if last.run else ""
    sentence = f"It was delivered by attempt {last.number} at {format_timestamp(last.at)}{again}."
    return Explanation(Cause.DELIVERED, sentence)


def _given_up(known: KnownFacts) -> Explanation:
    is_exhausted = known.failed_attempts > 0 and known.failed_attempts >= known.max_attempts
    if not is_exhausted and known.sequence <= known.subscription.skip_to:
        return _backlog_skipped(known)
    if known.failed_attempts == 0:
        return _removed()
    attempts = "1 attempt" if known.failed_attempts == 1 else f"{known.failed_attempts} attempts"
    if known.last_attempt is not None and known.last_attempt.run:
        attempts += " more"
    sentence = f"It was given up after {attempts}{_last_error(known)}. A retry or a replay sends it again."
    return Explanation(Cause.GIVEN_UP, sentence)


# --- Deliveries that wait ---------------------------------------------------------------------------------------------


def _not_active(known: KnownFacts) -> Explanation | None:
    subscription = known.subscription
    if subscription.status == "paused":
        then = _READ_THEN if subscription.is_read else _SENT_THEN
        return Explanation(Cause.PAUSED, f"The subscription is paused. {then}")
    if subscription.status == "disabled":
        since = "" if subscription.disabled_at is None else f" at {format_timestamp(subscription.disabled_at)}"
        because = subscription.disabled_because
        if because is not None:
            return Explanation(Cause.DISABLED, f"The subscription was disabled{since}: {because} {_SENT_THEN}")
        sentence = f"The subscription was disabled{since}, because its endpoint had failed for days. {_SENT_THEN}"
        return Explanation(Cause.DISABLED, sentence)
    return None


def _retry_by_hand() -> Explanation:
    return Explanation(Cause.RETRY_BY_HAND, "A retry by hand was asked for, and is sent next.")


def _held(known: KnownFacts) -> Explanation | None:
    trouble = known.held_up.trouble
    return None if trouble is None else Explanation(Cause.HELD, f"Nothing can be sent for now. {trouble}")


def _breaker_open(known: KnownFacts) -> Explanation | None:
    if known.probe_at is None:
        return None
    error = "" if known.last_error is None else f" {known.last_error.rstrip('.')}."
    at = format_timestamp(known.probe_at)
    sentence = f"It waits, because the endpoint keeps failing.{error} The next attempt there is at {at}."
    return Explanation(Cause.BREAKER_OPEN, sentence)


def _waits(known: KnownFacts) -> Explanation:
    asked_until, limited_until = known.held_up.asked_to_wait_until, known.held_up.rate_limited_until
    asked = (
        ""
        if asked_until is None
        else f"The endpoint asked to wait until {format_timestamp(asked_until)} (Retry-After)."
    )
    if known.status == "retrying":
        at = "soon" if known.due is None else f"at {format_timestamp(known.due)}"
        if known.last_attempt is None:
            return Explanation(Cause.DELAYED, f"It has not been sent yet: the first attempt follows {at}.")
        failed = f"Attempt {known.failed_attempts} failed" if known.failed_attempts else "An attempt failed"
        sentence = f"{failed}{_last_error(known)}. {f'{asked} ' if asked else ''}The next attempt follows {at}."
        return Explanation(Cause.RETRY_SCHEDULED, sentence)
    if known.behind_event is not None:
        sentence = f"It waits behind event {known.behind_event} of the same document."
        return Explanation(Cause.BEHIND_EARLIER, sentence, known.behind_event)
    if asked:
        return Explanation(Cause.ASKED_TO_WAIT, asked)
    if limited_until is not None:
        rate, at = known.subscription.rate_limit, format_timestamp(limited_until)
        sentence = f"The rate limit of {rate} a second holds it back: the next request goes out at {at}."
        return Explanation(Cause.RATE_LIMITED, sentence)
    if known.ahead:
        events = "1 event" if known.ahead == 1 else f"{known.ahead} events"
        come = "comes" if known.ahead == 1 else "come"
        return Explanation(Cause.IN_QUEUE, f"It waits for its turn: {events} of the log {come} first.")
    if known.subscription.is_read:
        return Explanation(Cause.IN_QUEUE, "It waits until its reader has acknowledged it.")
    return Explanation(Cause.IN_QUEUE, "It is sent next, as soon as a slot is free.")


def _last_error(known: KnownFacts) -> str:
    error = None if known.last_attempt is None else known.last_attempt.error
    return "" if error is None else f": {error.rstrip('.')}"
