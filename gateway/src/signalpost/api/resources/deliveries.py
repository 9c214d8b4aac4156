"""Deliveries: list and read them, each with why it is where it is, and ask for one more attempt."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from time import thread_time
from typing import Annotated

import msgspec
from msgspec import Meta, field

from signalpost.api.http.pages import TimedPage
from signalpost.api.http.response import Json, Response
from signalpost.api.portal_views import delivery_for, is_for
from signalpost.api.rendering import submit
from signalpost.api.resources import subscriptions
from signalpost.api.resources.diagnoses import diagnosis_of
from signalpost.api.resources.events import find_event
from signalpost.api.resources.retries_asked import retries_asked
from signalpost.api.resources.shown_deliveries import listed, shown, shown_attempt, status_of
from signalpost.api.resources.subscription_lists import newest_below
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.only_reads import only_reads
from signalpost.api.routing.queries import EventTypes, FromText, ListQuery, Moment, cursor_to, write_cursor
from signalpost.api.routing.route import FOLLOWS, SUBSCRIBES, Example, Reply, Route
from signalpost.api.routing.shapes.deliveries import (
    Delivery,
    DeliveryPage,
    DeliveryWithAttempts,
    WaitingBehind,
)
from signalpost.api.routing.shapes.documents import Event as SentEvent
from signalpost.commands.deliveries import RetryDelivery
from signalpost.domain.access.portal_link import Capability
from signalpost.domain.errors import Conflict, NotFound
from signalpost.domain.event import EVERY_TYPE, Event
from signalpost.domain.fields import Uuid
from signalpost.domain.language.names import Subject
from signalpost.domain.language.subject import subject_of
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import format_timestamp
from signalpost.engine.lanes.lane_health import LaneView
from signalpost.engine.lanes.subjects import is_large
from signalpost.runtime.own_time import add_to_own_time
from signalpost.store.nouns.deliveries import (
    Behind,
    DeliveryFilter,
    DeliveryPosition,
    DeliveryStatus,
    DeliveryView,
    ReadDelivery,
)
from signalpost.store.nouns.log import row_of

LOOKED_INTO_BYTES = 16 * 1024
"""How large an event may be so that a list of deliveries says what of it does not meet a condition."""


class DeliveryQuery(ListQuery, frozen=True):
    status: DeliveryStatus | None = None
    event_type: EventTypes = EVERY_TYPE
    event_id: (
        Annotated[
            Uuid,
            Meta(
                description="Only this event. Subscriptions that have no delivery of it are listed too, with the cause."
            ),
        ]
        | None
    ) = None
    external_id: Uuid | None = None
    created_from: Annotated[Moment, Meta(description="Only events created at this moment or later.")] = field(
        name="from", default=None
    )
    created_to: Annotated[Moment, Meta(description="Only events created before this moment.")] = field(
        name="to", default=None
    )
    cursor: Annotated[FromText, cursor_to(DeliveryPosition)] = None


class DeliveryOfAnyQuery(DeliveryQuery, frozen=True):
    subscription_id: Uuid | None = None


async def list_of_subscription(context: RequestContext) -> Json[DeliveryPage]:
    query: DeliveryQuery = context.query()
    return await _list(context, [await subscriptions.find(context)], query)


async def list_all(context: RequestContext) -> Json[DeliveryPage]:
    query: DeliveryOfAnyQuery = context.query()
    if query.subscription_id is None:
        return await _list(context, context.originals(), query)
    found = context.subscription(query.subscription_id)
    return await _list(context, [] if found is None else [found], query)


class _LargeEvent(Exception):
    """The page says why subscriptions did not want an event, which is too large to be decoded while others wait."""

    def __init__(self, event: Event) -> None:
        super().__init__(event.id)
        self.event = event


async def _list(context: RequestContext, of: Sequence[Subscription], query: DeliveryQuery) -> Json[DeliveryPage]:
    services = context.services
    make = partial(_page, context, of, query) if query.event_id is None else partial(_page_of_event, context, of, query)
    try:
        body, seconds = await services.store.reading(make)
    except _LargeEvent as large:
        context.need_loop()
        subject = await services.engine.subjects.of(large.event)
        body, seconds = await services.store.reading(partial(_page_of_event, context, of, query, subject))
    add_to_own_time(seconds)
    return Json(body)


async def _page(context: RequestContext, of: Sequence[Subscription], query: DeliveryQuery) -> TimedPage:
    """Waits for nothing but the store: see `Store.reading`."""
    wanted = _wanted(query)
    found = await context.services.store.deliveries.page(context.tenant_id, of, wanted, query.cursor, query.limit)
    passed_over = await _passed_over(context, found.data)
    lanes = await _lanes(context, _named(context, found.data))

    def data() -> Iterator[Delivery]:
        return (
            listed(context, lane, view.entry, view, passed_over.get(view.entry.sequence))
            for view in found.data
            if (lane := lanes.get(view.subscription_id)) is not None
            and is_for(context.portal, lane.subscription, view.status)
        )

    return _in_words(data, found.next, found.looked_back_to)


def _wanted(query: DeliveryQuery) -> DeliveryFilter:
    return DeliveryFilter(
        status=query.status,
        types=query.event_type,
        document_id=query.external_id,
        created_from=query.created_from,
        created_to=query.created_to,
    )


async def _lanes(context: RequestContext, of: Sequence[Subscription]) -> Mapping[str, LaneView]:
    """The lanes of these subscriptions, by their ids."""
    return {lane.subscription.id: lane for lane in await context.services.lane_views.undated(of)}


def _in_words(
    data: Callable[[], Iterator[Delivery]], after: DeliveryPosition | None, back_to: int | None = None
) -> TimedPage:
    begun = thread_time()
    looked_back_to = None if back_to is None else format_timestamp(back_to)
    shown = DeliveryPage([*data()], next=write_cursor(after), looked_back_to=looked_back_to)
    return TimedPage(msgspec.json.encode(shown), thread_time() - begun)


def _was_passed_over(view: DeliveryView | None) -> bool:
    return view is not None and view.status == "skipped" and view.last_attempt is None


async def _passed_over(context: RequestContext, views: Iterable[DeliveryView]) -> dict[int, Subject]:
    """The events that lanes passed over, by sequence, as far as they are small: why is then said of each."""
    sequences = {view.entry.sequence for view in views if _was_passed_over(view)}
    events = await context.services.store.log.events(context.tenant_id, sorted(sequences)) if sequences else []
    return {event.sequence: subject_of(event) for event in events if len(event.body) <= LOOKED_INTO_BYTES}


def _named(context: RequestContext, views: Iterable[DeliveryView]) -> list[Subscription]:
    """The subscriptions of deliveries that were not deleted meanwhile."""
    directory = context.services.directory
    found = (directory.subscription(context.tenant_id, each) for each in {view.subscription_id for view in views})
    return [each for each in found if each is not None]


def _passes(event: Event, wanted: DeliveryFilter) -> bool:
    return (
        event.type & wanted.types != 0
        and wanted.document_id in (None, event.document_id)
        and (wanted.created_from is None or event.at >= wanted.created_from)
        and (wanted.created_to is None or event.at < wanted.created_to)
    )


async def _page_of_event(
    context: RequestContext, of: Sequence[Subscription], query: DeliveryQuery, subject: Subject | None = None
) -> TimedPage:
    """What happened to one event at some subscriptions, newest first. Unless a status was asked for, this includes
    subscriptions that have no delivery of the event. Waits for nothing but the store. Raises _LargeEvent if that is to
    be decoded first, into `subject`."""
    assert query.event_id is not None
    event, below = await find_event(context, query.event_id), query.cursor
    if event is None or not _passes(event, _wanted(query)):
        return _in_words(lambda: iter(()), None)
    left = newest_below(of, None if below is None else _numbers_below(below, event.sequence))
    page, entry = [*islice(left, query.limit)], row_of(event)
    views = await context.services.store.deliveries.of_event(page, entry)
    if subject is None and any(map(_was_passed_over, views.values())):
        if is_large(event):
            raise _LargeEvent(event)
        subject = subject_of(event)
    lanes = await _lanes(context, page)

    def data() -> Iterator[Delivery]:
        return (
            listed(context, lanes[each.id], entry, views[each.id], subject)
            for each in page
            if each.id in views
            and query.status in (None, status_of(views[each.id]))
            and is_for(context.portal, each, status_of(views[each.id]))
        )

    more = next(left, None) is not None
    return _in_words(data, DeliveryPosition(event.sequence, page[-1].number) if more else None)


def _numbers_below(position: DeliveryPosition, sequence: int) -> int | None:
    """The number below which those of subscriptions are whose delivery of an event is below a position; None if all of
    them are."""
    if position.sequence > sequence:
        return None
    return position.subscription_number if position.sequence == sequence else 0


@only_reads
async def read(context: RequestContext) -> DeliveryWithAttempts:
    context.query()
    found = await subscriptions.find(context)
    event = await event_in_path(context)
    delivery = await find_delivery(context, found, event)
    view = delivery.view
    lane = await context.services.lane_views.of(found)
    whole = DeliveryWithAttempts.of(
        shown(context, lane, view.entry, view, subject_of(event) if _was_passed_over(view) else None),
        attempts=[shown_attempt(each) for each in delivery.attempts],
        retries_asked=await retries_asked(context, found, delivery),
        waiting_behind=_waiting_behind(context, found, delivery.behind),
        diagnosis=diagnosis_of(found.with_secrets_of(context.services.clock.wall()), view, lane.waiting),
    )
    return delivery_for(context.portal, whole)


async def read_event(context: RequestContext) -> Json[SentEvent]:
    context.query()
    event = await event_in_path(context)
    await find_delivery(context, await subscriptions.find(context), event)
    return Json(event.body)


async def find_delivery(context: RequestContext, found: Subscription, event: Event) -> ReadDelivery:
    """The delivery of an event to a subscription, if the caller may know of it. Raises NotFound."""
    delivery = await context.services.store.deliveries.get(found, row_of(event))
    if delivery is None or not is_for(context.portal, found, delivery.view.status):
        raise _not_found()
    return delivery


def _waiting_behind(context: RequestContext, found: Subscription, behind: Behind | None) -> WaitingBehind | None:
    """What the caller may know about it. A customer does not learn of an event before the condition, which may exclude
    it, was evaluated."""
    if behind is None or not is_for(context.portal, found, "pending"):
        return None
    return WaitingBehind(count=behind.count, count_is_capped=behind.is_capped)


async def retry(context: RequestContext) -> Response:
    change = await context.read_change()
    found = await subscriptions.find(context)
    event = await event_in_path(context)
    if context.portal is not None:
        await find_delivery(context, found, event)
    command = RetryDelivery(
        tenant_id=context.tenant_id,
        subscription_id=found.id,
        sequence=event.sequence,
        event_type=event.type,
        event_document_id=event.document_id,
        event=event,
        newest=await _newest(context, found, event),
        idempotency=change.idempotency,
    )
    try:
        return await submit(context, command)
    except Conflict as refused:
        if context.portal is None or refused.code != "not_wanted":
            raise
        # The sentence quotes the document, which is not the customer's any more.
        raise Conflict("not_wanted", "This subscription no longer wants that event.") from None


async def _newest(context: RequestContext, found: Subscription, event: Event) -> Event | None:
    """The newest event of the document, if the subscription asks for it."""
    if found.after is None or found.after.condition is None:
        return None
    return await context.services.store.log.newest(event.tenant_id, event.document_id)


async def event_in_path(context: RequestContext) -> Event:
    """The event of the delivery that the path names. Raises NotFound."""
    event = await find_event(context, context.path_uuid("eventId", "delivery"))
    if event is None:
        raise _not_found()
    return event


def _not_found() -> NotFound:
    return NotFound("delivery_not_found", "This subscription has no delivery of that event, or it is no longer kept.")


_OF_SUBSCRIPTION = "/v1/subscriptions/{id}/deliveries"

ROUTES = (
    Route(
        name="list_deliveries",
        method="GET",
        path="/v1/deliveries",
        summary="List deliveries of all subscriptions, or what happened to one event at each",
        roles=FOLLOWS,
        handler=list_all,
        portal=Capability.VIEW,
        query=DeliveryOfAnyQuery,
        replies={200: Reply("A page, newest first. It may be short and still have a `next`.", DeliveryPage)},
        example=Example(query={"status": "failed", "limit": "10"}),
    ),
    Route(
        name="list_subscription_deliveries",
        method="GET",
        path=_OF_SUBSCRIPTION,
        summary="List a subscription's deliveries",
        roles=FOLLOWS,
        handler=list_of_subscription,
        portal=Capability.VIEW,
        query=DeliveryQuery,
        replies={200: Reply("A page, newest first. It may be short and still have a `next`.", DeliveryPage)},
        errors=(NotFound,),
        example=Example(query={"status": "failed", "limit": "10"}),
    ),
    Route(
        name="read_delivery",
        method="GET",
        path=_OF_SUBSCRIPTION + "/{eventId}",
        summary="Read a delivery with its attempts",
        roles=FOLLOWS,
        handler=read,
        portal=Capability.VIEW,
        replies={200: Reply("The delivery.", DeliveryWithAttempts)},
        errors=(NotFound,),
        example=Example(),
    ),
    Route(
        name="read_delivered_event",
        method="GET",
        path=_OF_SUBSCRIPTION + "/{eventId}/event",
        summary="Read the event of a delivery, as it is sent",
        roles=FOLLOWS,
        handler=read_event,
        portal=Capability.PAYLOAD,
        replies={200: Reply("The bytes that every attempt sends.", SentEvent)},
        errors=(NotFound,),
        example=Example(),
    ),
    Route(
        name="retry_delivery",
        method="POST",
        path=_OF_SUBSCRIPTION + "/{eventId}/retry",
        summary="Retry a delivery now",
        roles=SUBSCRIBES,
        handler=retry,
        changes=True,
        portal=Capability.RETRY,
        idempotent=True,
        replies={
            202: Reply(
                "One more attempt is made now. If it fails, scheduled retries still take place. While an attempt is "
                "under way, it is made if that fails; if that succeeds, nothing more is sent, and the delivery says so "
                "(`retriesAsked`). An event that the subscription's condition does not want, as it is now, is refused "
                "(409 `not_wanted`)."
            )
        },
        errors=(NotFound, Conflict),
        example=Example(),
    ),
)
