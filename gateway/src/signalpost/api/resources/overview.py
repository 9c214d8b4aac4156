"""The overview: what needs an operator now, in words, the worst first.

Nothing is counted for it: lanes keep their numbers, and statistics are sums that are kept.
"""

from collections import Counter
from heapq import nsmallest
from operator import itemgetter
from typing import Final

import msgspec

from signalpost.api.http.response import Response
from signalpost.api.resources.diagnoses import diagnosis_of
from signalpost.api.resources.stats import counted, last_hour, points
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.route import FOLLOWS, Example, Reply, Route
from signalpost.api.routing.shapes.overview import (
    Ending,
    NamedSubscription,
    NeedsAttention,
    Overview,
    RunningReplay,
    SubscriptionCounts,
)
from signalpost.domain.delivery.attention import CERTIFICATE_SOON, SOON, Attention, Need, Standing, attention
from signalpost.domain.stats import WHOLE_TENANT, total
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import format_timestamp
from signalpost.engine.lanes.lane_health import LaneView
from signalpost.store.deliveries import DeliveryFilter, DeliveryView

MAX_SHOWN: Final = 20
_FAILED: Final = (Need.FAILING, Need.DISABLED, Need.GIVEN_UP)
"""Needs for which there is a failed delivery to look at."""


async def read(context: RequestContext) -> Response:
    context.query()
    services, now = context.services, context.services.clock.wall()
    subscriptions = services.directory.subscriptions(context.tenant_id)
    lanes = await services.lane_views.of_all(subscriptions)
    needy = [
        (found.rank(standing), lane.subscription.number, lane.subscription, standing, found)
        for lane in lanes
        if (found := attention(standing := lane.needs, now)) is not None
    ]
    worst = nsmallest(MAX_SHOWN, needy, key=itemgetter(0, 1))
    active = [lane for lane in lanes if lane.status == "active"]
    states = Counter(lane.state for lane in lanes)
    running = await services.store.replays.running(context.tenant_id, [each.number for each in subscriptions])
    by_number = {each.number: each for each in subscriptions}
    sums = await services.store.stats.read(context.tenant_id, WHOLE_TENANT, "minute", last_hour(now))
    shown = Overview(
        attention=[await _shown(context, each, standing, found) for _, _, each, standing, found in worst],
        more=len(needy) - len(worst),
        subscriptions=SubscriptionCounts(
            healthy=states["healthy"], failing=states["failing"], paused=states["paused"], disabled=states["disabled"]
        ),
        waiting=sum(lane.waiting for lane in active),
        failed=sum(lane.failed for lane in lanes),
        lost=sum(lane.standing.health.lost for lane in lanes),
        most_behind=max((lane.lag for lane in active), default=0),
        last_hour=counted(total(sums.values())),
        replays=[
            RunningReplay(
                id=replay.id,
                subscription=_named(by_number[replay.subscription_number]),
                status=replay.what,
                count=replay.count,
                queued=replay.queued,
            )
            for replay in running
        ],
        soon=_soon(lanes, now),
    )
    return Response(200, msgspec.json.encode(shown))


async def _shown(
    context: RequestContext, subscription: Subscription, standing: Standing, found: Attention
) -> NeedsAttention:
    view = await _failed_delivery(context, subscription) if found.need in _FAILED else None
    now = context.services.clock.wall()
    minutes = await context.services.store.stats.read(context.tenant_id, subscription.number, "minute", last_hour(now))
    return NeedsAttention(
        subscription=_named(subscription),
        need=found.need,
        since=None if found.since is None else format_timestamp(found.since),
        detail=found.sentence,
        waiting=standing.waiting,
        failed=standing.failed,
        lost=standing.lost,
        event_id=None if view is None else view.entry.id,
        diagnosis=None if view is None else diagnosis_of(subscription.with_secrets_of(now), view, standing.waiting),
        last_hour=points(minutes),
    )


async def _failed_delivery(context: RequestContext, subscription: Subscription) -> DeliveryView | None:
    """A delivery that failed there: the newest that awaits a retry, or else the newest that was given up."""
    for wanted in (DeliveryFilter(status="retrying"), DeliveryFilter(status="failed")):
        page = await context.services.store.deliveries.page(context.tenant_id, [subscription], wanted, None, 1)
        if page.data:
            return page.data[0]
    return None


def _soon(lanes: list[LaneView], now: int) -> list[Ending]:
    """What ends soon, the soonest first."""
    found = []
    for lane in lanes:
        each = lane.subscription
        if each.promote_at is not None and now < each.promote_at < now + SOON:
            found.append((each.promote_at, "rotation", each))
        ends = lane.standing.health.certificate_ends
        if ends is not None and ends < now + CERTIFICATE_SOON:
            found.append((ends, "certificate", each))
    found.sort(key=itemgetter(0))
    return [
        Ending(subscription=_named(each), what=what, at=format_timestamp(at)) for at, what, each in found[:MAX_SHOWN]
    ]


def _named(subscription: Subscription) -> NamedSubscription:
    return NamedSubscription(id=subscription.id, name=subscription.name)


ROUTES = (
    Route(
        name="read_overview",
        method="GET",
        path="/v1/overview",
        summary="Read what needs an operator now",
        roles=FOLLOWS,
        handler=read,
        replies={200: Reply("What needs an operator, the worst first.", Overview)},
        example=Example(),
    ),
)
