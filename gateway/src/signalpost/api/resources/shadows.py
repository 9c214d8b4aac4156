"""Shadows: how the endpoint of a shadow answers beside that of its original, and its promotion. A shadow is made as any
subscription is (`subscriptions.py`)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from signalpost.api.resources import subscriptions
from signalpost.api.resources.shown_deliveries import shown_attempt
from signalpost.api.resources.shown_subscriptions import with_health
from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.queries import PageQuery, write_cursor
from signalpost.api.routing.route import FOLLOWS, SUBSCRIBES, Example, Reply, Route
from signalpost.api.routing.shapes.shadows import ComparedAttempt, ComparedEvent, Comparison, Latencies
from signalpost.api.routing.shapes.subscriptions import Subscription as SubscriptionShape
from signalpost.commands.shadows import PromoteShadow, not_a_shadow
from signalpost.commands.subscriptions import subscription_not_found
from signalpost.domain.delivery.comparison import COMPARED_AT_MOST, AnswerTally, Difference, Latency
from signalpost.domain.errors import Conflict, NotFound
from signalpost.domain.event import EventType
from signalpost.domain.shadow import Promotion, comparable_since, why_not_ready
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import format_timestamp
from signalpost.store.nouns.deliveries import AttemptRow
from signalpost.store.nouns.log import END_OF_LOG, LogRow

PART: Final = 500
"""How many events are looked at before others have their turn."""


class _DifferentAnswers(NamedTuple):
    original: AttemptRow
    shadow: AttemptRow
    differ_in: Sequence[Difference]


async def compare(context: RequestContext) -> Comparison:
    query: PageQuery = context.query()
    shadow, original = await _both(context)
    since = comparable_since(original, shadow)
    tally, found, are_more = AnswerTally(since), list[_DifferentAnswers](), False
    below: int | None = END_OF_LOG if query.cursor is None else query.cursor
    for _ in range(COMPARED_AT_MOST // PART):
        assert below is not None
        part = await context.services.store.deliveries.pairs(original, shadow, below, PART)
        for one, other in part.pairs:
            if differ_in := tally.add(one, other):
                are_more = are_more or len(found) == query.limit
                if not are_more:
                    found.append(_DifferentAnswers(one, other, differ_in))
        below = part.reached
        if below is None:
            break
        await context.turn()
    entries = await context.services.store.deliveries.entries(
        context.tenant_id, [each.original.sequence for each in found]
    )
    of_original, of_shadow = tally.latencies()
    end = found[-1].original.sequence if are_more else below
    return Comparison(
        compared=tally.compared,
        agree=tally.agree,
        status_differs=tally.differ["status"],
        answer_differs=tally.differ["answer"],
        since=format_timestamp(since),
        original=_latencies(of_original),
        shadow=_latencies(of_shadow),
        data=[_event(entries[each.original.sequence], each) for each in found if each.original.sequence in entries],
        next=None if end is None else write_cursor((end,)),
    )


async def promote(context: RequestContext) -> PromoteShadow:
    change = await context.read_change()
    shadow, original = await _both(context)
    lane = await context.services.lane_views.of(shadow)
    return PromoteShadow(
        tenant_id=context.tenant_id,
        subscription_id=shadow.id,
        shadow_of=original.id,
        not_ready=None if change.body.anyway else why_not_ready(shadow, lane.standing.health),
        if_match=context.if_match,
        idempotency=change.idempotency,
    )


async def _both(context: RequestContext) -> tuple[Subscription, Subscription]:
    """The shadow in the path, and its original. Raises NotFound and Conflict."""
    shadow = await subscriptions.find(context)
    if shadow.shadow_of is None:
        raise not_a_shadow()
    original = context.services.directory.subscription(context.tenant_id, shadow.shadow_of)
    if original is None:  # it was deleted a moment ago, and its shadow with it
        raise subscription_not_found()
    return shadow, original


def _event(entry: LogRow, found: _DifferentAnswers) -> ComparedEvent:
    return ComparedEvent.of(
        entry,
        event_id=entry.id,
        event_type=EventType(entry.type).wire,
        external_id=entry.document_id,
        created_at=entry.at,
        differ_in=list(found.differ_in),
        original=ComparedAttempt.of(shown_attempt(found.original)),
        shadow=ComparedAttempt.of(shown_attempt(found.shadow)),
    )


def _latencies(found: Latency | None) -> Latencies | None:
    return None if found is None else Latencies(median_ms=_ms(found.median), p95_ms=_ms(found.p95))


def _ms(us: int) -> float:
    return round(us / 1000, 3)


ROUTES = (
    Route(
        name="compare_shadow",
        method="GET",
        path=subscriptions.PATH + "/comparison",
        summary="Compare what a shadow and its original answered to the same events",
        roles=FOLLOWS,
        handler=compare,
        query=PageQuery,
        replies={200: Reply("How many events were answered alike, and those that were not.", Comparison)},
        errors=(NotFound, Conflict),
        example=Example(query={"limit": "20"}),
    ),
    Route(
        name="promote_shadow",
        method="POST",
        path=subscriptions.PATH + "/promote",
        summary="Promote a shadow: it and its original swap endpoints, with their secrets and headers",
        roles=SUBSCRIBES,
        handler=promote,
        changes=True,
        complete=with_health,
        body=RequestBody(Promotion, optional=True),
        conditional=True,
        idempotent=True,
        replies={
            200: Reply(
                "The original, which sends to the shadow's URL from now on. The shadow goes on at the former one.",
                SubscriptionShape,
                ("etag",),
            )
        },
        errors=(NotFound, Conflict),
        example=Example({"anyway": False}),
    ),
)
