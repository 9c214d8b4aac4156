"""Replays: send the deliveries of a span of time again, list replays, and cancel them."""

from typing import Any

import msgspec

from signalpost.api.http.response import Response
from signalpost.api.rendering import replay_shown, submit
from signalpost.api.resources import subscriptions
from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.queries import PageQuery, write_cursor
from signalpost.api.routing.route import FOLLOWS, SUBSCRIBES, Example, Reply, Route
from signalpost.api.routing.shapes.deliveries import ReplayCount, ReplayPage, ShownReplay, StartedReplay
from signalpost.commands.replays import CancelReplay, StartReplay
from signalpost.domain.delivery.replay import ReplayRequest
from signalpost.domain.errors import Conflict, FieldError, Invalid, NotFound
from signalpost.domain.timestamps import parse_timestamp


async def start(context: RequestContext) -> Response:
    change = await context.read_change()
    found = await subscriptions.find(context)
    asked: ReplayRequest = change.body
    from_at, to_at = parse_timestamp(asked.from_), parse_timestamp(asked.to)
    if to_at <= from_at:
        raise Invalid([FieldError("/to", "empty_range", "This must be later than `from`.")])
    store = context.services.store
    head = await context.services.lanes.head_of(found)
    if head is None:
        raise subscriptions.not_found()
    first, end = [await store.log.sequence_at(context.tenant_id, at) for at in (from_at, to_at)]
    last = min(end - 1, head)
    count, capped = await store.replays.count(found, first, last, asked.status)
    left_out = await store.replays.left_out(found, first, end - 1, head, asked.status)
    if asked.dry_run:
        shown = ReplayCount(count=count, count_is_capped=capped, left_out=left_out)
        return Response(200, msgspec.json.encode(shown))
    return await submit(
        context,
        StartReplay(
            tenant_id=context.tenant_id,
            subscription_id=found.id,
            replay_id=context.new_id(),
            what=asked.status,
            from_at=from_at,
            to_at=to_at,
            from_sequence=first,
            to_sequence=last,
            count=count,
            count_is_capped=capped,
            left_out=left_out,
            idempotency=change.idempotency,
        ),
    )


async def list_all(context: RequestContext) -> Response:
    query: PageQuery = context.query()
    found = await subscriptions.find(context)
    page = await context.services.store.replays.page(found, query.cursor, query.limit)
    position = (page[-1].number,) if len(page) == query.limit else None
    shown = ReplayPage(data=[replay_shown(each, found.id) for each in page], next=write_cursor(position))
    return Response(200, msgspec.json.encode(shown))


async def read(context: RequestContext) -> Response:
    context.query()
    found = await subscriptions.find(context)
    each = await context.services.store.replays.get(found, _replay_id(context))
    if each is None:
        raise NotFound("replay_not_found", "This subscription has no replay with this id, or it is no longer kept.")
    return Response(200, msgspec.json.encode(replay_shown(each, found.id)))


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
        name="start_replay",
        method="POST",
        path=_PATH,
        summary="Resend the failed events of a time range, or all of them",
        roles=SUBSCRIBES,
        handler=start,
        body=RequestBody(ReplayRequest),
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
        handler=list_all,
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
        idempotent=True,
        replies={200: Reply("The cancelled replay.", ShownReplay)},
        errors=(NotFound, Conflict),
        example=Example(),
    ),
)
