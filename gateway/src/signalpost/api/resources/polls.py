"""Reading: the customer of a subscription of the kind `poll` asks for its events, and acknowledges them."""

import asyncio
from collections.abc import Sequence

from msgspec import UNSET

from signalpost.api.resources.subscriptions import PATH, subscription_id
from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.route import Example, Reply, Route
from signalpost.api.routing.shapes.subscriptions import Acknowledged, HandedEvent, HandedEvents
from signalpost.commands.subscriptions import subscription_not_found
from signalpost.destinations.webhook import Signatures
from signalpost.domain.errors import Conflict, NotFound
from signalpost.domain.event import Event
from signalpost.domain.subscription import Subscription
from signalpost.domain.subscription_requests import Acknowledgement, PollRequest
from signalpost.domain.timestamps import SECOND, format_timestamp
from signalpost.engine.lanes.readers import HandedOut
from signalpost.engine.revisions import Topic

LOOK_EVERY = 0.1
"""Seconds between two looks whether something happened, which cost next to nothing."""
ASK_EVERY = 2.0
"""Seconds after which the store is asked in any case: this node does not hear what readers do at others."""
_NEWS = frozenset({Topic.EVENTS, Topic.SUBSCRIPTIONS, Topic.DELIVERIES})


async def poll(context: RequestContext) -> HandedEvents:
    context.query()
    asked: PollRequest = await context.read_body()
    await context.check_still_allowed()  # by now this node knows what others changed of the subscription
    loop, revisions = asyncio.get_running_loop(), context.services.engine.revisions
    give_up_at = loop.time() + asked.wait
    gone = loop.create_task(context.request.body.gone())
    try:
        while True:
            position = revisions.position
            handed = await context.services.engine.lanes.readers.hand_out(
                lambda: _find(context), asked.limit, asked.lease * SECOND, context.new_id()
            )
            left = give_up_at - loop.time()
            if handed.events or left <= 0 or gone.done():
                return await _shown(context, _find(context), handed)
            await _something_new(context, position, min(left, ASK_EVERY, _seconds_until(context, handed)), gone)
            await context.check_still_allowed()
    finally:
        gone.cancel()


def _find(context: RequestContext) -> Subscription:
    """The subscription as this node knows it now. Raises NotFound."""
    found = context.services.directory.subscription(context.tenant_id, subscription_id(context))
    if found is None or not found.is_read:
        raise subscription_not_found()
    return found.with_secrets_of(context.services.clock.wall())


def _seconds_until(context: RequestContext, handed: HandedOut) -> float:
    """When it is worth to ask again although nothing happens."""
    if handed.again_at is None:
        return ASK_EVERY
    return max(0, handed.again_at - context.services.clock.wall()) / SECOND


async def _something_new(context: RequestContext, position: str, seconds: float, gone: asyncio.Task[None]) -> None:
    """Wait until there may be something for the reader, for so long at most, or until it is gone."""
    loop, revisions = asyncio.get_running_loop(), context.services.engine.revisions
    until = loop.time() + seconds
    while (left := until - loop.time()) > 0 and not revisions.since(context.tenant_id, position) & _NEWS:
        ended, _ = await asyncio.wait({gone}, timeout=min(left, LOOK_EVERY))
        if ended:
            return


async def _shown(context: RequestContext, found: Subscription, handed: HandedOut) -> HandedEvents:
    return HandedEvents(
        data=await _signed(context, found, handed.events, handed.reading.times),
        receipt=handed.reading.receipt if handed.events else None,
        leased_until=format_timestamp(handed.reading.until) if handed.events else None,
        status=found.status,
        lost=handed.lost,
    )


async def _signed(
    context: RequestContext, found: Subscription, events: Sequence[Event], attempt: int
) -> list[HandedEvent]:
    signatures, signed = Signatures(found), []
    for event in events:
        headers = signatures.headers(event, attempt, context.services.clock.wall())
        signed.append(HandedEvent(sequence=event.sequence, headers=headers, body=event.body.decode()))
        await context.turn()
    return signed


async def acknowledge(context: RequestContext) -> Acknowledged:
    context.query()
    asked: Acknowledgement = await context.read_body()
    await context.check_still_allowed()
    through = None if asked.through is UNSET else asked.through
    readers = context.services.engine.lanes.readers
    return Acknowledged(acknowledged=await readers.acknowledge(lambda: _find(context), asked.receipt, through))


ROUTES = (
    Route(
        name="poll_events",
        method="POST",
        path=PATH + "/poll",
        summary="Read the next events of a subscription that is read, with the key of its reader",
        roles=frozenset(),
        for_readers=True,
        handler=poll,
        body=RequestBody(PollRequest, optional=True),
        replies={200: Reply("The next events, which are there until they are acknowledged.", HandedEvents)},
        errors=(NotFound,),
        example=Example({"limit": 50, "wait": 20, "lease": 60}),
    ),
    Route(
        name="acknowledge_events",
        method="POST",
        path=PATH + "/acknowledge",
        summary="Acknowledge events that were read: they were handled, and are not handed out again",
        roles=frozenset(),
        for_readers=True,
        handler=acknowledge,
        body=RequestBody(Acknowledgement),
        replies={200: Reply("What was acknowledged is settled.", Acknowledged)},
        errors=(NotFound, Conflict),
        example=Example({"receipt": "01a20e92-1d5f-76d4-985f-8a63b2c66f94"}),
    ),
)
