"""The overview: what needs an operator's attention now, in words, worst first.

Nothing is counted for it: lanes keep their numbers, and statistics are sums that are kept.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from heapq import nsmallest
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec

from signalpost.api.http.response import Json
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
from signalpost.engine.lanes.lane_health import LaneView, State
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


class _Sums:
    """What all lanes of a tenant come to."""

    def __init__(self) -> None:
        self.states: Counter[State] = Counter()
        self.waiting = self.failed = self.lost = self.most_behind = 0
        self.needing = 0
        """How many need attention."""
        self.soon: list[tuple[int, str, Subscription]] = []
        """What ends soon, and when."""

    def add(self, lane: LaneView, now: int) -> None:
        self.states[lane.state] += 1
        self.failed += lane.failed
        self.lost += lane.standing.health.lost
        if lane.status == "active":
            self.waiting += lane.waiting
            self.most_behind = max(self.most_behind, lane.lag)
        self.soon += _ends_soon(lane, now)


class _OverviewFacts(NamedTuple):
    """What this node knows for the overview."""

    now: int
    sums: _Sums
    resting: int
    """How many more lanes there are: each is well, and has nothing to do."""
    is_paused: bool
    """Whether the tenant is paused."""
    worst: Sequence[_Needy]
    closer: Sequence[LaneView]
    """The lanes of the worst with what is known of their next attempts."""


class _StoredFacts(NamedTuple):
    """What the store says of the lanes that most need attention, and of what else is shown."""

    closer: Sequence[LaneView]
    """The lanes of the worst, also with what is known of what waits."""
    failures: Mapping[str, DeliveryView]
    """A failed delivery of each of the worst, by the subscription's id."""
    minutes: Mapping[int, Mapping[int, Sequence[int]]]
    """The last hour of the worst and of the tenant."""
    running: Sequence[tuple[Replay, Subscription]]
    sources: Sequence[Source]


async def read(context: RequestContext) -> Json[Overview]:
    context.query()
    services, now, tenant_id = context.services, context.services.clock.wall(), context.tenant_id
    directory = services.directory
    # With a thousand lanes, to look at all takes milliseconds. The event loop delivers meanwhile.
    (worst, sums), resting = await services.lane_views.noteworthy(
        directory, tenant_id, services.off_loop, partial(_summed, now)
    )
    services.attention_counts.note(tenant_id, sums.needing)
    seen = _OverviewFacts(
        now=now,
        sums=sums,
        resting=resting,
        is_paused=(tenant := directory.tenant_with(tenant_id)) is not None and tenant.paused_at is not None,
        worst=worst,
        closer=await services.lane_views.closer([each.lane for each in worst]),
    )
    return Json(await services.store.reading(partial(_read, context, seen)))


async def _read(context: RequestContext, seen: _OverviewFacts) -> bytes:
    """The overview with what the store says. Waits for nothing but the store: see `Store.reading`."""
    store, directory, tenant_id = context.services.store, context.services.directory, context.tenant_id
    failed = [each.lane.subscription for each in seen.worst if each.found.need in _FAILED]
    numbers = [WHOLE_TENANT, *(each.lane.subscription.number for each in seen.worst)]
    stored = _StoredFacts(
        closer=await _dated(context, seen),
        failures=await store.deliveries.latest_failures(tenant_id, failed),
        minutes=await store.stats.read_many(tenant_id, numbers, "minute", last_minutes(60, seen.now)),
        running=[
            (replay, found)
            for replay in await store.replays.running(tenant_id)
            if (found := directory.subscription_with(replay.subscription_number)) is not None
        ],
        sources=await store.lists.page(Source, tenant_id, None, MOST_SOURCES),
    )
    return _shown(seen, stored)


async def count(context: RequestContext) -> AttentionCount:
    context.query()
    counted = await context.services.attention_counts.of(context.tenant_id)
    return AttentionCount(count=counted)


async def _dated(context: RequestContext, seen: _OverviewFacts) -> list[LaneView]:
    """The lanes of the worst and, if what waits may get old, with how old it is and until when it is kept."""
    views, kept = context.services.lane_views, context.services.directory.retention_days_of(context.tenant_id) * DAY
    late = [lane for lane, each in zip(seen.closer, seen.worst, strict=True) if each.found.need in _GETS_OLD]
    dated = {lane.subscription.number: lane for lane in await views.dated(late, kept)}
    return [dated.get(lane.subscription.number, lane) for lane in seen.closer]


def _summed(now: int, lanes: Iterable[LaneView]) -> tuple[list[_Needy], _Sums]:
    """The lanes that most need attention, the worst first, and what all of them come to."""
    sums = _Sums()
    ranked = nsmallest(MAX_SHOWN, _ranked(lanes, sums, now), key=itemgetter(0, 1))
    worst = (_needy(lane, now) for _, _, lane in ranked)
    return [each for each in worst if each is not None], sums


def _ranked(lanes: Iterable[LaneView], sums: _Sums, now: int) -> Iterator[tuple[tuple[int, int], int, LaneView]]:
    """Each lane that needs attention, with how much and its number. All lanes are added to the sums."""
    for lane in lanes:
        sums.add(lane, now)
        if (need := need_of(standing := lane.needs, now)) is not None:
            sums.needing += 1
            yield rank_of(need, standing), lane.subscription.number, lane


def _needy(lane: LaneView, now: int) -> _Needy | None:
    """A lane with why it needs attention; None if it does not."""
    found = attention(standing := lane.needs, now)
    return None if found is None else _Needy(lane, standing, found)


def _shown(seen: _OverviewFacts, stored: _StoredFacts) -> bytes:
    sums, states = seen.sums, seen.sums.states.copy()
    states["paused" if seen.is_paused else "healthy"] += seen.resting
    worst = [_needy(lane, seen.now) or each for lane, each in zip(stored.closer, seen.worst, strict=True)]
    shown = Overview(
        attention=[_needy_shown(each, seen.now, stored) for each in worst],
        more=sums.needing - len(worst),
        subscriptions=SubscriptionCounts(
            healthy=states["healthy"], failing=states["failing"], paused=states["paused"], disabled=states["disabled"]
        ),
        waiting=sums.waiting,
        failed=sums.failed,
        lost=sums.lost,
        most_behind=sums.most_behind,
        last_hour=counted(total(stored.minutes[WHOLE_TENANT].values())),
        replays=[
            RunningReplay(
                id=replay.id,
                subscription=_named(subscription),
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
            for replay, subscription in stored.running
        ],
        sources=[SourceShown.of(each, state=each.state(seen.now)) for each in _worst_sources(stored.sources, seen.now)],
        soon=_soon(sums.soon),
    )
    return msgspec.json.encode(shown)


def _needy_shown(needy: _Needy, now: int, stored: _StoredFacts) -> NeedsAttention:
    subscription, standing, found = needy.lane.subscription, needy.standing, needy.found
    view, due = stored.failures.get(subscription.id), needy.lane.standing.now.oldest_due
    signed = subscription.with_secrets_of(now)
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
        last_hour=points(stored.minutes[subscription.number]),
    )


def _worst_sources(sources: Sequence[Source], now: int) -> list[Source]:
    return sorted(sources, key=lambda each: (not each.needs_someone(now), each.name))


def _ends_soon(lane: LaneView, now: int) -> Iterator[tuple[int, str, Subscription]]:
    each = lane.subscription
    if each.promote_at is not None and now < each.promote_at < now + SOON:
        yield each.promote_at, "rotation", each
    ends = lane.standing.health.certificate_ends
    if ends is not None and ends < now + CERTIFICATE_SOON:
        yield ends, "certificate", each
    offered = each.client_certificate
    if offered is not None and offered.ends_at < now + CERTIFICATE_SOON:
        yield offered.ends_at, "clientCertificate", each


def _soon(found: Sequence[tuple[int, str, Subscription]]) -> list[Ending]:
    """What ends soon, the soonest first."""
    soonest = sorted(found, key=itemgetter(0))[:MAX_SHOWN]
    return [Ending(subscription=_named(each), what=what, at=format_timestamp(at)) for at, what, each in soonest]


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
