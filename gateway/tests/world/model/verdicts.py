"""What may, must and must not be sent."""

from collections.abc import Iterator
from enum import Enum
from math import inf
from typing import NamedTuple

from gateway.tests.world.model import sayings
from gateway.tests.world.model.conditions import is_met
from gateway.tests.world.model.log import LoggedEvent, ModelLog
from gateway.tests.world.model.sayings import Saying
from gateway.tests.world.model.wishes import Condition, Wait, Wish
from gateway.tests.world.timeline import Timeline


class Duty(Enum):
    MUST = "must be delivered"
    MUST_NOT = "must not be sent"
    EITHER = "may be either"


class Verdict(NamedTuple):
    duty: Duty
    saying: Saying | None = None
    """The sentence that forbids it."""


EITHER = Verdict(Duty.EITHER)
MUST = Verdict(Duty.MUST)


WAITS_FOR_TOKEN = 10.1
"""For how many seconds an attempt may wait for a token before its request is sent."""


class Slack(NamedTuple):
    """For how many seconds something that was decided before may still be under way."""

    webhook: float = 0.0
    vendor: float = 0.0
    under_way: float = 0.05
    """For how many seconds a request may still have the form that it had before a change."""
    told: float = 0.0
    """For how many seconds the node that sends may not know yet what another one was asked for."""

    def of(self, wish: Wish) -> float:
        if wish.wants_tokens:
            return self.webhook + WAITS_FOR_TOKEN
        return self.webhook if wish.is_webhook else self.vendor

    def of_form(self, wish: Wish) -> float:
        """For how many seconds a request of it may still have the form that it had before a change."""
        return self.under_way + (WAITS_FOR_TOKEN if wish.wants_tokens else 0.0)


class Earlier(NamedTuple):
    """What was made of a delivery before."""

    was_tried: bool = False
    """Whether an attempt was made."""
    is_retry: bool = False
    """Whether one was made and recorded."""
    under_way: tuple[tuple[float, float], ...] = ()
    """From when to when attempts were under way."""
    over_since: float | None = None
    """When the last attempt began, if a run has surely ended by now; None if none has."""


class Model:
    """Says of each subscription and event whether it must come."""

    def __init__(self, log: ModelLog, slack: Slack) -> None:
        self.log = log
        self.slack = slack
        self.disconnected: Timeline[frozenset[str]] = Timeline(frozenset(), 0.0)
        """The kinds of connectors whose connection has forgotten its credentials."""
        self.erased: dict[str, tuple[float, float]] = {}
        """When the erasure of each document was asked for, and when it was done."""
        self.keeps = inf
        """For how many seconds events are kept."""

    # --- A request that was made --------------------------------------------------------------------------------------

    def why_not(self, wish: Wish, event: LoggedEvent, at: float, made: "Earlier") -> Saying | None:
        """The sentence by which no request with this event may start at this moment; None if there is none."""
        return next(self._objections(wish, event, at, made), None)

    def _objections(self, wish: Wish, event: LoggedEvent, at: float, made: "Earlier") -> Iterator[Saying]:
        earlier = at - self.slack.of(wish)
        if wish.deleted.at(earlier) == [True]:
            yield sayings.DELETED
        if event.sequence <= wish.starts_after:
            yield sayings.STARTS
        if wish.wants_type(event) is False:
            yield sayings.TYPE
        if self._is_erased(event, earlier):
            yield sayings.ERASED
        if all(wish.kind in kinds for kinds in self.disconnected.between(earlier, at)):
            yield sayings.DISCONNECTED
        if "active" not in wish.status.between(earlier, at):
            yield sayings.PAUSED
        if self._is_skipped(wish, event, earlier, made):
            yield sayings.SKIPPED
        if not self._may_want(wish, event, self._run_began(wish, event, made, earlier), at):
            yield sayings.WHEN if wish.when.changes[0] is wish.when.changes[-1] else sayings.CHANGE_WHEN
        if not made.was_tried and not self._may_wait_no_more(wish, event, earlier, at):
            yield sayings.WAIT
        if not self._may_be_still_so(wish, event, earlier, at):
            yield sayings.STILL
        if wish.latest_wins and made.is_retry and self._is_overtaken(wish, event, earlier):
            yield sayings.LATEST

    # --- What a reader was handed -------------------------------------------------------------------------------------

    def why_not_read(
        self, wish: Wish, event: LoggedEvent, first: float, last: float, *, is_again: bool
    ) -> Saying | None:
        """The sentence by which this event may not be handed out to a reader that asked from `first` to `last`; None if
        there is none. Conditions are asked the first time; an event that may have been handed out before `is_again`."""
        return next(self._objections_to_reading(wish, event, first, last, event.at if is_again else first), None)

    def _objections_to_reading(
        self, wish: Wish, event: LoggedEvent, first: float, last: float, asked: float
    ) -> Iterator[Saying]:
        if wish.deleted.at(first) == [True]:
            yield sayings.DELETED
        if event.sequence <= wish.starts_after:
            yield sayings.STARTS
        if wish.wants_type(event) is False:
            yield sayings.TYPE
        if self._is_erased(event, first):
            yield sayings.ERASED
        if "active" not in wish.status.between(first, last):
            yield sayings.PAUSED
        if any(event.sequence <= skip.least and skip.done < first for skip in wish.skips):
            yield sayings.SKIPPED
        if not self._may_want(wish, event, asked, last):
            yield sayings.WHEN
        if all(wait is not None and event.at + wait.seconds > last for wait in wish.after.between(asked, last)):
            yield sayings.WAIT
        if not self._may_be_still_so(wish, event, asked, last):
            yield sayings.STILL

    def is_perhaps_removed(self, event: LoggedEvent, at: float) -> bool:
        """Whether the retention may have removed an event by then."""
        return event.at + self.keeps <= at

    def _is_erased(self, event: LoggedEvent, at: float) -> bool:
        return event.document_id in self.erased and self.erased[event.document_id][1] < at

    def _is_skipped(self, wish: Wish, event: LoggedEvent, at: float, made: Earlier) -> bool:
        skipped = [
            skip
            for skip in wish.skips
            if event.sequence <= skip.least
            and skip.done < at
            and not any(first <= skip.done and skip.begun <= last for first, last in made.under_way)  # it did not wait
        ]
        return bool(skipped) and not any(
            again.covers(event)
            and again.what in ("retry", "failed", "all")
            and again.begun <= at + self.slack.of(wish)
            and again.answered >= skipped[-1].begun
            for again in wish.again
        )

    def _may_want(self, wish: Wish, event: LoggedEvent, first: float, last: float) -> bool:
        """Whether `when` may have let the event through at some moment."""
        return any(is_met(when, event.document, event.before) for when in wish.when.between(first, last))

    def _run_began(self, wish: Wish, event: LoggedEvent, made: "Earlier", at: float) -> float:
        """The earliest moment at which the run that an attempt belongs to may have begun: with the event or, if a run
        surely came to its end, with something that was asked for since."""
        if made.over_since is None:
            return event.at
        asked = [again.begun for again in wish.again if again.begun <= at and again.covers(event)]
        since = [begun for begun in asked if begun >= made.over_since]
        return min([at, *since]) if since else max(asked, default=event.at)

    def _may_wait_no_more(self, wish: Wish, event: LoggedEvent, first: float, last: float) -> bool:
        if any(again.covers(event) and again.begun <= last for again in wish.again):
            return True
        return any(wait is None or event.at + wait.seconds <= last for wait in wish.after.between(first, last))

    def _may_be_still_so(self, wish: Wish, event: LoggedEvent, first: float, last: float) -> bool:
        stills = [wait.still if wait is not None else None for wait in wish.after.between(first, last)]
        if None in stills:
            return True
        return (
            any(
                is_met(still, newest.document, None)
                for newest in self.log.newest(event.document_id, first, last)
                for still in stills
                if newest.document_id not in self.erased
            )
            or event.document_id in self.erased
        )

    def _is_overtaken(self, wish: Wish, event: LoggedEvent, at: float) -> bool:
        """Whether a later event of the document was surely there, surely wanted, and its own wait surely over."""
        return any(
            later.seen_at < at
            and wish.wants_type(later)
            and all(is_met(when, later.document, later.before) for when in wish.when.between(event.at, inf))
            and all(wait is None or later.at + wait.seconds < at for wait in wish.after.between(event.at, inf))
            for later in self._later(event)
        )

    # --- What is due --------------------------------------------------------------------------------------------------

    def was_asked_again(self, wish: Wish, event: LoggedEvent, at: float) -> bool:
        """Whether a client had asked by then to have it sent again."""
        return any(again.covers(event) and again.begun <= at for again in wish.again)

    def is_surely_due(self, wish: Wish, event: LoggedEvent, at: float, within: float) -> bool:
        """Whether an event was surely wanted, and its wait surely over for so many seconds."""
        first = at - within
        if max(event.seen_at, wish.made_at) > first or self.was_asked_again(wish, event, at):
            return False
        waits = wish.after.between(first, at)
        is_ready = all(wait is None or event.at + wait.seconds < first for wait in waits)
        return is_ready and self.in_the_end(wish, event, at) == MUST

    # --- What must have come in the end -------------------------------------------------------------------------------

    def in_the_end(self, wish: Wish, event: LoggedEvent, end: float) -> Verdict:
        """Whether an event must have come, by its first run alone, once everything had its time."""
        if True in wish.deleted.ever() or event.document_id in self.erased:
            return EITHER
        if event.sequence <= wish.starts_after:
            return Verdict(Duty.MUST_NOT, sayings.STARTS)
        wants = wish.wants_type(event)
        if wants is None or any(event.sequence <= skip.most for skip in wish.skips):
            return EITHER
        if not wants:
            return Verdict(Duty.MUST_NOT, sayings.TYPE)
        meets = {is_met(when, event.document, event.before) for when in wish.when.between(event.at, end)}
        if meets == {False}:
            return Verdict(Duty.MUST_NOT, sayings.WHEN)
        if len(meets) == 2:
            return EITHER
        if wish.latest_wins and any(self._may_ever_want(wish, later, end) for later in self._later(event)):
            return EITHER
        return self._after_the_wait(wish, event, end)

    def may_give_way(self, wish: Wish, event: LoggedEvent, later: LoggedEvent, end: float) -> bool:
        """Whether another event may have taken the place of this one."""
        is_later = later.document_id == event.document_id and later.sequence > event.sequence
        return wish.latest_wins and is_later and self._may_ever_want(wish, later, end)

    def _later(self, event: LoggedEvent) -> Iterator[LoggedEvent]:
        """The later events of its document."""
        return (each for each in self.log.of(event.document_id) if each.sequence > event.sequence)

    def _may_ever_want(self, wish: Wish, event: LoggedEvent, end: float) -> bool:
        return wish.wants_type(event) is not False and self._may_want(wish, event, event.at, end)

    def would_send(self, wish: Wish, event: LoggedEvent, at: float) -> bool | None:
        """Whether the event would be sent if it was sent now; None if only the gateway can know. Types do not count: an
        event that was made before a change of them may be looked at, too."""
        whens = wish.when.between(at - 1.0, at)
        if event.document_id in self.erased or len(whens) > 1 or wish.wants_type(event) is not True:
            return None
        if not is_met(whens[0], event.document, event.before):
            return False
        return self._may_be_still_so(wish, event, at, at)

    def would_have_sent(
        self, wish: Wish, event: LoggedEvent, when: Condition, wait: Wait | None, types: frozenset[str] | None
    ) -> bool | None:
        """Whether a subscription with this condition and this wait sends an event, if every attempt arrives at once;
        None if only the gateway can know. `types` are those that count; None for those that counted then."""
        if event.document_id in self.erased:
            return False if self.erased[event.document_id][1] < inf else None
        asked = wish.wants_type(event) if types is None else event.type in types
        if event.sequence <= wish.starts_after or not asked:
            return asked if asked is None else False
        if not is_met(when, event.document, event.before):
            return False
        if wait is None or wait.still is None:
            return True
        newest = [each for each in self.log.of(event.document_id) if each.at <= event.at + wait.seconds][-1]
        return is_met(wait.still, newest.document, None)

    def _after_the_wait(self, wish: Wish, event: LoggedEvent, end: float) -> Verdict:
        waits = wish.after.between(event.at, end)
        asked = [
            again.begun for again in wish.again if again.covers(event)
        ]  # what waits is sent now, if one asks for it
        begin = min([event.at + min(0.0 if wait is None else wait.seconds for wait in waits), *asked])
        begin = max(begin, wish.begun)  # it may begin in the past
        still = {
            wait is None or wait.still is None or is_met(wait.still, newest.document, None)
            for newest in self.log.newest(event.document_id, begin, end)
            for wait in waits
        }
        if still == {False}:
            return Verdict(Duty.MUST_NOT, sayings.STILL)
        return MUST if still == {True} else EITHER
