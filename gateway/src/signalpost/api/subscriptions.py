"""Subscriptions: create, read, change, delete."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from signalpost.api.call import LIMIT_DEFAULT, Call, cursor, limit, write_cursor
from signalpost.domain import endpoint, subscription
from signalpost.domain.batch import Answer
from signalpost.domain.errors import NotFound
from signalpost.domain.fields import Bad, Check
from signalpost.domain.subscription import Subscription
from signalpost.domain.subscription_commands import (
    CreateSubscription,
    DeleteSubscription,
    PatchSubscription,
    subscription_answer,
)
from signalpost.engine.addresses import target_refusal
from signalpost_receiver import make_token


async def create(call: Call) -> Answer:
    asked = await call.asked(_vetted(call, subscription.NEW), subscription.NEW_REQUIRED)
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
    query = call.query(limit=limit, cursor=cursor)
    most = query.get("limit", LIMIT_DEFAULT)
    found = await call.services.store.subscriptions(call.tenant_id, query.get("cursor"), most)
    shown = [msgspec.Raw(_with_health(call, subscription_answer(each)).body) for each in found]
    position = found[-1].number if len(found) == most else None
    return Answer(200, msgspec.json.encode({"data": shown, "next": write_cursor(position)}))


async def read(call: Call) -> Answer:
    call.query()
    return _with_health(call, subscription_answer(await find(call)))


async def patch(call: Call) -> Answer:
    asked = await call.asked(_vetted(call, subscription.PATCH))
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


async def find(call: Call) -> Subscription:
    """The subscription that the path names. Raises NotFound."""
    found = call.services.engine.subscription(call.tenant_id, _subscription_id(call))
    if found is None:
        raise NotFound("subscription_not_found", "There is no subscription with this id.")
    return found


def _subscription_id(call: Call) -> str:
    return call.path_uuid("id", "subscription")


def _vetted(call: Call, checks: Mapping[str, Check]) -> dict[str, Check]:
    """The checks, with one more of the URL: refuse at once what no attempt would dial. A host name is vetted again
    whenever it is resolved."""

    def url(value: Any) -> str:
        text = endpoint.url(value)
        refusal = target_refusal(endpoint.parse_url(text).target, call.services.allow_targets)
        if refusal is not None:
            raise Bad("address_refused", refusal)
        return text

    return {**checks, "url": url}


def _with_health(call: Call, answer: Answer) -> Answer:
    """Add what the engine alone knows; it is not part of what an Idempotency-Key repeats."""
    identity = msgspec.json.decode(answer.body)["id"]
    found = call.services.engine.subscription(call.tenant_id, identity)
    health = call.services.engine.health(found) if found is not None else None
    return replace(answer, body=b'%b,"health":%b}' % (answer.body[:-1], msgspec.json.encode(health)))
