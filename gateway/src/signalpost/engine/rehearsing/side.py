"""One side of a rehearsal: a subscription that is asked about one event after the other, from the log's end on.

It asks what the subscription's lane asks (`domain/wishes.py`), and makes what its courier makes
(`connectors/shown_requests.py`), as if each event were sent once and delivered.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from signalpost.destinations.calls import Mail, Skip
from signalpost.domain.delivery.rehearsal import (
    NOT_ASKED_FOR,
    SENT,
    EventWithSubject,
    Judgement,
    LaterEvents,
    refused,
    refused_by_type,
)
from signalpost.domain.event import EVERY_TYPE, Event
from signalpost.domain.language.names import Name
from signalpost.domain.language.subject import not_sent, subject_of
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.domain.wishes import Wishes
from signalpost.engine.connectors.shown_requests import ShownRequest, VendorRequests, webhook_request

UNSAID: Final = ""
"""Stands for the sentence why an event is not wanted any more, once there are examples enough."""


class Side:
    def __init__(self, subscription: Subscription, vendor: VendorRequests | None) -> None:
        """`vendor` is what makes the requests; None for a webhook and for one that is read. Raises Bad or Several if a
        condition cannot be read."""
        self.subscription = subscription
        self._vendor = vendor
        self._wishes = wishes = Wishes(subscription, latest_wins=False)
        self._asked = wishes if wishes.asks_event else None
        """What is asked of an event itself; None if nothing is."""
        self._later = LaterEvents(subscription.delay * SECOND) if wishes.asks_newest else None
        since, self._types = subscription.filters[-1]
        self._asks_alike_after = max(since, subscription.starts_after)
        """After this sequence it asks for the same types all along."""
        self.looks_closer = wishes.asks_event or wishes.asks_newest or vendor is not None
        """Whether more than the type of an event decides if it is sent."""
        self._unwanted = Judgement(is_sent=False, why=self._why_not)
        self._no_longer_wanted = Judgement(is_sent=False, why=self._why_no_longer)

    @property
    def reads(self) -> int:
        """Events of which types (as bits) it has to be given."""
        if self._later is not None:
            return EVERY_TYPE
        types = 0
        for _, each in self.subscription.filters:
            types |= each
        return types

    @property
    def names(self) -> Iterable[Name] | None:
        """What it looks at of an event; None if that may be anything."""
        return self._wishes.names if self._vendor is None else None

    @property
    def lookahead(self) -> int:
        """How long after an event it looks at its document once more, in µs."""
        return self.subscription.delay * SECOND if self._later is not None else 0

    @property
    def documents(self) -> int:
        """The number of documents of which it keeps something."""
        return 0 if self._later is None else self._later.documents

    @property
    def looks_at_made(self) -> bool:
        """Whether it looks at what former deliveries made."""
        return self._vendor is not None

    def forget_before(self, at: int) -> None:
        """Forget what is of no use for events that were made at this time or before."""
        if self._later is not None:
            self._later.forget_before(at)

    def note(self, about: EventWithSubject, *, in_words: bool) -> None:
        """Take up the next event, whether it is in the rehearsal's period or later. `in_words` says whether examples
        may still need the sentence why it is not wanted."""
        if self._later is None:
            return
        if in_words:
            why = self._wishes.why_no_longer(about.subject)
        else:
            why = None if self._wishes.still_wants(about.subject) else UNSAID
        self._later.note(about.event, why)

    def judgement(self, about: EventWithSubject) -> Judgement:
        """On the event that was noted last."""
        event = about.event
        if event.sequence > self._asks_alike_after:
            if not event.type & self._types:
                return NOT_ASKED_FOR
        elif (unasked := refused_by_type(self.subscription, event)) is not None:
            return unasked
        return self._looked_at_closer(about) if self.looks_closer else SENT

    def _looked_at_closer(self, about: EventWithSubject) -> Judgement:
        if self._asked is not None and not self._asked.wants(about.subject):
            return self._unwanted
        if self._later is not None and self._later.why_no_longer(about.event) is not None:
            return self._no_longer_wanted
        return SENT if self._vendor is None else _made(self._vendor, about)

    def _why_not(self, about: EventWithSubject) -> str | None:
        return self._wishes.why_not(about.subject)

    def _why_no_longer(self, about: EventWithSubject) -> str | None:
        return None if self._later is None else self._later.why_no_longer(about.event)

    def requests(self, event: Event, made: Mapping[str, str], now: int) -> list[ShownRequest]:
        """The exact requests of an event that it sends, given what the last delivery for its document made; none if its
        customer reads it, or if its kind makes another thing of it each time."""
        if self.subscription.is_read:
            return []
        if self._vendor is None:
            return [webhook_request(self.subscription, event, now)]
        try:
            calls = self._vendor.calls(subject_of(event, made), event.document_id)
            return [] if isinstance(calls, Skip) else [*map(self._vendor.shown, calls)]
        except Exception:  # a kind may come from any package
            return []


def _made(vendor: VendorRequests, about: EventWithSubject) -> Judgement:
    try:
        call = vendor.call(about.subject, about.document.id)
        if isinstance(call, Skip):
            return refused(not_sent(call.why))
        if not isinstance(call, Mail):
            vendor.request(call)
    except Exception as error:  # a kind may come from any package
        return refused(vendor.why_unable(error), is_unable=True)
    return SENT
