"""Replays: send the deliveries of a span of time again, list replays, and cancel them."""

from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from signalpost.api.http.response import Response
from signalpost.api.rendering import submit
from signalpost.api.resources import subscriptions
from signalpost.api.routing.context import RequestBody, RequestContext, Variant
from signalpost.api.routing.queries import PageQuery, write_cursor
from signalpost.api.routing.route import FOLLOWS, SUBSCRIBES, Example, Reply, Route
from signalpost.api.routing.shapes.deliveries import (
    NamedReplay,
    NamedReplayPage,
    ReplayCount,
    ReplayOfOne,
    ReplayPage,
    ReplaysOfMany,
    ShownReplay,
    StartedReplay,
)
from signalpost.commands.command import IdempotencyKey
from signalpost.commands.replays import CancelReplay, StartReplay, not_as_rehearsed
from signalpost.commands.subscriptions import subscription_not_found
from signalpost.domain.access.portal_link import MAX_REPLAYED, Capability
from signalpost.domain.delivery.rehearsal import read_rehearsal_id, wants_of
from signalpost.domain.delivery.replay import (
    MAX_SUBSCRIPTIONS,
    NOTHING_LEFT_OUT,
    RehearsedReplayRequest,
    Replay,
    ReplayChoice,
    ReplayOfManyRequest,
    ReplayRequest,
)
from signalpost.domain.erasure import is_erased
from signalpost.domain.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from signalpost.domain.language.subject import subject_of
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import parse_timestamp
from signalpost.domain.wishes import wishes_of

MAX_PARTS_ASKED = 40
"""In how many parts of a replay a condition is asked of each event before the count ends: some 10,000 events."""


class _PlannedReplay(NamedTuple):
    """What a replay of one subscription would send."""

    subscription: Subscription
    command: StartReplay

    @property
    def may_send(self) -> bool:
        """Whether it would send anything, as far as was counted."""
        return self.command.count > 0 or self.command.count_is_capped


async def start(context: RequestContext) -> Response:
    change = await context.read_change()
    found, asked = await subscriptions.find(context), change.body
    planned: _PlannedReplay | None
    if isinstance(asked, RehearsedReplayRequest):
        planned = await _plan_rehearsed(context, found, asked, change.idempotency)
    else:
        planned = await _plan(context, found, asked, change.idempotency)
    if planned is None:
        raise subscription_not_found()
    command = planned.command
    if asked.dry_run:
        shown = ReplayCount(count=command.count, count_is_capped=command.count_is_capped, left_out=command.left_out)
        return Response(200, msgspec.json.encode(shown))
    if context.portal is not None and (command.count_is_capped or command.count > MAX_REPLAYED):
        raise Conflict(
            "too_many", f"At most {MAX_REPLAYED:,} deliveries can be sent again here. Choose a shorter period."
        )
    return await submit(context, command)


async def start_many(context: RequestContext) -> Response:
    """Each subscription has a replay of its own, which can be followed and cancelled."""
    change = await context.read_change()
    asked: ReplayOfManyRequest = change.body
    key = change.idempotency
    plans = [
        await _plan(context, each, asked, None if key is None else key._replace(key=f"{key.key} {each.id}"))
        for each in await _asked_for(context, asked)
    ]
    worth = sorted((each for each in plans if each is not None and each.may_send), key=_count, reverse=True)
    data = [await _started(context, each, dry_run=asked.dry_run) for each in worth]
    shown = ReplaysOfMany(
        data=data,
        count=sum(each.count for each in data),
        count_is_capped=any(each.count_is_capped for each in data),
        unmet=sum(each.command.left_out.unmet for each in plans if each is not None),
    )
    return Response(200 if asked.dry_run else 202, msgspec.json.encode(shown))


async def _asked_for(context: RequestContext, asked: ReplayOfManyRequest) -> list[Subscription]:
    """The subscriptions that may have something to send. Raises Invalid for too many, or an unknown one."""
    directory = context.services.directory
    if asked.subscription_ids is not UNSET:
        named = [directory.subscription(context.tenant_id, each) for each in asked.subscription_ids]
        absent = [index for index, each in enumerate(named) if each is None]
        if absent:
            detail = "There is no subscription with this id."
            raise Invalid([FieldError(f"/subscriptionIds/{index}", "not_found", detail) for index in absent])
        return list({each.id: each for each in named if each is not None}.values())
    every = directory.subscriptions(context.tenant_id)
    if asked.status == "failed":  # lanes keep how many these are
        every = [lane.subscription for lane in await context.services.lane_views.of_all(every) if lane.failed]
    if len(every) > MAX_SUBSCRIPTIONS:
        detail = f"That may be {len(every):,} subscriptions: name at most {MAX_SUBSCRIPTIONS} of them."
        raise Invalid([FieldError("/subscriptionIds", "too_many", detail)])
    return every


async def _plan(
    context: RequestContext, found: Subscription, asked: ReplayRequest, idempotency: IdempotencyKey | None
) -> _PlannedReplay | None:
    """What a replay of a subscription sends and leaves out; None if the subscription went a moment ago. Raises
    Invalid."""
    to_at = context.services.clock.wall() if asked.to is UNSET else parse_timestamp(asked.to)
    _check_beginning(asked, to_at)
    store = context.services.store
    head = await context.services.lane_views.head_of(found)
    if head is None:
        return None
    end = await store.log.sequence_at(context.tenant_id, to_at)
    first, from_at = await _beginning(context, asked, end, to_at)
    last = min(end - 1, head)
    choice = asked.choice
    count, capped, unmet = await _counted(context, found, first, last, choice)
    command = StartReplay(
        tenant_id=context.tenant_id,
        subscription_id=found.id,
        replay_id=context.new_id(),
        choice=choice,
        from_at=from_at,
        to_at=to_at,
        from_sequence=first,
        to_sequence=last,
        count=count,
        count_is_capped=capped,
        left_out=replace(
            await store.replays.left_out(found, first, end - 1, head, choice),
            unmet=unmet,
        ),
        idempotency=idempotency,
    )
    return _PlannedReplay(found, command)


async def _plan_rehearsed(
    context: RequestContext, found: Subscription, asked: RehearsedReplayRequest, idempotency: IdempotencyKey | None
) -> _PlannedReplay:
    """What a replay sends of what a rehearsal found missing. Raises Conflict unless the subscription is as it was
    rehearsed, and Forbidden for a customer, who may never have been meant to get it."""
    if context.portal is not None:
        raise Forbidden("not_in_portal_link", "Only what was sent before can be sent again here.")
    rehearsed = read_rehearsal_id(asked.rehearsal)
    if rehearsed.wants != wants_of(found):
        raise not_as_rehearsed()
    log = context.services.store.log
    first = max(rehearsed.from_sequence, await log.floor(context.tenant_id))
    kept = (await log.after(context.tenant_id, first - 1, 1)).events
    choice = ReplayChoice("unsent", types=found.filters[-1][1])
    head = await context.services.lane_views.head_of(found) or 0
    count, capped, unmet = await _counted(context, found, first, min(rehearsed.to_sequence, head), choice)
    command = StartReplay(
        tenant_id=context.tenant_id,
        subscription_id=found.id,
        replay_id=context.new_id(),
        choice=choice,
        from_at=kept[0].at if kept else context.services.clock.wall(),
        to_at=context.services.clock.wall(),
        from_sequence=first,
        to_sequence=rehearsed.to_sequence,
        count=count,
        count_is_capped=capped,
        left_out=replace(NOTHING_LEFT_OUT, unmet=unmet),
        idempotency=idempotency,
    )
    return _PlannedReplay(found, command)


async def _counted(
    context: RequestContext, found: Subscription, first: int, last: int, choice: ReplayChoice
) -> tuple[int, bool, int]:
    """How many deliveries a replay would queue, whether there may be more, and how many events of the range do not meet
    the subscription's condition as it is now. A condition is asked of a bounded number of events. Of those that do not
    meet it, customers are told only what failed at their endpoint: they may never have been meant to get the others."""
    store = context.services.store.replays
    wishes = wishes_of(found)
    asks = wishes is not None and wishes.asks_event and choice.what != "waiting"
    if not asks and choice.what != "unsent":
        return *await store.count(found, first, last, choice), 0
    counted = unmet = 0
    for _ in range(MAX_PARTS_ASKED):
        part = await store.part(found, first, last, choice)
        await context.turn()
        left_out = {
            event.sequence
            for event in part.events.values()
            if is_erased(event) or (asks and wishes is not None and wishes.why_not(subject_of(event)))
        }
        counted += len(part.candidates) - len(left_out)
        unmet += sum(
            each.sequence in left_out and (context.portal is None or each.row is not None) for each in part.candidates
        )
        if part.cursor < first or part.cursor >= last:
            return counted, False, unmet
        first = part.cursor + 1
    return counted, True, unmet


def _check_beginning(asked: ReplayRequest, to_at: int) -> None:
    """Raises Invalid unless the range begins in one way, and before its end."""
    if asked.from_ is UNSET:
        if asked.from_sequence is UNSET:
            raise Invalid([FieldError("/from", "required", "Send `from` or `fromSequence`.")])
    elif asked.from_sequence is not UNSET:
        raise Invalid([FieldError("/fromSequence", "not_with_from", "Send either this or `from`.")])
    elif to_at <= parse_timestamp(asked.from_):
        raise Invalid([FieldError("/to", "empty_range", "This must be later than `from`.")])


async def _beginning(context: RequestContext, asked: ReplayRequest, end: int, to_at: int) -> tuple[int, int]:
    """The first sequence of a range that ends before another one, and the moment from which its events are."""
    log = context.services.store.log
    if asked.from_ is not UNSET:
        from_at = parse_timestamp(asked.from_)
        return await log.sequence_at(context.tenant_id, from_at), from_at
    assert asked.from_sequence is not UNSET, "it was checked that one of them is given"
    first = min(asked.from_sequence, end)
    kept = (await log.after(context.tenant_id, first - 1, 1)).events
    return first, min(kept[0].at, to_at) if kept else to_at


def _count(planned: _PlannedReplay) -> int:
    return planned.command.count


async def _started(context: RequestContext, planned: _PlannedReplay, *, dry_run: bool) -> ReplayOfOne:
    found, command = planned
    replay_id, refused = None, None
    if not dry_run:
        try:
            replay_id = msgspec.json.decode((await submit(context, command)).body)["id"]
        except (Conflict, NotFound) as error:  # others start all the same
            refused = error.detail
    return ReplayOfOne(
        subscription_id=found.id,
        subscription_name=found.name,
        still_failing=(await context.services.lane_views.of(found)).state in ("failing", "disabled"),
        replay_id=replay_id,
        count=command.count,
        count_is_capped=command.count_is_capped,
        left_out=command.left_out,
        refused=refused,
    )


async def list_all(context: RequestContext) -> Response:
    query: PageQuery = context.query()
    page = await context.services.store.lists.page(Replay, context.tenant_id, query.cursor, query.limit)
    position = (page[-1].number,) if len(page) == query.limit else None
    directory = context.services.directory
    data = [
        NamedReplay.of(each, subscription_id=found.id, subscription_name=found.name)
        for each in page
        if (found := directory.subscription_with(each.subscription_number))
        is not None  # else it was deleted a moment ago
    ]
    return Response(200, msgspec.json.encode(NamedReplayPage(data=data, next=write_cursor(position))))


async def list_of_subscription(context: RequestContext) -> Response:
    query: PageQuery = context.query()
    found = await subscriptions.find(context)
    page = await context.services.store.replays.page(found, query.cursor, query.limit)
    position = (page[-1].number,) if len(page) == query.limit else None
    shown = ReplayPage(
        data=[ShownReplay.of(each, subscription_id=found.id) for each in page], next=write_cursor(position)
    )
    return Response(200, msgspec.json.encode(shown))


async def read(context: RequestContext) -> Response:
    context.query()
    found = await subscriptions.find(context)
    each = await context.services.store.replays.get(found, _replay_id(context))
    if each is None:
        raise NotFound("replay_not_found", "This subscription has no replay with this id, or it is no longer kept.")
    return Response(200, msgspec.json.encode(ShownReplay.of(each, subscription_id=found.id)))


async def cancel(context: RequestContext) -> Response:
    change = await context.read_change()
    found = await subscriptions.find(context)
    return await submit(
        context,
        CancelReplay(
            tenant_id=context.tenant_id,
            subscription_id=found.id,
            replay_id=_replay_id(context),
            idempotency=change.idempotency,
        ),
    )


def _replay_id(context: RequestContext) -> str:
    return context.path_uuid("replayId", "replay")


_PATH = "/v1/subscriptions/{id}/replays"
_EXAMPLE: dict[str, Any] = {"from": "2026-01-15T09:00:00Z", "to": "2026-01-15T12:00:00Z", "status": "failed"}

ROUTES = (
    Route(
        name="start_replays",
        method="POST",
        path="/v1/replays",
        summary="Resend the failed events of a time range, or all of them, to many subscriptions",
        roles=SUBSCRIBES,
        handler=start_many,
        body=RequestBody(ReplayOfManyRequest),
        idempotent=True,
        replies={
            200: Reply("For `dryRun`: how many deliveries would be queued, by subscription.", ReplaysOfMany),
            202: Reply(
                "The replays that have started, one for each subscription. Repeating the call with the same "
                "`Idempotency-Key` starts no second ones.",
                ReplaysOfMany,
            ),
        },
        example=Example({**_EXAMPLE, "dryRun": True}),
    ),
    Route(
        name="list_all_replays",
        method="GET",
        path="/v1/replays",
        summary="List the replays of all subscriptions",
        roles=FOLLOWS,
        handler=list_all,
        query=PageQuery,
        replies={200: Reply("A page, newest first.", NamedReplayPage)},
        example=Example(query={"limit": "10"}),
    ),
    Route(
        name="start_replay",
        method="POST",
        path=_PATH,
        summary="Resend the failed events of a time range, or all of them",
        roles=SUBSCRIBES,
        handler=start,
        portal=Capability.REPLAY,
        body=RequestBody(
            ReplayRequest,
            variant=Variant("ReplayRehearsal", RehearsedReplayRequest, lambda sent: "rehearsal" in sent),
        ),
        idempotent=True,
        replies={
            200: Reply("For `dryRun`: how many deliveries would be queued, and what is left out.", ReplayCount),
            202: Reply("The replay, which has started.", StartedReplay, ("location",)),
        },
        errors=(NotFound, Conflict),
        example=Example(_EXAMPLE),
    ),
    Route(
        name="list_replays",
        method="GET",
        path=_PATH,
        summary="List a subscription's replays",
        roles=FOLLOWS,
        handler=list_of_subscription,
        portal=Capability.REPLAY,
        query=PageQuery,
        replies={200: Reply("A page, newest first.", ReplayPage)},
        errors=(NotFound,),
        example=Example(query={"limit": "10"}),
    ),
    Route(
        name="read_replay",
        method="GET",
        path=_PATH + "/{replayId}",
        summary="Read a replay and its progress",
        roles=FOLLOWS,
        handler=read,
        portal=Capability.REPLAY,
        replies={200: Reply("The replay. `queued` of its `count` deliveries have been queued.", ShownReplay)},
        errors=(NotFound,),
        example=Example(),
    ),
    Route(
        name="cancel_replay",
        method="DELETE",
        path=_PATH + "/{replayId}",
        summary="Cancel a replay; deliveries that are queued already are still sent",
        roles=SUBSCRIBES,
        handler=cancel,
        portal=Capability.REPLAY,
        idempotent=True,
        replies={200: Reply("The cancelled replay.", ShownReplay)},
        errors=(NotFound, Conflict),
        example=Example(),
    ),
)
