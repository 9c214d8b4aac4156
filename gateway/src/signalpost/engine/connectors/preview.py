"""What a subscription would do with an event now: whether it wants the event, and the exact request. Nothing is
sent."""

from collections.abc import Mapping

from msgspec import Struct

from signalpost.destinations.calls import Skip
from signalpost.destinations.registry import Destinations
from signalpost.domain.connection import Connection
from signalpost.domain.erasure import ERASED, is_erased
from signalpost.domain.event import Event
from signalpost.domain.language.names import Subject
from signalpost.domain.language.subject import not_sent, subject_of
from signalpost.domain.subscription import WEBHOOK, Subscription
from signalpost.domain.wishes import Wishes, newest_kept
from signalpost.engine.connectors.shown_requests import ShownRequest, VendorRequests, webhook_request


class Preview(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a subscription would do with an event."""

    wanted: bool
    why: str | None
    """A sentence for people: why nothing would be sent."""
    waits: int | None
    """Seconds from the event until it is sent, if the subscription delays its events."""
    request: ShownRequest | None
    then: list[ShownRequest] = []
    """What would follow if the vendor has nothing of this document yet, for kinds that look first."""


class Past(Struct, frozen=True, kw_only=True):
    """An event, and what is known of its document."""

    event: Event
    newest: Event
    """The document's newest event, which is looked at when a delay ends."""
    made: Mapping[str, str]
    """What the subscription's last delivery for the document made."""


def preview(
    destinations: Destinations, subscription: Subscription, connection: Connection | None, past: Past, now: int
) -> Preview:
    """Pure. `connection` is that of the subscription. Raises Invalid if the config does not fit it."""
    waits = None if subscription.after is None else subscription.after.seconds
    if is_erased(past.event):
        return Preview(wanted=False, why=not_sent(ERASED), waits=waits, request=None)
    wishes = Wishes(subscription, latest_wins=False)
    subject, newest = subject_of(past.event, past.made), subject_of(newest_kept(past.event, past.newest))
    if (why := wishes.why_not(subject) or wishes.why_no_longer(newest)) is not None:
        return Preview(wanted=False, why=why, waits=waits, request=None)
    if subscription.kind == WEBHOOK:
        request = webhook_request(subscription, past.event, now)
        return Preview(wanted=True, why=None, waits=waits, request=request)
    assert connection is not None
    return _of_vendor(VendorRequests(destinations, subscription, connection), subject, past.event.document_id, waits)


def _of_vendor(requests: VendorRequests, subject: Subject, document_id: str, waits: int | None) -> Preview:
    try:
        calls = requests.calls(subject, document_id)
        if isinstance(calls, Skip):
            return Preview(wanted=False, why=not_sent(calls.why), waits=waits, request=None)
        request, *then = map(requests.shown, calls)
    except Exception as error:  # a kind may come from any package
        return Preview(wanted=True, why=requests.why_unable(error), waits=waits, request=None)
    return Preview(wanted=True, why=None, waits=waits, request=request, then=then)
