"""Statistics: the attempts of a tenant, or of one subscription, by outcome and by minute or hour."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta, field

from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.only_reads import only_reads
from signalpost.api.routing.queries import Moment, Query
from signalpost.api.routing.route import FOLLOWS, Example, Reply, Route
from signalpost.api.routing.shapes.overview import Counted, Stats, StatsPoint
from signalpost.commands.subscriptions import subscription_not_found
from signalpost.domain.errors import FieldError, Invalid, NotFound
from signalpost.domain.fields import Uuid
from signalpost.domain.stats import (
    DELIVERED,
    FAILED,
    FIRST_TRY,
    KEPT_SECONDS,
    LATENCY_BOUNDS_MS,
    RETRIED,
    STEP_SECONDS,
    WHOLE_TENANT,
    Step,
    latencies,
    latency_ms,
    total,
)
from signalpost.domain.timestamps import SECOND, format_timestamp

DEFAULT_POINTS: Final[Mapping[Step, int]] = {"minute": 60, "hour": 48}
"""How many minutes or hours are shown if the client does not say from when."""


class StatsQuery(Query, frozen=True):
    subscription_id: (
        Annotated[Uuid, Meta(description="Only this subscription; without it, all subscriptions of the tenant.")] | None
    ) = None
    step: Annotated[Step, Meta(description="Minutes are kept for 48 hours, hours for 90 days.")] = "minute"
    created_from: Annotated[Moment, Meta(description="Starts with the minute or hour that contains this moment.")] = (
        field(name="from", default=None)
    )
    created_to: Annotated[Moment, Meta(description="Only minutes or hours that began before this moment.")] = field(
        name="to", default=None
    )


@only_reads
async def read(context: RequestContext) -> Stats:
    query: StatsQuery = context.query()
    number = WHOLE_TENANT
    if query.subscription_id is not None:
        found = context.services.directory.subscription(context.tenant_id, query.subscription_id)
        if found is None:
            raise subscription_not_found()
        number = found.number
    starts = _starts(query, context.services.clock.wall() // SECOND)
    counts = await context.services.store.stats.read(context.tenant_id, number, query.step, starts)
    return Stats(
        step=query.step,
        latency_bounds_ms=list(LATENCY_BOUNDS_MS),
        total=counted(total(counts.values())),
        data=points(counts),
    )


def counted(counts: Sequence[int]) -> Counted:
    return Counted(
        delivered=counts[DELIVERED],
        first_try=counts[FIRST_TRY],
        retried=counts[RETRIED],
        failed=counts[FAILED],
        median_ms=latency_ms(counts, 0.5),
        p99_ms=latency_ms(counts, 0.99),
    )


def points(counts: Mapping[int, Sequence[int]]) -> list[StatsPoint]:
    return [
        StatsPoint(
            at=format_timestamp(start * SECOND),
            latency=list(latencies(each)),
            **msgspec.structs.asdict(counted(each)),
        )
        for start, each in sorted(counts.items())
    ]


def _starts(query: StatsQuery, now: int) -> range:
    """When each minute or hour begins that is asked for and may be kept. Raises Invalid."""
    seconds = STEP_SECONDS[query.step]
    to = now + 1 if query.created_to is None else min(-(-query.created_to // SECOND), now + 1)
    oldest = now - KEPT_SECONDS[query.step]
    default = now - now % seconds - (DEFAULT_POINTS[query.step] - 1) * seconds
    since = default if query.created_from is None else query.created_from // SECOND
    if query.created_from is not None and query.created_to is not None and query.created_from >= query.created_to:
        raise Invalid([FieldError("?to", "empty_range", "This must be later than from.")])
    since = max(since, oldest)
    return range(since - since % seconds, to, seconds)


ROUTES = (
    Route(
        name="read_stats",
        method="GET",
        path="/v1/stats",
        summary="Read statistics of attempts by minute or hour",
        roles=FOLLOWS,
        handler=read,
        query=StatsQuery,
        replies={200: Reply("Attempts by outcome. The last few seconds may be missing.", Stats)},
        errors=(NotFound,),
        example=Example(query={"step": "minute"}),
    ),
)
