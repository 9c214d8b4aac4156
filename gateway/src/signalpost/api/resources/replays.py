"""Replays: send the deliveries of a span of time again, list replays, and cancel them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from signalpost.api.http.response import Response
from signalpost.api.rendering import submit
from signalpost.api.resources import subscriptions
from signalpost.api.resources.planned_replays import PlannedReplay, plan, plan_rehearsed
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
from signalpost.commands.replays import CancelReplay, StartReplay
from signalpost.commands.subscriptions import subscription_not_found
from signalpost.domain.access.portal_link import MAX_REPLAYED, Capability
from signalpost.domain.delivery.replay import (
    MAX_SUBSCRIPTIONS,
    RehearsedReplayRequest,
    Replay,
    ReplayOfManyRequest,
    ReplayRequest,
)
from signalpost.domain.errors import Conflict, FieldError, Invalid, NotFound
from signalpost.domain.subscription import Subscription


async def start(context: RequestContext) -> ReplayCount | StartReplay:
    change = await context.read_change()
    found, asked = await subscriptions.find(context), change.body
    planned: PlannedReplay | None
    if isinstance(asked, RehearsedReplayRequest):
        planned = await plan_rehearsed(context, found, asked, change.idempotency)
    else:
        planned = await plan(context, found, asked, change.idempotency)
    if planned is None:
        raise subscription_not_found()
    command = planned.command
    if asked.dry_run:
        return ReplayCount(count=command.count, count_is_capped=command.count_is_capped, left_out=command.left_out)
    if context.portal is not None and (command.count_is_capped or command.count > MAX_REPLAYED):
        raise Conflict(
            "too_many", f"At most {MAX_REPLAYED:,} deliveries can be sent again here. Choose a shorter period."
        )
    return command


async def start_many(context: RequestContext) -> Response:
    """Each subscription has a replay of its own, which can be followed and cancelled."""
    change = await context.read_change()
    asked: ReplayOfManyRequest = change.body
    key = change.idempotency
    plans = [
        await plan(context, each, asked, None if key is None else key._replace(key=f"{key.key} {each.id}"))
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
    every: Sequence[Subscription] = directory.originals(context.tenant_id)
    if asked.status == "failed":  # lanes keep how many these are
        every = [lane.subscription for lane in await context.services.lane_views.of_all(every) if lane.failed]
    if len(every) > MAX_SUBSCRIPTIONS:
        detail = f"That may be {len(every):,} subscriptions: name at most {MAX_SUBSCRIPTIONS} of them."
        raise Invalid([FieldError("/subscriptionIds", "too_many", detail)])
    return [*every]


def _count(planned: PlannedReplay) -> int:
    return planned.command.count


async def _started(context: RequestContext, planned: PlannedReplay, *, dry_run: bool) -> ReplayOfOne:
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


async def list_all(context: RequestContext) -> NamedReplayPage:
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
    return NamedReplayPage(data=data, next=write_cursor(position))


async def list_of_subscription(context: RequestContext) -> ReplayPage:
    query: PageQuery = context.query()
    found = await subscriptions.find(context)
    page = await context.services.store.replays.page(found, query.cursor, query.limit)
    position = (page[-1].number,) if len(page) == query.limit else None
    return ReplayPage(
        data=[ShownReplay.of(each, subscription_id=found.id) for each in page], next=write_cursor(position)
    )


async def read(context: RequestContext) -> ShownReplay:
    context.query()
    found = await subscriptions.find(context)
    each = await context.services.store.replays.get(found, _replay_id(context))
    if each is None:
        raise NotFound("replay_not_found", "This subscription has no replay with this id, or it is no longer kept.")
    return ShownReplay.of(each, subscription_id=found.id)


async def cancel(context: RequestContext) -> CancelReplay:
    change = await context.read_change()
    found = await subscriptions.find(context)
    return CancelReplay(
        tenant_id=context.tenant_id,
        subscription_id=found.id,
        replay_id=_replay_id(context),
        idempotency=change.idempotency,
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
            variants=(Variant("ReplayRehearsal", RehearsedReplayRequest, lambda sent: "rehearsal" in sent),),
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
        changes=True,
        portal=Capability.REPLAY,
        idempotent=True,
        replies={200: Reply("The cancelled replay.", ShownReplay)},
        errors=(NotFound, Conflict),
        example=Example(),
    ),
)
