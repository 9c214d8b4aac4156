"""The objective of a subscription: how many of its events arrived in time, and what is left of its error budget."""

from signalpost.api.resources import subscriptions
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.only_reads import only_reads
from signalpost.api.routing.route import FOLLOWS, Example, Reply, Route
from signalpost.api.routing.shapes.subscriptions import ObjectiveStatus
from signalpost.domain.access.portal_link import Capability
from signalpost.domain.errors import Conflict, NotFound
from signalpost.domain.objective import WINDOW_DAYS, error_budget
from signalpost.domain.stats import tally, total
from signalpost.domain.timestamps import SECOND, format_timestamp

_HOUR = 3_600


@only_reads
async def read(context: RequestContext) -> ObjectiveStatus:
    context.query()
    found = await subscriptions.find(context)
    if (objective := found.objective) is None:
        raise Conflict("no_objective", "This subscription has no objective. Give it one: a share, and within how long.")
    hour = context.services.clock.wall() // SECOND // _HOUR * _HOUR
    starts = range(hour - (WINDOW_DAYS * 24 - 1) * _HOUR, hour + 1, _HOUR)
    counts = total((await context.services.store.stats.read(context.tenant_id, found.number, "hour", starts)).values())
    ended = tally(counts)
    budget = error_budget(objective, ended)
    return ObjectiveStatus(
        share=objective.share,
        within=objective.within,
        since=format_timestamp(starts[0] * SECOND),
        on_time=ended.on_time,
        late=ended.late,
        achieved=budget.achieved,
        late_allowed=budget.allowed,
        budget_left=budget.left,
    )


ROUTES = (
    Route(
        name="read_objective",
        method="GET",
        path="/v1/subscriptions/{id}/objective",
        summary="Read how many events arrived in time, and what is left of the error budget",
        roles=FOLLOWS,
        handler=read,
        portal=Capability.VIEW,
        replies={200: Reply("The last 30 days. The last few seconds may be missing.", ObjectiveStatus)},
        errors=(NotFound, Conflict),
        example=Example(),
    ),
)
