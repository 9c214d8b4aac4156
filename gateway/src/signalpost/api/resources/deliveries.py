"""Deliveries of a subscription: list and read them, and ask for one more attempt."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from signalpost.api.http.response import Response
from signalpost.api.rendering import submit
from signalpost.api.resources import events, subscriptions
from signalpost.api.resources.events import find_event
from signalpost.api.routing.context import (
    LIMIT,
    LIMIT_DEFAULT,
    RequestContext,
    cursor,
    event_type,
    moment,
    write_cursor,
)
from signalpost.api.routing.route import OPERATOR, Example, Reply, Route
from signalpost.api.routing.shapes import (
    DELIVERY_STATUSES,
    Attempt,
    Delivery,
    DeliveryCause,
    DeliveryPage,
    DeliveryWithAttempts,
    EventDelivery,
    EventDeliveryPage,
)
from signalpost.commands.subscriptions import RetryDelivery
from signalpost.domain import fields
from signalpost.domain.delivery.explanation import Known, LastAttempt, explain
from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.errors import Conflict, NotFound
from signalpost.domain.event import Event, EventType
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import format_timestamp
from signalpost.store.deliveries import AttemptRow, DeliveryFilter, DeliveryPosition, DeliveryView, EventAtSubscription
from signalpost.store.log import LogRow


async def list_of_subscription(context: RequestContext) -> Response:
    query = context.query()
    return await _list(context, [await subscriptions.find(context)], query)


async def list_all(context: RequestContext) -> Response:
    query = context.query()
    found = context.services.directory.subscriptions(context.tenant_id)
    if (wanted := query.get("subscriptionId")) is not None:
        found = [each for each in found if each.id == wanted]
    return await _list(context, found, query)


async def _list(context: RequestContext, of: Sequence[Subscription], query: Mapping[str, Any]) -> Response:
    wanted = DeliveryFilter(
        status=query.get("status"),
        types=query.get("eventType", sum(EventType)),
        document_id=query.get("externalId"),
        created_from=query.get("from"),
        created_to=query.get("to"),
    )
    if (event_id := query.get("eventId")) is not None:
        event = await events.find_event(context, event_id)
        if event is None:
            return Response(200, msgspec.json.encode(DeliveryPage(data=[], next=None)))
        # No other event of the tenant has its `createdAt` (C5).
        wanted = replace(
            wanted,
            created_from=max(event.at, wanted.created_from or 0),
            created_to=event.at + 1 if wanted.created_to is None else min(event.at + 1, wanted.created_to),
        )
    below = DeliveryPosition(*query["cursor"]) if "cursor" in query else None
    page = await context.services.store.deliveries.page(
        context.tenant_id, of, wanted, below, query.get("limit", LIMIT_DEFAULT)
    )
    return Response(
        200, msgspec.json.encode(DeliveryPage(data=[*map(_shown, page.data)], next=write_cursor(page.next)))
    )


async def list_of_event(context: RequestContext) -> Response:
    """What became of one event, at the subscriptions that the tenant has now, oldest first."""
    query = context.query()
    (after,), limit = query.get("cursor", (0,)), query.get("limit", LIMIT_DEFAULT)
    event = await events.find(context)
    of_tenant = context.services.directory.subscriptions(context.tenant_id)
    page = [each for each in of_tenant if each.number > after][: limit + 1]
    found = await context.services.store.deliveries.of_event(page[:limit], _entry(event))
    shown = EventDeliveryPage(
        data=[_shown_of_event(context, each, event) for each in found],
        next=write_cursor((page[limit - 1].number,)) if len(page) > limit else None,
    )
    return Response(200, msgspec.json.encode(shown))


async def read(context: RequestContext) -> Response:
    context.query()
    found = await subscriptions.find(context)
    event = await _event(context)
    delivery = await context.services.store.deliveries.get(found, _entry(event))
    if delivery is None:
        raise _not_found()
    view, attempts = delivery
    shown = DeliveryWithAttempts(
        **msgspec.structs.asdict(_shown(view)), attempts=[_shown_attempt(each) for each in attempts]
    )
    return Response(200, msgspec.json.encode(shown))


async def retry(context: RequestContext) -> Response:
    change = await context.read_change()
    found = await subscriptions.find(context)
    event = await _event(context)
    return await submit(
        context.services,
        RetryDelivery(
            tenant_id=context.tenant_id,
            subscription_id=found.id,
            sequence=event.sequence,
            event_type=event.type,
            event_document_id=event.document_id,
            idempotency=change.idempotency,
        ),
    )


async def _event(context: RequestContext) -> Event:
    event = await find_event(context, context.path_uuid("eventId", "delivery"))
    if event is None:
        raise _not_found()
    return event


def _not_found() -> NotFound:
    return NotFound("delivery_not_found", "This subscription has no delivery of that event, or it is no longer kept.")


def _entry(event: Event) -> LogRow:
    return LogRow(event.sequence, event.at, event.id, event.type, event.document_id)


def _shown(view: DeliveryView) -> Delivery:
    entry = view.entry
    return Delivery(
        subscription_id=view.subscription_id,
        event_id=entry.id,
        sequence=entry.sequence,
        event_type=EventType(entry.type).wire,
        external_id=entry.document_id,
        created_at=format_timestamp(entry.at),
        status=view.status,
        next_attempt_at=None if view.due is None else format_timestamp(view.due),
    )


def _shown_of_event(context: RequestContext, found: EventAtSubscription, event: Event) -> EventDelivery:
    view, attempt = found.view, found.last_attempt
    error = None if attempt is None or attempt.failure is None else f"{attempt.failure}: {attempt.detail}"
    known = Known(
        subscription=found.subscription,
        sequence=event.sequence,
        event_type=event.type,
        status=None if view is None else view.status,
        due=None if view is None else view.due,
        failed_attempts=0 if view is None else view.attempts,
        last_attempt=None if attempt is None else LastAttempt(attempt.started_at, error, attempt.detail),
        probe_at=found.probe_at,
        last_error=found.last_error,
        behind_event=None if found.behind is None else found.behind.id,
        ahead=found.ahead,
    )
    explanation = explain(known)
    return EventDelivery(
        subscription_id=found.subscription.id,
        subscription_name=found.subscription.name,
        status=known.status,
        next_attempt_at=None if known.due is None else format_timestamp(known.due),
        cause=DeliveryCause(code=explanation.cause, detail=explanation.sentence),
    )


def _shown_attempt(attempt: AttemptRow) -> Attempt:
    return Attempt(
        number=attempt.number,
        run=attempt.run,
        counted=attempt.counted,
        started_at=format_timestamp(attempt.started_at),
        duration_ms=round(attempt.elapsed_us / 1000, 3),
        status_code=attempt.status,
        error=None if attempt.failure is None else Failure(attempt.failure),
        detail=attempt.detail or None,
        answer=attempt.answer.decode("utf-8", "replace"),
    )


_OF_SUBSCRIPTION = "/v1/subscriptions/{id}/deliveries"
_FILTERS = {
    "status": fields.one_of(*DELIVERY_STATUSES),
    "eventType": event_type,
    "eventId": fields.uuid,
    "externalId": fields.uuid,
    "from": moment.described("Only events created at this moment or later."),
    "to": moment.described("Only events created before this moment."),
    "limit": LIMIT,
    "cursor": cursor(parts=2),
}

ROUTES = (
    Route(
        name="list_deliveries",
        method="GET",
        path="/v1/deliveries",
        summary="List deliveries of all subscriptions",
        roles=OPERATOR,
        handler=list_all,
        query={"subscriptionId": fields.uuid, **_FILTERS},
        replies={200: Reply("A page, newest first. It may be short and still have a `next`.", DeliveryPage)},
        example=Example(query={"status": "failed", "limit": "10"}),
    ),
    Route(
        name="list_event_deliveries",
        method="GET",
        path="/v1/events/{id}/deliveries",
        summary="Tell what became of an event at every subscription, and why",
        roles=OPERATOR,
        handler=list_of_event,
        query={"limit": LIMIT, "cursor": cursor()},
        replies={200: Reply("A page, the oldest subscription first.", EventDeliveryPage)},
        errors=(NotFound,),
        example=Example(query={"limit": "10"}),
    ),
    Route(
        name="list_subscription_deliveries",
        method="GET",
        path=_OF_SUBSCRIPTION,
        summary="List a subscription's deliveries",
        roles=OPERATOR,
        handler=list_of_subscription,
        query=_FILTERS,
        replies={200: Reply("A page, newest first. It may be short and still have a `next`.", DeliveryPage)},
        errors=(NotFound,),
        example=Example(query={"status": "failed", "limit": "10"}),
    ),
    Route(
        name="read_delivery",
        method="GET",
        path=_OF_SUBSCRIPTION + "/{eventId}",
        summary="Read a delivery with its attempts",
        roles=OPERATOR,
        handler=read,
        replies={200: Reply("The delivery.", DeliveryWithAttempts)},
        errors=(NotFound,),
        example=Example(),
    ),
    Route(
        name="retry_delivery",
        method="POST",
        path=_OF_SUBSCRIPTION + "/{eventId}/retry",
        summary="Retry a delivery now",
        roles=OPERATOR,
        handler=retry,
        idempotent=True,
        replies={202: Reply("One more attempt is made now. If it fails, scheduled retries still take place.")},
        errors=(NotFound, Conflict),
        example=Example(),
    ),
)
