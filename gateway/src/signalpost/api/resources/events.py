"""Events: read the tenant's log, oldest first, or one event of it."""

from typing import Annotated

import msgspec
from msgspec import Meta

from signalpost.api.http.response import Response
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.queries import EVERY_TYPE, EventTypes, ListQuery
from signalpost.api.routing.route import FOLLOWS, Example, Reply, Route
from signalpost.api.routing.shapes.documents import Feed, LogEntry
from signalpost.domain.errors import Gone, NotFound
from signalpost.domain.event import Event
from signalpost.domain.fields import Uuid


class FeedQuery(ListQuery, frozen=True):
    after: Annotated[int, Meta(ge=0, le=2**62, description="Only events with a higher sequence.")] = 0
    event_type: EventTypes = EVERY_TYPE
    external_id: Uuid | None = None


async def feed(context: RequestContext) -> Response:
    query: FeedQuery = context.query()
    after = query.after
    store = context.services.store
    found, last = await store.log.feed(context.tenant_id, after, query.event_type, query.external_id, query.limit)
    # The retention may take events while the page is read. So the oldest event is looked up after that.
    oldest = await store.log.floor(context.tenant_id)
    if after + 1 < oldest:
        detail = f"Events up to {oldest - 1} are no longer kept. Go on with after={oldest - 1}."
        raise Gone("below_retention", detail, oldest=oldest)
    return Response(200, msgspec.json.encode({"data": [_shown(event) for event in found], "last": last}))


async def read(context: RequestContext) -> Response:
    context.query()
    return Response(200, msgspec.json.encode(_shown(await find(context))))


async def find(context: RequestContext) -> Event:
    """The event that the path names. Raises NotFound."""
    event = await find_event(context, context.path_uuid("id", "event"))
    if event is None:
        raise NotFound("event_not_found", "There is no event with this id, or it is no longer kept.")
    return event


async def find_event(context: RequestContext, event_id: str) -> Event | None:
    return await context.services.store.log.by_id(context.tenant_id, event_id)


def _shown(event: Event) -> dict[str, object]:
    return {"sequence": event.sequence, "event": msgspec.Raw(event.body)}


ROUTES = (
    Route(
        name="list_events",
        method="GET",
        path="/v1/events",
        summary="Read the log, oldest first",
        roles=FOLLOWS,
        handler=feed,
        query=FeedQuery,
        replies={200: Reply("A page of the log.", Feed)},
        errors=(Gone,),
        example=Example(query={"after": "0", "eventType": "documentCreated"}),
    ),
    Route(
        name="read_event",
        method="GET",
        path="/v1/events/{id}",
        summary="Read an event",
        roles=FOLLOWS,
        handler=read,
        replies={200: Reply("The event as it is sent to endpoints.", LogEntry)},
        errors=(NotFound,),
        example=Example(),
    ),
)
