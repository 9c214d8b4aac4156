"""The overview: what needs an operator's attention now, in words, worst first.

Nothing is counted for it: lanes keep their numbers, and statistics are sums that are kept.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from heapq import nsmallest
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec

from signalpost.api.http.response import Response
from signalpost.api.resources.diagnoses import diagnosis_of
from signalpost.api.resources.stats import counted, points
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.route import FOLLOWS, Example, Reply, Route
from signalpost.api.routing.shapes.overview import (
    AttentionCount,
    Ending,
    NamedSubscription,
    NeedsAttention,
    Overview,
    RunningReplay,
    SubscriptionCounts,
)
from signalpost.api.routing.shapes.sources import SourceShown
from signalpost.domain.delivery.attention import (
    CERTIFICATE_SOON,
    SOON,
    Attention,
    Need,
    Standing,
    attention,
    need_of,
    rank_of,
)
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.source import MOST_SOURCES, Source
from signalpost.domain.stats import WHOLE_TENANT, last_minutes, total
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import DAY, format_timestamp
from signalpost.engine.lanes.lane_health import LaneView
from signalpost.store.nouns.deliveries import DeliveryView

MAX_SHOWN: Final = 20
_FAILED: Final = (Need.FAILING, Need.DISABLED, Need.GIVEN_UP)
"""Needs for which there is a failed delivery to look at."""
_GETS_OLD: Final = (Need.DISABLED, Need.BEHIND)
"""Needs for which the age of what waits says how urgent they are."""


class _Needy(NamedTuple):
    """A lane that needs attention."""

    lane: LaneView
    standing: Standing
    found: Attention


class _OverviewFacts(NamedTuple):
    """Everything that the overview is made of."""

    now: int
    lanes: Sequence[LaneView]
    resting: int
    """How many more lanes there are: each is well, and has nothing to do."""
    is_paused: bool
    """Whether the tenant is paused."""
    worst: Sequence[_Needy]
    closer: Sequence[LaneView]
    """The lanes of the worst with what is known of their next attempts."""
    more: int
    """How many more need attention, besides the worst."""
    failures: Mapping[str, DeliveryView]
    """A failed delivery of each of the worst, by the subscription's id."""
    minutes: Mapping[int, Mapping[int, Sequence[int]]]
    """The last hour of the worst and of the tenant."""
    running: Sequence[Replay]
    sources: Sequence[Source]


async def read(context: RequestContext) -> Response:
    context.query()
    services, now, tenant_id = context.services, context.services.clock.wall(), context.tenant_id
    directory = services.directory
    lanes, resting = await services.lane_views.noteworthy(
        tenant_id,
        directory.subscription_count_of(tenant_id),
        lambda: directory.subscriptions(tenant_id),
        services.off_loop,
    )
    # With a thousand lanes, to look at all takes milliseconds. The event loop delivers meanwhile.
    loop = asyncio.get_running_loop()
    worst, more = await loop.run_in_executor(services.off_loop, _worst, lanes, now)
    services.attention_counts.note(tenant_id, len(worst) + more)
    closer = await _looked_at_closely(context, worst)
    failed = [each.lane.subscription for each in worst if each.found.need in _FAILED]
    numbers = [WHOLE_TENANT, *(each.lane.subscription.number for each in worst)]
    seen = _OverviewFacts(
        now=now,
        lanes=lanes,
        resting=resting,
        is_paused=(tenant := directory.tenant_with(tenant_id)) is not None and tenant.paused_at is not None,
        worst=worst,
        closer=closer,
        more=more,
        failures=await services.store.deliveries.latest_failures(tenant_id, failed),
        minutes=await services.store.stats.read_many(tenant_id, numbers, "minute", last_minutes(60, now)),
        running=await services.store.replays.running(tenant_id),
        sources=await services.store.lists.page(Source, tenant_id, None, MOST_SOURCES),
    )
    return Response(200, await loop.run_in_executor(services.off_loop, _shown, seen))


async def count(context: RequestContext) -> AttentionCount:
    context.query()
    counted = await context.services.attention_counts.of(context.tenant_id)
    return AttentionCount(count=counted)


async def _looked_at_closely(context: RequestContext, worst: Sequence[_Needy]) -> list[LaneView]:
    """Their lanes with what the owner knows of the next attempts and, if what waits may get old, with how old it is
    and until when it is kept."""
    views, kept = context.services.lane_views, context.services.directory.retention_days_of(context.tenant_id) * DAY
    lanes = await views.closer([each.lane for each in worst])
    late = [lane for lane, each in zip(lanes, worst, strict=True) if each.found.need in _GETS_OLD]
    dated = {lane.subscription.number: lane for lane in await views.dated(late, kept)}
    return [dated.get(lane.subscription.number, lane) for lane in lanes]


def _worst(lanes: Sequence[LaneView], now: int) -> tuple[list[_Needy], int]:
    """The lanes that most need attention, the worst first, and how many more need it."""
    needy = [
        (rank_of(need, standing), lane.subscription.number, lane)
        for lane in lanes
        if (need := need_of(standing := lane.needs, now)) is not None
    ]
    worst = [_needy(lane, now) for _, _, lane in nsmallest(MAX_SHOWN, needy, key=itemgetter(0, 1))]
    return [each for each in worst if each is not None], len(needy) - len(worst)


def _needy(lane: LaneView, now: int) -> _Needy | None:
    """A lane with why it needs attention; None if it does not."""
    found = attention(standing := lane.needs, now)
    return None if found is None else _Needy(lane, standing, found)


def _shown(seen: _OverviewFacts) -> bytes:
    active = [lane for lane in seen.lanes if lane.status == "active"]
    states = Counter(lane.state for lane in seen.lanes)
    states["paused" if seen.is_paused else "healthy"] += seen.resting
    by_number = {lane.subscription.number: lane.subscription for lane in seen.lanes}
    worst = [_needy(lane, seen.now) or each for lane, each in zip(seen.closer, seen.worst, strict=True)]
    shown = Overview(
        attention=[_needy_shown(each, seen) for each in worst],
        more=seen.more,
        subscriptions=SubscriptionCounts(
            healthy=states["healthy"], failing=states["failing"], paused=states["paused"], disabled=states["disabled"]
        ),
        waiting=sum(lane.waiting for lane in active),
        failed=sum(lane.failed for lane in seen.lanes),
        lost=sum(lane.standing.health.lost for lane in seen.lanes),
        most_behind=max((lane.lag for lane in active), default=0),
        last_hour=counted(total(seen.minutes[WHOLE_TENANT].values())),
        replays=[
            RunningReplay(
                id=replay.id,
                subscription=_named(by_number[replay.subscription_number]),
                status=replay.what,
                from_=format_timestamp(replay.from_at),
                to=format_timestamp(replay.to_at),
                count=replay.known_count,
                count_is_capped=replay.count_is_capped,
                queued=replay.queued,
                delivered=replay.delivered,
                failed=replay.failed,
                waiting=replay.waiting,
                created_by=replay.created_by,
            )
            for replay in seen.running
            if replay.subscription_number in by_number
        ],
        sources=[SourceShown.of(each, state=each.state(seen.now)) for each in _worst_sources(seen)],
        soon=_soon(seen.lanes, seen.now),
    )
    return msgspec.json.encode(shown)


def _needy_shown(needy: _Needy, seen: _OverviewFacts) -> NeedsAttention:
    subscription, standing, found = needy.lane.subscription, needy.standing, needy.found
    view, due = seen.failures.get(subscription.id), needy.lane.standing.now.oldest_due
    signed = subscription.with_secrets_of(seen.now)
    return NeedsAttention(
        subscription=_named(subscription),
        need=found.need,
        since=None if found.since is None else format_timestamp(found.since),
        detail=found.sentence,
        waiting=standing.waiting,
        failed=standing.failed,
        lost=standing.lost,
        oldest_due_at=None if due is None or standing.status != "active" else format_timestamp(due),
        event_id=None if view is None else view.entry.id,
        diagnosis=None if view is None else diagnosis_of(signed, view, standing.waiting),
        last_hour=points(seen.minutes[subscription.number]),
    )


def _worst_sources(seen: _OverviewFacts) -> list[Source]:
    return sorted(seen.sources, key=lambda each: (not each.needs_someone(seen.now), each.name))


def _soon(lanes: Sequence[LaneView], now: int) -> list[Ending]:
    """What ends soon, the soonest first."""
    found = []
    for lane in lanes:
        each = lane.subscription
        if each.promote_at is not None and now < each.promote_at < now + SOON:
            found.append((each.promote_at, "rotation", each))
        ends = lane.standing.health.certificate_ends
        if ends is not None and ends < now + CERTIFICATE_SOON:
            found.append((ends, "certificate", each))
        offered = each.client_certificate
        if offered is not None and offered.ends_at < now + CERTIFICATE_SOON:
            found.append((offered.ends_at, "clientCertificate", each))
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
        summary="Read what needs an operator's attention now",
        roles=FOLLOWS,
        handler=read,
        replies={200: Reply("What needs attention, worst first.", Overview)},
        example=Example(),
    ),
    Route(
        name="count_attention",
        method="GET",
        path="/v1/overview/count",
        summary="Count the subscriptions that need an operator's attention now",
        roles=FOLLOWS,
        handler=count,
        replies={
            200: Reply("The number, which may be five seconds old. Asking for it often is cheap.", AttentionCount)
        },
        example=Example(),
    ),
)
