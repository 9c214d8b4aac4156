"""The command that asks for one more attempt of a delivery, and why some deliveries get none."""

from typing import ClassVar

from msgspec import Struct

from signalpost.commands.command import BatchView, Decision, RequestedRetry, Stamp
from signalpost.commands.subscriptions import SubscriptionCommand
from signalpost.domain import subscription as rules
from signalpost.domain.errors import Conflict, NotFound
from signalpost.domain.event import Event
from signalpost.domain.wishes import why_not_again


class RetryQueued(Struct, frozen=True):
    retry: RequestedRetry


class RetryDelivery(SubscriptionCommand, frozen=True, kw_only=True):
    """Asks for one more attempt, now. `sequence`, `event_type` (as bits) and `event_document_id` are those of the
    event; `event` itself is given to be asked whether it is wanted, with its document's newest event."""

    audited_as: ClassVar[str] = "subscription.retry-delivery"
    adds: ClassVar[type[RequestedRetry]] = RequestedRetry
    sequence: int
    event_type: int
    event_document_id: str
    event: Event | None = None
    newest: Event | None = None

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[RetryQueued]:
        found = self._found(view, stamp.now)
        if found.shadow_of is not None:
            raise sent_once()
        if found.is_read:
            raise not_sent_but_read()
        if found.status != "active":
            detail = f"The subscription is {found.status}: resume it, and its pending deliveries are sent."
            raise Conflict("subscription_not_active", detail)
        asked_for = rules.wanted(found.filters, self.sequence) & self.event_type
        if self.sequence <= found.starts_after or not asked_for:
            raise NotFound("delivery_not_found", "This subscription does not want that event.")
        if self.event is not None and (why := why_not_again(found, self.event, self.newest)) is not None:
            raise Conflict("not_wanted", why)
        number = view.next_number(RequestedRetry)
        retry = RequestedRetry(number, found.number, self.sequence, self.event_document_id, found.version)
        return Decision(result=RetryQueued(retry), retry=retry)


def sent_once() -> Conflict:
    return Conflict("is_a_shadow", "Each event is sent to a shadow once at most. Send it again to the original.")


def not_sent_but_read() -> Conflict:
    detail = (
        "Nothing is sent to this subscription: its customer reads its events, and each is there until it is"
        " acknowledged. To read earlier ones again, create another one with startsAfter."
    )
    return Conflict("is_read", detail)
