"""Tenants: create, list, pause, resume, limit and delete them, and say how long their events are kept. Only operators
may."""

from collections.abc import Iterable
from typing import Annotated, Final

from msgspec import Meta

from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.queries import PageQuery, Query, write_cursor
from signalpost.api.routing.route import OPERATOR, Example, OneChange, Reply, Route
from signalpost.api.routing.shapes.access import ErasureShown, TenantPage, TenantShown, TenantWithUse
from signalpost.api.shown import tenant_with_use
from signalpost.commands.tenants import ChangeTenant, CreateTenant, DeleteTenant, tenant_not_found
from signalpost.domain.access.tenant import TenantPatch, TenantRequest
from signalpost.domain.access.tenant_limits import NO_LIMITS
from signalpost.domain.errors import Conflict, FieldError, Invalid, NotFound
from signalpost.domain.fields import Text
from signalpost.engine.directory import Directory
from signalpost.engine.lanes.lane_health import LaneView

_PATH: Final = "/v1/tenants/{name}"


class Confirmation(Query, frozen=True):
    confirm: Annotated[Text, Meta(description="The tenant's name again, to confirm.")] | None = None


def create(context: RequestContext) -> CreateTenant:
    change = context.change()
    return CreateTenant(tenant_id=context.tenant_id, name=change.body.name, idempotency=change.idempotency)


async def list_all(context: RequestContext) -> TenantPage:
    query: PageQuery = context.query()
    newest_first = reversed(context.services.directory.tenants())
    found = [tenant for tenant in newest_first if query.cursor is None or tenant.id < query.cursor]
    shown = found[: query.limit]
    position = (shown[-1].id,) if len(found) > query.limit else None
    return TenantPage(data=[*map(TenantShown.of, shown)], next=write_cursor(position))


async def show(context: RequestContext) -> TenantWithUse:
    context.query()
    services, name = context.services, context.path_text("name")
    remembered = services.directory.tenant(name)
    if remembered is None:
        raise tenant_not_found()
    await services.engine.know(remembered.id)
    found = services.directory.tenant(name)
    if found is None:
        raise tenant_not_found()
    use = await services.store.access.use(found.id)
    in_flight, _ = await services.lane_views.noteworthy(services.directory, found.id, services.off_loop, _in_flight)
    effective = services.directory.limits_of(found.id) or NO_LIMITS
    days = services.directory.retention_days_of(found.id)
    return tenant_with_use(found, effective, days, use, in_flight)


def _in_flight(lanes: Iterable[LaneView]) -> int:
    return sum(lane.standing.now.in_flight for lane in lanes)


def patch(context: RequestContext) -> ChangeTenant:
    change = context.change()
    if isinstance(days := change.body.retention_days, int):
        _check_delays(context.services.directory, context.path_text("name"), days)
    return ChangeTenant(
        tenant_id=context.tenant_id,
        name=context.path_text("name"),
        status=change.body.status,
        limits=change.body.limits,
        retention_days=change.body.retention_days,
        idempotency=change.idempotency,
    )


def _check_delays(directory: Directory, name: str, days: int) -> None:
    """Raise Invalid if a subscription delays events for longer than the tenant is going to keep them."""
    tenant = directory.tenant(name)
    for subscription in [] if tenant is None else directory.subscriptions(tenant.id):
        if subscription.after is not None and subscription.after.seconds >= days * 24 * 3600:
            detail = f"Deliveries of the subscription {subscription.id} wait for {subscription.after.seconds} seconds."
            raise Invalid([FieldError("/retentionDays", "too_short", detail)])


def delete(context: RequestContext) -> DeleteTenant:
    change, name = context.change(), context.path_text("name")
    if change.query.confirm != name:
        detail = "Repeat the tenant's name here: a deleted tenant cannot be brought back."
        raise Invalid([FieldError("?confirm", "not_confirmed", detail)])
    return DeleteTenant(
        tenant_id=context.tenant_id, name=name, erasure_id=context.new_id(), idempotency=change.idempotency
    )


ROUTES = (
    Route(
        name="create_tenant",
        method="POST",
        path="/v1/tenants",
        summary="Create a tenant",
        roles=OPERATOR,
        handler=OneChange(create),
        body=RequestBody(TenantRequest),
        idempotent=True,
        replies={201: Reply("The new tenant.", TenantShown, ("location",))},
        errors=(Conflict,),
        example=Example({"name": "acme"}),
    ),
    Route(
        name="list_tenants",
        method="GET",
        path="/v1/tenants",
        summary="List tenants",
        roles=OPERATOR,
        handler=list_all,
        query=PageQuery,
        replies={200: Reply("A page, newest first.", TenantPage)},
        example=Example(query={"limit": "10"}),
    ),
    Route(
        name="read_tenant",
        method="GET",
        path=_PATH,
        summary="Read a tenant, its limits, its retention and what it uses",
        roles=OPERATOR,
        handler=show,
        replies={200: Reply("The tenant.", TenantWithUse)},
        errors=(NotFound,),
        example=Example(),
    ),
    Route(
        name="change_tenant",
        method="PATCH",
        path=_PATH,
        summary="Pause or resume a tenant, or change its limits or its retention",
        roles=OPERATOR,
        handler=OneChange(patch),
        body=RequestBody(TenantPatch),
        idempotent=True,
        replies={200: Reply("The tenant as it is now.", TenantShown)},
        errors=(NotFound,),
        example=Example(
            {"status": "paused", "limits": {"documents": 10_000, "requestsPerSecond": 50}, "retentionDays": 7}
        ),
    ),
    Route(
        name="delete_tenant",
        method="DELETE",
        path=_PATH,
        summary="Delete a tenant and erase everything it has",
        roles=OPERATOR,
        handler=OneChange(delete),
        query=Confirmation,
        idempotent=True,
        replies={
            202: Reply(
                "Deleted: its keys are refused, and nothing is sent, from now on. What it had is being erased.",
                ErasureShown,
                ("location",),
            )
        },
        errors=(NotFound, Conflict),
        example=Example(query={"confirm": "acme"}),
    ),
)
