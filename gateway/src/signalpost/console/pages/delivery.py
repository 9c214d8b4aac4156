"""Why did this event not reach this endpoint?"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.deliveries import Delivery, DeliveryPage, DeliveryWithAttempts
from signalpost.api.routing.shapes.documents import LogEntry
from signalpost.api.routing.shapes.subscriptions import Subscription
from signalpost.console.page import Page, SeeOther, Visit


class View(Struct, frozen=True):
    delivery: DeliveryWithAttempts
    subscription: Subscription
    title: str
    """The document's."""
    by: str | None
    """The name of the key that asked for the change."""
    body: str
    """The event as it is sent, indented."""
    others: Sequence[Delivery]
    """What became of the event elsewhere."""


async def view(visit: Visit) -> View:
    of, event_id = visit.params["id"], visit.params["eventId"]
    delivery = await visit.calls.read("read_delivery", DeliveryWithAttempts, id=of, eventId=event_id)
    subscription = await visit.calls.read("read_subscription", Subscription, id=of)
    event = await visit.calls.read("read_event", msgspec.Raw, id=event_id)
    entry = msgspec.json.decode(event, type=LogEntry)
    others = await visit.calls.read("list_deliveries", DeliveryPage, {"eventId": event_id, "limit": "20"})
    return View(
        delivery=delivery,
        subscription=subscription,
        title=title_of(entry),
        by=entry.by,
        body=body_of(event),
        others=[each for each in others.data if each.subscription_id != of],
    )


def title_of(entry: LogEntry) -> str:
    """The document's title at the event."""
    document = entry.event.data.document
    return "An erased document" if document is None else document.title


def body_of(entry: msgspec.Raw) -> str:
    """An event as its receivers get it, indented."""

    class Entry(Struct):
        event: msgspec.Raw

    return msgspec.json.format(bytes(msgspec.json.decode(entry, type=Entry).event), indent=2).decode()


async def send_again(visit: Visit) -> SeeOther:
    of, event_id = visit.params["id"], visit.params["eventId"]
    await visit.calls.change("retry_delivery", key=visit.given("key"), id=of, eventId=event_id)
    return SeeOther(f"/subscriptions/{of}/deliveries/{event_id}", "sent")


PAGES = (
    Page(
        path="/subscriptions/{id}/deliveries/{eventId}",
        section="Deliveries",
        title="Delivery",
        template="delivery.html",
        view=view,
        forms={"send": send_again},
        done={"sent": "One more attempt is being made now."},
    ),
)
