"""Subscriptions: create, read, change, delete, rotate the secret, try the endpoint."""

from typing import Any

import msgspec
from msgspec.structs import replace

from signalpost.api.routing.context import LIMIT, LIMIT_DEFAULT, Body, Call, cursor, write_cursor
from signalpost.api.routing.route import OPERATOR, Example, Reply, Route
from signalpost.api.routing.shapes import NewSubscription, SubscriptionPage, TestResult
from signalpost.api.routing.shapes import Subscription as SubscriptionShape
from signalpost.commands.overlay import Answer
from signalpost.commands.subscriptions import (
    CreateSubscription,
    DeleteSubscription,
    PatchSubscription,
    PromoteSecret,
    RotateSecret,
    subscription_answer,
)
from signalpost.domain import endpoint, fields, subscription
from signalpost.domain.documents import sample
from signalpost.domain.errors import Conflict, NotFound, TooMany
from signalpost.domain.event import BY_WIRE
from signalpost.domain.fields import Bad, Field, field
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import format_timestamp
from signalpost.sender.addresses import target_refusal
from signalpost_receiver import make_token


async def create(call: Call) -> Answer:
    asked = await call.asked(url=_vetted(call))
    subscription_id = call.new_id()
    answer = await call.services.engine.submit(
        CreateSubscription(
            tenant_id=call.tenant_id,
            subscription_id=subscription_id,
            checked=asked.fields,
            secret=asked.fields.get("secret") or make_token(call.services.secret_bytes),
            retry_delays=call.services.retry_delays,
            idempotency=asked.idempotency,
        )
    )
    return _with_health(call, answer)


async def list_all(call: Call) -> Answer:
    query = call.query()
    (below,), most = query.get("cursor", (None,)), query.get("limit", LIMIT_DEFAULT)
    found = await call.services.store.subscriptions(call.tenant_id, below, most)
    shown = [msgspec.Raw(_shown(call, each).body) for each in found]
    position = (found[-1].number,) if len(found) == most else None
    return Answer(200, msgspec.json.encode({"data": shown, "next": write_cursor(position)}))


async def read(call: Call) -> Answer:
    call.query()
    return _shown(call, await find(call))


async def patch(call: Call) -> Answer:
    asked = await call.asked(url=_vetted(call))
    answer = await call.services.engine.submit(
        PatchSubscription(
            tenant_id=call.tenant_id,
            subscription_id=_subscription_id(call),
            checked=asked.fields,
            if_match=call.if_match,
            idempotency=asked.idempotency,
        )
    )
    return _with_health(call, answer)


async def delete(call: Call) -> Answer:
    asked = await call.asked()
    return await call.services.engine.submit(
        DeleteSubscription(
            tenant_id=call.tenant_id,
            subscription_id=_subscription_id(call),
            if_match=call.if_match,
            idempotency=asked.idempotency,
        )
    )


async def rotate(call: Call) -> Answer:
    asked = await call.asked()
    answer = await call.services.engine.submit(
        RotateSecret(
            tenant_id=call.tenant_id,
            subscription_id=_subscription_id(call),
            secret=asked.fields.get("secret") or make_token(call.services.secret_bytes),
            overlap_hours=asked.fields.get("overlapHours", subscription.OVERLAP_HOURS),
            if_match=call.if_match,
            idempotency=asked.idempotency,
        )
    )
    return _with_health(call, answer)


async def promote(call: Call) -> Answer:
    asked = await call.asked()
    answer = await call.services.engine.submit(
        PromoteSecret(
            tenant_id=call.tenant_id,
            subscription_id=_subscription_id(call),
            if_match=call.if_match,
            idempotency=asked.idempotency,
        )
    )
    return _with_health(call, answer)


async def test(call: Call) -> Answer:
    call.query()
    asked = await call.fields()
    found = await find(call)
    event_type = BY_WIRE[asked.get("eventType", found.event_types[0])]
    event = sample.event(event_type, call.tenant_id, call.services.clock.wall(), call.services.random_bits)
    outcome = await call.services.engine.test(found, event)
    result = TestResult(
        event_id=event.id,
        delivered=outcome.failure is None,
        started_at=format_timestamp(outcome.started_at),
        duration_ms=round(outcome.elapsed_us / 1000, 3),
        status_code=outcome.status,
        error=outcome.failure,
        detail=outcome.detail or None,
        answer=outcome.answer.decode("utf-8", "replace"),
    )
    return Answer(200, msgspec.json.encode(result))


async def find(call: Call) -> Subscription:
    """The subscription that the path names. Raises NotFound."""
    found = call.services.engine.subscription(call.tenant_id, _subscription_id(call))
    if found is None:
        raise NotFound("subscription_not_found", "There is no subscription with this id.")
    return found


def _subscription_id(call: Call) -> str:
    return call.path_uuid("id", "subscription")


def _vetted(call: Call) -> Field:
    """The check of a URL, and one more: refuse at once what no attempt would dial. A host name is vetted again whenever
    it is resolved."""

    @field(**endpoint.url.schema)
    def url(value: Any) -> str:
        text: str = endpoint.url(value)
        refusal = target_refusal(endpoint.parse_url(text).target, call.services.allow_targets)
        if refusal is not None:
            raise Bad("address_refused", refusal)
        return text

    return url


def _shown(call: Call, found: Subscription) -> Answer:
    return _with_health(call, subscription_answer(found.with_secrets_of(call.services.clock.wall())))


def _with_health(call: Call, answer: Answer) -> Answer:
    """Add what the engine alone knows; it is not part of what an Idempotency-Key repeats."""
    identity = msgspec.json.decode(answer.body)["id"]
    found = call.services.engine.subscription(call.tenant_id, identity)
    health = call.services.engine.health(found) if found is not None else None
    return replace(answer, body=b'%b,"health":%b}' % (answer.body[:-1], msgspec.json.encode(health)))


_PATH = "/v1/subscriptions/{id}"

ROUTES = (
    Route(
        name="create_subscription",
        method="POST",
        path="/v1/subscriptions",
        summary="Subscribe an endpoint",
        roles=OPERATOR,
        handler=create,
        body=Body(subscription.NEW, subscription.NEW_REQUIRED),
        idempotent=True,
        replies={201: Reply("The subscription, with its secret this once.", NewSubscription, ("etag", "location"))},
        example=Example({"url": "https://example.com/hooks", "eventTypes": ["documentCreated", "documentUpdated"]}),
    ),
    Route(
        name="list_subscriptions",
        method="GET",
        path="/v1/subscriptions",
        summary="List subscriptions",
        roles=OPERATOR,
        handler=list_all,
        query={"limit": LIMIT, "cursor": cursor()},
        replies={200: Reply("A page, newest first.", SubscriptionPage)},
        example=Example(query={"limit": "10"}),
    ),
    Route(
        name="read_subscription",
        method="GET",
        path=_PATH,
        summary="Read a subscription and how its endpoint does",
        roles=OPERATOR,
        handler=read,
        replies={200: Reply("The subscription.", SubscriptionShape, ("etag",))},
        errors=(NotFound,),
        example=Example(),
    ),
    Route(
        name="patch_subscription",
        method="PATCH",
        path=_PATH,
        summary="Change, pause or resume a subscription",
        roles=OPERATOR,
        handler=patch,
        body=Body(subscription.PATCH),
        conditional=True,
        idempotent=True,
        replies={200: Reply("The subscription.", SubscriptionShape, ("etag",))},
        errors=(NotFound,),
        example=Example({"status": "paused"}),
    ),
    Route(
        name="delete_subscription",
        method="DELETE",
        path=_PATH,
        summary="Delete a subscription",
        roles=OPERATOR,
        handler=delete,
        conditional=True,
        idempotent=True,
        replies={204: Reply("Deleted: nothing more is sent.")},
        errors=(NotFound,),
        example=Example(),
    ),
    Route(
        name="rotate_secret",
        method="POST",
        path=_PATH + "/secret/rotate",
        summary="Begin to change the secret: both sign until the overlap ends",
        roles=OPERATOR,
        handler=rotate,
        body=Body(subscription.ROTATE, optional=True),
        conditional=True,
        idempotent=True,
        replies={200: Reply("The subscription, with its new secret this once.", NewSubscription, ("etag",))},
        errors=(NotFound, Conflict),
        example=Example({"overlapHours": 48}),
    ),
    Route(
        name="promote_secret",
        method="POST",
        path=_PATH + "/secret/promote",
        summary="End the overlap now: the new secret is the only one",
        roles=OPERATOR,
        handler=promote,
        conditional=True,
        idempotent=True,
        replies={200: Reply("The subscription.", SubscriptionShape, ("etag",))},
        errors=(NotFound, Conflict),
        example=Example(),
    ),
    Route(
        name="test_subscription",
        method="POST",
        path=_PATH + "/test",
        summary="Send a sample event now, outside the log",
        roles=OPERATOR,
        handler=test,
        body=Body({"eventType": fields.one_of(*BY_WIRE)}, optional=True),
        replies={200: Reply("What came back.", TestResult)},
        errors=(NotFound, TooMany),
        example=Example({"eventType": "documentCreated"}),
    ),
)
