"""Lists of subscriptions: with their health, and of their names alone."""

import asyncio
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from operator import attrgetter
from time import thread_time
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from signalpost.api.http.pages import TimedPage, fitting, page
from signalpost.api.http.response import Json
from signalpost.api.resources.shown_subscriptions import dated, shown_in_list
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.only_reads import only_reads
from signalpost.api.routing.queries import MAX_LIMIT, FromText, ListQuery, PageQuery, cursor_to, write_cursor
from signalpost.api.routing.shapes.overview import NamedSubscription, SubscriptionNames
from signalpost.api.routing.shapes.subscriptions import HealthState, SubscriptionPage
from signalpost.domain.body import read_by
from signalpost.domain.checks import Bad
from signalpost.domain.fields import Text
from signalpost.domain.subscription import Subscription
from signalpost.engine.lanes.lane_health import LaneView
from signalpost.runtime.own_time import add_to_own_time
from signalpost.store.store import MAX_SCANNED


class SubscriptionQuery(ListQuery, frozen=True):
    name: Annotated[Text, Meta(description="Only those whose name contains this, ignoring case.")] | None = None
    host: Annotated[Text, Meta(description="Only those whose URL's host contains this.")] | None = None
    state: Annotated[HealthState, Meta(description="Only those in this state, without shadows.")] | None = None
    cursor: Annotated[FromText, cursor_to(int)] = None


_UUID: Final = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_IDS: Final = f"^{_UUID}(,{_UUID}){{0,{MAX_LIMIT - 1}}}$"
_are_ids = re.compile(_IDS, re.ASCII).fullmatch


def _ids(value: str) -> frozenset[str]:
    if not _are_ids(value):
        raise Bad("not_ids", f"These must be the ids of 1 to {MAX_LIMIT} subscriptions, separated by commas.")
    return frozenset(value.split(","))


class NamesQuery(PageQuery, frozen=True):
    name: Annotated[Text, Meta(description="Only those whose name contains this, ignoring case.")] | None = None
    ids: Annotated[
        FromText,
        Meta(
            description=f"Only those with these ids, up to {MAX_LIMIT}, separated by commas.",
            extra_json_schema={"type": "string", "pattern": _IDS},
            extra=read_by(_ids),
        ),
    ] = None


async def list_all(context: RequestContext) -> Json[SubscriptionPage]:
    query: SubscriptionQuery = context.query()
    services = context.services
    if query.state is None:
        body, seconds = await services.store.reading(partial(_found, context, query, context.subscriptions()))
    else:
        context.need_loop()
        # To look through thousands takes milliseconds. The event loop delivers meanwhile.
        loop = asyncio.get_running_loop()
        found, reached = await loop.run_in_executor(services.off_loop, _matching, context.originals(), query)
        found = await services.lane_views.glances(found, services.off_loop, partial(_in_state, query))
        body, seconds = await services.store.reading(partial(_listed, context, found, query.limit, reached))
    add_to_own_time(seconds)
    return Json(body)


async def _found(context: RequestContext, query: SubscriptionQuery, of: Sequence[Subscription]) -> TimedPage:
    found, reached = _matching(of, query)
    return await _listed(context, found, query.limit, reached)


async def _listed(
    context: RequestContext, found: Sequence[Subscription], limit: int, reached: Subscription | None
) -> TimedPage:
    """A page of these subscriptions, or of the first of them if all are too large."""
    views = await dated(context, await context.services.lane_views.seen(found))
    begun = thread_time()
    shown = [*fitting(shown_in_list(context, view) for view in views)]
    if len(views) == limit or len(shown) < len(views):
        reached = views[len(shown) - 1].subscription
    position = None if reached is None else (reached.number,)
    return TimedPage(page(shown, {"next": write_cursor(position)}), thread_time() - begun)


@only_reads
async def list_names(context: RequestContext) -> Json[SubscriptionNames]:
    """List only names and ids, for choosing one. The health of the subscriptions is not looked at."""
    query: NamesQuery = context.query()
    every = context.subscriptions()
    of = every if query.ids is None else _with_ids(context, query.ids)
    return Json(_names(of, query, len(every)))


def _names(of: Sequence[Subscription], query: NamesQuery, total: int) -> bytes:
    wanted = "" if query.name is None else query.name.casefold()
    found: list[Subscription] = []
    last = None
    for last in islice(newest_below(of, query.cursor), MAX_SCANNED):
        if wanted in last.name.casefold():
            found.append(last)
            if len(found) == query.limit:
                break
    shown = SubscriptionNames(
        data=[NamedSubscription(id=each.id, name=each.name) for each in found],
        next=write_cursor((last.number,) if last is not None and last is not of[0] else None),
        total=total,
    )
    return msgspec.json.encode(shown)


def newest_below(oldest_first: Sequence[Subscription], number: int | None) -> Iterator[Subscription]:
    """Subscriptions with a lower number than this, newest first. None of the others is looked at."""
    end = len(oldest_first)
    if number is not None:
        end = bisect_left(oldest_first, number, key=attrgetter("number"))
    return map(oldest_first.__getitem__, range(end - 1, -1, -1))


def _with_ids(context: RequestContext, ids: Iterable[str]) -> list[Subscription]:
    """The subscriptions with these ids, oldest first. Those that are not there are left out."""
    named = (context.services.directory.subscription(context.tenant_id, each) for each in ids)
    return sorted((each for each in named if each is not None), key=lambda each: each.number)


def _matching(
    every: Sequence[Subscription], query: SubscriptionQuery
) -> tuple[list[Subscription], Subscription | None]:
    """Subscriptions with the name and the host that are asked for: as many as a page has, or all if a state is asked
    for, too, which is not known here. And up to where they may have been looked through; None if that is all."""
    below = newest_below(every, query.cursor)
    looked_at = [*islice(below, MAX_SCANNED)]
    reached = looked_at[-1] if next(below, None) is not None else None
    found = (each for each in looked_at if _matches(each, query))
    return [*(found if query.state is not None else islice(found, query.limit))], reached


def _in_state(query: SubscriptionQuery, glances: Iterable[LaneView]) -> list[Subscription]:
    """The subscriptions in the state that is asked for, as many as a page has."""
    return [*islice((view.subscription for view in glances if view.state == query.state), query.limit)]


def _matches(each: Subscription, query: SubscriptionQuery) -> bool:
    return (query.name is None or query.name.casefold() in each.name.casefold()) and (
        query.host is None or query.host.casefold() in urlsplit(each.url).netloc.casefold()
    )
