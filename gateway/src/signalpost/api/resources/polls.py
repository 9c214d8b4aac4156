"""Reading: the customer of a subscription of the kind `poll` asks for its events, and acknowledges them."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import inf

from msgspec import UNSET

from signalpost.api.guards.callers import caller_of
from signalpost.api.guards.principals import unknown_key
from signalpost.api.http.large_answers import LARGE_ANSWER_BYTES, take_room
from signalpost.api.resources.subscriptions import PATH, subscription_id
from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.route import Example, Reply, Route
from signalpost.api.routing.shapes.subscriptions import Acknowledged, HandedEvent, HandedEvents
from signalpost.commands.subscriptions import subscription_not_found
from signalpost.destinations.webhook import Signatures
from signalpost.domain.errors import Conflict, NotFound, TooMany
from signalpost.domain.event import Event
from signalpost.domain.subscription import Subscription
from signalpost.domain.subscription_requests import Acknowledgement, PollRequest
from signalpost.domain.timestamps import SECOND, format_timestamp
from signalpost.engine.lanes.readers import HandedOut
from signalpost.engine.revisions import Topic
from signalpost.runtime.own_time import add_to_own_time

_NEWS = frozenset({Topic.EVENTS, Topic.SUBSCRIPTIONS})
LOOK_EVERY = 0.1
"""Seconds between two looks whether something happened, after which the store is asked."""
LOOKS_PER_SECOND = 200
"""How often all calls that wait look at most, together: with many of them, each looks less often."""
ASK_EVERY = 2.0
"""Seconds after which a call that waits asks the store in any case: no node hears what readers do at another."""
ASKED_PER_SECOND = 20
"""How often all of them do so, together."""
HEADERS_BYTES = 1024
"""An event in an answer has fewer bytes than this, and twice those of its body."""
TAKES = 0.001
"""How many seconds of the loop's time a call counts in addition for each time that it writes a lane's row."""


async def poll(context: RequestContext) -> HandedEvents:
    context.query()
    asked: PollRequest = await context.read_body()
    await context.check_still_allowed()  # by now this node knows what others changed of the subscription
    position = context.services.engine.revisions.position
    with _ending_with_its_subscription():
        handed = await _hand_out(context, asked)
        if not handed.events and asked.wait:
            handed = await _wait(context, asked, position, handed)
        return await _shown(context, _find(context), handed)


@contextmanager
def _ending_with_its_subscription() -> Iterator[None]:
    """A reader may ask for its own subscription alone, whose deletion ends its key, too. Whichever of the two shows
    first, it is told that its key has ended: raises Unauthenticated."""
    try:
        yield
    except NotFound:
        raise unknown_key() from None


async def _hand_out(context: RequestContext, asked: PollRequest) -> HandedOut:
    add_to_own_time(TAKES)
    readers, lease = context.services.engine.lanes.readers, asked.lease * SECOND
    room = partial(_take_room, context)
    return await readers.hand_out(partial(_find, context), asked.limit, lease, context.new_id(), room)


def _take_room(context: RequestContext, events: Sequence[Event]) -> None:
    """Have room for an answer with these events before they are leased: a reader that is refused it would have to
    wait for the end of its own lease. Raises TooMany."""
    if sum(2 * len(each.body) + HEADERS_BYTES for each in events) > LARGE_ANSWER_BYTES:
        take_room(context.request, context.services.limits)


async def _wait(context: RequestContext, asked: PollRequest, position: str, handed: HandedOut) -> HandedOut:
    """What is handed out once there is something, or nothing if nothing comes in time. A reader that is gone meanwhile
    is handed nothing: it would hold a lease for no one. Raises TooMany."""
    places, caller = context.services.limits.readers, caller_of(context.principal, context.tenant_id)
    if not places.take(caller):
        raise TooMany("too_many_readers", "Too many readers wait for events. Ask again later.", retry_after=5)
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + asked.wait
    gone = loop.create_task(context.request.body.gone())
    try:
        while not handed.events and (left := give_up_at - loop.time()) > 0:
            await _something_new(context, position, handed, left, gone)
            if gone.done():
                break
            await context.check_still_allowed()
            position = context.services.engine.revisions.position
            handed = await _hand_out(context, asked)
    finally:
        gone.cancel()
        places.give_back(caller)
    return handed


async def _something_new(
    context: RequestContext, position: str, handed: HandedOut, left: float, gone: asyncio.Task[None]
) -> None:
    """Wait until there may be something for the reader, for as long as it waits at most, or until it is gone."""
    loop, revisions = asyncio.get_running_loop(), context.services.engine.revisions
    now, waiting = loop.time(), context.services.limits.readers.taken
    until = now + min(left, max(ASK_EVERY, waiting / ASKED_PER_SECOND), _seconds_until(context, handed))
    look_every = max(LOOK_EVERY, waiting / LOOKS_PER_SECOND)
    news = _NEWS | {Topic.DELIVERIES} if _is_held(handed) else _NEWS
    while (at := loop.time()) < until:
        ended, _ = await asyncio.wait({gone}, timeout=min(until - at, look_every))
        if ended or revisions.since(context.tenant_id, position) & news:
            return


def _seconds_until(context: RequestContext, handed: HandedOut) -> float:
    """When it is worth to ask again although nothing happens."""
    if handed.again_at is None:
        return inf
    return max(0, handed.again_at - context.services.clock.wall()) / SECOND


def _is_held(handed: HandedOut) -> bool:
    """Whether another reader has what is next, whose acknowledgement is awaited."""
    return handed.again_at is not None and handed.again_at == handed.reading.until


def _find(context: RequestContext) -> Subscription:
    """The subscription as this node knows it now. Raises NotFound."""
    found = context.services.directory.subscription(context.tenant_id, subscription_id(context))
    if found is None or not found.is_read:
        raise subscription_not_found()
    return found.with_secrets_of(context.services.clock.wall())


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
    add_to_own_time(TAKES)
    through = None if asked.through is UNSET else asked.through
    readers = context.services.engine.lanes.readers
    with _ending_with_its_subscription():
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
