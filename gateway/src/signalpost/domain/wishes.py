"""What a subscription wants, in the words of its conditions. It is asked when its lane comes to an event, and again
before an attempt:

- `when`, of the event: as the lane comes to it, and before every attempt of a later run, as `when` is by then;
- `after.if`, of the document's newest event: before every attempt;
- whether a later event of the document is wanted, if the kind sets what the last event says: before every attempt but
  the first, since what is older must not come after what is newer;
- how old the event is, for a shadow: as the lane comes to it, and before its attempt.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from signalpost.domain.checks import Bad, Several
from signalpost.domain.delivery.delivery import Delivery
from signalpost.domain.erasure import ERASED, is_erased
from signalpost.domain.event import Event
from signalpost.domain.language.condition_reader import read_condition
from signalpost.domain.language.conditions import Condition
from signalpost.domain.language.names import Name, Subject
from signalpost.domain.language.subject import NOT_SENT, no_longer_sent, not_sent, subject_of
from signalpost.domain.subscription import Subscription, wanted
from signalpost.domain.timestamps import HOUR, SECOND, format_timestamp

SHADOWED_FOR: Final = HOUR
"""How long after an event was due to be sent a shadow may get it, in µs: one that cannot keep up has no backlog."""
_FOR_EVER: Final = 1 << 62
_TOO_LATE: Final = not_sent("it waited for more than an hour, and a shadow gets nothing so old.")


class Wishes:
    """The conditions of one subscription, read once."""

    def __init__(self, subscription: Subscription, *, latest_wins: bool) -> None:
        """`latest_wins` says that an event is of no use once a later one of its document was sent. Raises Bad or
        Several if a condition cannot be read."""
        after = subscription.after
        self._filters = subscription.filters
        self._delay = subscription.delay * SECOND
        self._when = _condition(subscription.when)
        self._still = None if after is None else _condition(after.condition)
        self._wanted_for = _FOR_EVER if subscription.shadow_of is None else self._delay + SHADOWED_FOR
        self.latest_wins = latest_wins

    @property
    def asks_event(self) -> bool:
        """Whether `why_not` looks at the event."""
        return self._when is not None

    def wants(self, subject: Subject) -> bool:
        """Whether `when` wants an event."""
        return self._when is None or self._when.is_met(subject)

    @property
    def names(self) -> Iterator[Name]:
        """What the conditions look at."""
        return (name for each in (self._when, self._still) if each is not None for name in each.names())

    def why_not(self, subject: Subject) -> str | None:
        """A sentence why `when` does not want an event; None if it does."""
        why = None if self._when is None else self._when.why_not(subject)
        return None if why is None else not_sent(why)

    def why_too_late(self, event: Event, now: int) -> str | None:
        """A sentence why an event is too old by `now` to be sent; None if it is not."""
        return _TOO_LATE if event.at + self._wanted_for < now else None

    def why_no_longer(self, newest: Subject) -> str | None:
        """A sentence why a delayed event is not wanted any more, given its document's newest event; None if it is."""
        why = None if self._still is None else self._still.why_not(newest)
        return None if why is None else no_longer_sent(why)

    def still_wants(self, newest: Subject) -> bool:
        """Whether a delayed event is wanted still: `why_no_longer` without the sentence, for a third of the price."""
        return self._still is None or self._still.is_met(newest)

    def delayed_until(self, event: Event) -> int:
        """The first attempt of an event is not made before this time, µs since the epoch; 0 if it need not wait."""
        return event.at + self._delay if self._delay else 0

    def asks_before(self, delivery: Delivery) -> bool:
        """Whether anything has to be asked before the next attempt of a delivery."""
        return self.asks_newest or (delivery.run > 0 and self.asks_event) or self.asks_later(delivery)

    @property
    def asks_newest(self) -> bool:
        """Whether `why_no_longer` looks at the newest event."""
        return self._still is not None

    def asks_later(self, delivery: Delivery) -> bool:
        """Whether a later event of the document takes the place of a delivery."""
        return self.latest_wins and delivery.is_retry

    def may_take_its_place(self, later: Event, now: int) -> bool:
        """Whether a later event may be sent by now: if `when` wants it too, an earlier one need not be."""
        return (
            bool(later.type & wanted(self._filters, later.sequence))
            and self.delayed_until(later) <= now
            and not is_erased(later)
        )


def wishes_of(subscription: Subscription, *, latest_wins: bool = False) -> Wishes | None:
    """The wishes of a subscription; None if it has none, or one that this version of the gateway cannot read: then
    nothing is sent to it."""
    if subscription.when is None and subscription.after is None and subscription.shadow_of is None and not latest_wins:
        return None
    try:
        return Wishes(subscription, latest_wins=latest_wins)
    except (Bad, Several):
        return None


def why_passed_over(subscription: Subscription, at: int, subject: Subject | None) -> str:
    """A sentence why a lane passed over an event that was made `at`, in µs, and made no attempt. `subject` is None if
    it is not looked at."""
    if subject is not None and subject.is_erased:
        return not_sent(ERASED)
    changed = subscription.when_since > at
    wishes = wishes_of(subscription)
    why = None if subject is None or wishes is None else wishes.why_not(subject)
    if why is not None and not changed:
        return why
    if subscription.shadow_of is not None and (subject is not None or subscription.when is None) and not changed:
        return _TOO_LATE
    # Without a condition, there was one before, or its type was not asked for (`widened`).
    what = "what the subscription asked for then" if subscription.when is None else "the condition of the subscription"
    sentence = not_sent(f"the event did not meet {what}.")
    if not changed or subject is None:
        return sentence
    since = f"That was changed at {format_timestamp(subscription.when_since)}."
    if why is None:
        return f"{sentence} {since} Now the event would be sent: a retry or a replay does that."
    return f"{sentence} {since} As it is now: {why.removeprefix(NOT_SENT)}"


def why_not_again(subscription: Subscription, event: Event, newest: Event | None) -> str | None:
    """A sentence why an event is not to be sent once more, given its document's newest event that is kept; None if it
    may be."""
    if is_erased(event):
        return not_sent(ERASED)
    wishes = wishes_of(subscription)
    if wishes is None:
        return None
    return wishes.why_not(subject_of(event)) or wishes.why_no_longer(subject_of(newest_kept(event, newest)))


def newest_kept(event: Event, newest: Event | None) -> Event:
    """The event that `after.if` is asked of: the document's newest, or this one if that is gone."""
    return event if newest is None or is_erased(newest) else newest


def _condition(value: Mapping[str, Any] | None) -> Condition | None:
    return None if value is None else read_condition(value)
