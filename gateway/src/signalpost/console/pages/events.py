"""The pages of the log: which events there were."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from signalpost.api.routing.shapes.deliveries import Delivery, DeliveryPage
from signalpost.api.routing.shapes.documents import ArrivalsOfEvents, EventArrivals, Feed, LogEntry
from signalpost.console.listed import ListPart, listed, query_of
from signalpost.console.page import Page, Visit, only_reads, reads_in_turn
from signalpost.console.pages.delivery import SentEvent
from signalpost.console.pages.documents import events_of

SHOWN = "50"
"""How many events a page has."""
RECIPIENTS = "100"
"""How many subscriptions the page of an event shows at once."""


class EventListView(Struct, frozen=True):
    page: ListPart[LogEntry]
    arrivals: Mapping[int, EventArrivals]
    """How many subscriptions got each event, by its sequence. An event that the retention has just removed is
    missing."""
    type: str
    document: str


@reads_in_turn
async def view(visit: Visit) -> EventListView:
    before = visit.query.get("before", "")
    given = {name: visit.query.get(name, "").strip() for name in ("type", "document")}
    query = {"before": before or "latest", "eventType": given["type"], "externalId": given["document"], "limit": SHOWN}
    feed = await visit.calls.read("list_events", Feed, query)
    older = str(feed.next) if feed.next else None
    page = ListPart(feed.data, older, not before, query_of(given))
    return EventListView(page, await _arrivals(visit, feed.data), **given)


async def _arrivals(visit: Visit, entries: Sequence[LogEntry]) -> dict[int, EventArrivals]:
    if not entries:
        return {}
    asked = {"sequences": ",".join(str(each.sequence) for each in entries)}
    counted = await visit.calls.read("count_arrivals", ArrivalsOfEvents, asked)
    return {each.sequence: each for each in counted.data}


class EventView(Struct, frozen=True):
    event: SentEvent
    before: Sequence[LogEntry]
    """The event of its document before it, if that is known."""
    arrivals: EventArrivals | None
    """How many subscriptions got it; None if the retention has just removed it."""
    deliveries: ListPart[Delivery]


@only_reads
async def view_one(visit: Visit) -> EventView:
    event_id = visit.params["id"]
    event = await visit.calls.read_as("read_event", SentEvent.of, id=event_id)
    query = {"eventId": event_id, "limit": RECIPIENTS, "cursor": visit.cursor}
    deliveries = await visit.calls.read("list_deliveries", DeliveryPage, query)
    entry, document = event.entry, event.entry.event.data.kept_document
    before = [] if document is None else await events_of(visit, document.external_id, str(entry.sequence), 1)
    return EventView(
        event=event,
        before=before,
        arrivals=(await _arrivals(visit, [entry])).get(entry.sequence),
        deliveries=listed(visit, deliveries),
    )


PAGES = (
    Page(path="/events", section="Events", title="Events", template="events.html", view=view),
    Page(path="/events/{id}", section="Events", title="Event", template="event.html", view=view_one),
)
