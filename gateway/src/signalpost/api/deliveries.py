"""Deliveries of a subscription: what was sent, what waits, what failed and why, and one attempt more."""

import msgspec

from signalpost.api import subscriptions
from signalpost.api.call import LIMIT_DEFAULT, Call, cursor, event_type, limit, moment, write_cursor
from signalpost.api.events import find_event
from signalpost.domain import fields
from signalpost.domain.batch import Answer
from signalpost.domain.errors import NotFound
from signalpost.domain.event import Event, EventType
from signalpost.domain.subscription_commands import RetryDelivery
from signalpost.domain.timestamps import format_timestamp
from signalpost.store.store import Attempt, DeliveryFilter, DeliveryPosition, DeliveryView, LogEntry

STATUSES = ("pending", "delivered", "retrying", "failed")


async def list_of_subscription(call: Call) -> Answer:
    query = call.query(
        status=fields.one_of(*STATUSES),
        eventType=event_type,
        externalId=fields.uuid,
        **{"from": moment, "to": moment},
        limit=limit,
        cursor=cursor,
    )
    found = await subscriptions.find(call)
    asked = DeliveryFilter(
        status=query.get("status"),
        types=query.get("eventType", sum(EventType)),
        document_id=query.get("externalId"),
        created_from=query.get("from"),
        created_to=query.get("to"),
    )
    below = DeliveryPosition(query["cursor"], found.number) if "cursor" in query else None
    page = await call.services.store.deliveries(
        call.tenant_id, [found], asked, below, query.get("limit", LIMIT_DEFAULT)
    )
    shown = {"data": [_shown(view) for view in page.data], "next": write_cursor(page.next and page.next.sequence)}
    return Answer(200, msgspec.json.encode(shown))


async def read(call: Call) -> Answer:
    call.query()
    found = await subscriptions.find(call)
    event = await _event(call)
    delivery = await call.services.store.delivery(found, _entry(event))
    if delivery is None:
        raise _not_found()
    view, attempts = delivery
    return Answer(200, msgspec.json.encode({**_shown(view), "attempts": [_shown_attempt(each) for each in attempts]}))


async def retry(call: Call) -> Answer:
    asked = await call.asked()
    found = await subscriptions.find(call)
    event = await _event(call)
    return await call.services.engine.submit(
        RetryDelivery(
            tenant_id=call.tenant_id,
            subscription_id=found.id,
            sequence=event.sequence,
            event_type=event.type,
            event_document_id=event.document_id,
            idempotency=asked.idempotency,
        )
    )


async def _event(call: Call) -> Event:
    event = await find_event(call, call.path_uuid("eventId", "delivery"))
    if event is None:
        raise _not_found()
    return event


def _not_found() -> NotFound:
    return NotFound("delivery_not_found", "This subscription has no delivery of that event, or it is no longer kept.")


def _entry(event: Event) -> LogEntry:
    return LogEntry(event.sequence, event.at, event.id, event.type, event.document_id)


def _shown(view: DeliveryView) -> dict[str, object]:
    entry = view.entry
    return {
        "eventId": entry.id,
        "sequence": entry.sequence,
        "eventType": EventType(entry.type).wire,
        "externalId": entry.document_id,
        "createdAt": format_timestamp(entry.at),
        "status": view.status,
        "nextAttemptAt": None if view.due is None else format_timestamp(view.due),
    }


def _shown_attempt(attempt: Attempt) -> dict[str, object]:
    return {
        "number": attempt.number,
        "run": attempt.run,
        "counted": attempt.counted,
        "startedAt": format_timestamp(attempt.started_at),
        "durationMs": round(attempt.elapsed_us / 1000, 3),
        "statusCode": attempt.status,
        "error": attempt.failure,
        "detail": attempt.detail or None,
        "answer": attempt.answer.decode("utf-8", "replace"),
    }
