"""Events: read the tenant's log, oldest first or newest first, or a single event."""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from msgspec.structs import asdict

from signalpost.api.http.pages import page
from signalpost.api.http.response import Json
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.only_reads import only_reads
from signalpost.api.routing.queries import EventTypes, FromText, ListQuery, Query
from signalpost.api.routing.route import FOLLOWS, Example, Reply, Route
from signalpost.api.routing.shapes.documents import ArrivalsOfEvents, EventArrivals, Feed, LogEntry
from signalpost.domain.body import read_by
from signalpost.domain.checks import Bad
from signalpost.domain.errors import FieldError, Gone, Invalid, NotFound
from signalpost.domain.event import EVERY_TYPE, Event
from signalpost.domain.fields import Uuid
from signalpost.store.nouns.log import END_OF_LOG

_BEFORE: Final = r"^(latest|[1-9][0-9]{0,17})$"


def _before(value: str) -> int:
    if not re.fullmatch(_BEFORE.strip("^$"), value, re.ASCII):
        raise Bad("not_a_sequence", "This must be the sequence of an event, or latest.")
    return END_OF_LOG if value == "latest" else int(value)


MAX_ARRIVALS: Final = 100
_SEQUENCES: Final = r"^[1-9][0-9]{0,17}(,[1-9][0-9]{0,17}){0,99}$"


def _sequences(value: str) -> frozenset[int]:
    if not re.fullmatch(_SEQUENCES.strip("^$"), value, re.ASCII):
        raise Bad("not_sequences", f"These must be the sequences of 1 to {MAX_ARRIVALS} events, separated by commas.")
    return frozenset(map(int, value.split(",")))


class ArrivalsQuery(Query, frozen=True):
    sequences: Annotated[
        FromText,
        Meta(
            description="The sequences of up to 100 events, separated by commas. Without it nothing is counted.",
            extra_json_schema={"type": "string", "pattern": _SEQUENCES},
            extra=read_by(_sequences),
        ),
    ] = None


class FeedQuery(ListQuery, frozen=True):
    after: Annotated[int, Meta(ge=0, le=2**62, description="Only events with a higher sequence, oldest first.")] = 0
    before: Annotated[
        FromText,
        Meta(
            description="Only events with a lower sequence, newest first; `latest` begins with the newest event.",
            extra_json_schema={"type": "string", "pattern": _BEFORE},
            extra=read_by(_before),
        ),
    ] = None
    event_type: EventTypes = EVERY_TYPE
    external_id: Uuid | None = None


async def feed(context: RequestContext) -> Json[Feed]:
    query: FeedQuery = context.query()
    if query.before is not None:
        back = partial(_feed_back, context, query)
        if query.limit == 1:  # a page wants the one before another, which is read like any single one
            return await context.services.store.reading(back)
        return await context.services.store.reading_in_turn(context.tenant_id, back)
    after = query.after
    store = context.services.store
    found, last = await store.log.feed(context.tenant_id, after, query.event_type, query.external_id, query.limit)

    async def shown() -> bytes:
        # The retention may take events while the page is read. So the oldest event is looked up after that.
        oldest = await store.log.floor(context.tenant_id)
        if after + 1 < oldest:
            detail = f"Events up to {oldest - 1} are no longer kept. Continue with after={oldest - 1}."
            raise Gone("below_retention", detail, oldest=oldest)
        return page(await _all_shown(context, found), {"last": last})

    return Json(await store.reading_in_turn(context.tenant_id, shown))


async def _feed_back(context: RequestContext, query: FeedQuery) -> Json[Feed]:
    if query.after:
        detail = "Send either after, for the oldest events first, or before, for the newest first."
        raise Invalid([FieldError("?before", "not_with_after", detail)])
    store, of_tenant = context.services.store, context.tenant_id
    found = await store.log.back(of_tenant, query.before, query.event_type, query.external_id, query.limit)
    return Json(page(await _all_shown(context, found.events), {"last": found.last, "next": found.next}))


async def arrivals(context: RequestContext) -> Json[ArrivalsOfEvents]:
    query: ArrivalsQuery = context.query()
    store, directory, of = context.services.store, context.services.directory, context.tenant_id
    subscriptions, shadows = directory.originals(of), directory.shadow_numbers(of)

    async def shown() -> bytes:
        found = await store.deliveries.arrivals(of, subscriptions, query.sequences or (), shadows)
        data = [EventArrivals(sequence=sequence, **asdict(found[sequence])) for sequence in sorted(found, reverse=True)]
        return msgspec.json.encode(ArrivalsOfEvents(data=data))

    return Json(await store.reading(shown))


@only_reads
async def read(context: RequestContext) -> Json[LogEntry]:
    context.query()
    [shown] = await _all_shown(context, [await find(context)])
    return Json(shown)


async def find(context: RequestContext) -> Event:
    """The event that the path names. Raises NotFound."""
    event = await find_event(context, context.path_uuid("id", "event"))
    if event is None:
        raise NotFound("event_not_found", "There is no event with this id, or it is no longer kept.")
    return event


async def find_event(context: RequestContext, event_id: str) -> Event | None:
    return await context.services.store.log.by_id(context.tenant_id, event_id)


async def _all_shown(context: RequestContext, events: Sequence[Event]) -> Iterator[bytes]:
    """JSON of each event with its place in the log, made as it is taken."""
    sequences = [event.sequence for event in events]
    callers = await context.services.store.log.callers(context.tenant_id, sequences) if events else {}
    return (
        msgspec.json.encode(
            {"sequence": event.sequence, "by": callers.get(event.sequence), "event": msgspec.Raw(event.body)}
        )
        for event in events
    )


ROUTES = (
    Route(
        name="list_events",
        method="GET",
        path="/v1/events",
        summary="Read the log, oldest first or newest first",
        roles=FOLLOWS,
        handler=feed,
        query=FeedQuery,
        replies={200: Reply("A page of the log.", Feed)},
        errors=(Gone,),
        example=Example(query={"after": "0", "eventType": "documentCreated"}),
    ),
    Route(
        name="count_arrivals",
        method="GET",
        path="/v1/events/arrivals",
        summary="Count how many subscriptions that wanted an event got it",
        roles=FOLLOWS,
        handler=arrivals,
        query=ArrivalsQuery,
        replies={200: Reply("The events that are kept, newest first.", ArrivalsOfEvents)},
        example=Example(query={"sequences": "1,2"}),
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
