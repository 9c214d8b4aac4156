"""Subscriptions as clients see them, each with its health and without what the caller may not see."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from signalpost.api.http.response import Response
from signalpost.api.portal_views import health_for
from signalpost.api.rendering import subscription_response
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.route import SUBSCRIBES
from signalpost.domain.access.portal_link import Capability
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import DAY
from signalpost.engine.lanes.lane_health import LaneView


async def shown(context: RequestContext, found: Subscription) -> Response:
    return await with_health(context, _response(context, found))


def shown_in_list(context: RequestContext, view: LaneView) -> bytes:
    """A subscription as one of many. Its view is one of `dated`."""
    answer, health = _response(context, view.subscription), health_for(context.portal, view.shown())
    return _add_health(context, answer, view.subscription.id, health).body


async def with_health(context: RequestContext, answer: Response) -> Response:
    """Add the subscription's health, which only the engine knows. The answer that is kept for an `Idempotency-Key` does
    not have it."""
    identity = msgspec.json.decode(answer.body)["id"]
    found = context.services.directory.subscription(context.tenant_id, identity)
    health = None
    if found is not None:
        [view] = await dated(context, [await context.services.lane_views.of(found)])
        health = health_for(context.portal, view.shown())
    return _add_health(context, answer, identity, health)


async def dated(context: RequestContext, views: Sequence[LaneView]) -> list[LaneView]:
    """Views of lanes. Those that send nothing also say since when their waiting events wait, and until when these are
    kept."""
    services = context.services
    at_rest = [view for view in views if view.status != "active" or view.subscription.is_read]
    kept = services.directory.retention_days_of(context.tenant_id) * DAY
    dated = {view.subscription.number: view for view in await services.lane_views.dated(at_rest, kept)}
    return [dated.get(view.subscription.number, view) for view in views]


def _response(context: RequestContext, found: Subscription) -> Response:
    return subscription_response(found.with_secrets_of(context.services.clock.wall()))


def _add_health(context: RequestContext, answer: Response, identity: str, health: dict[str, object] | None) -> Response:
    shown = answer.body if _sees_contacts(context) else _without_contacts(answer.body)
    shadow = None if context.portal is not None else context.services.directory.shadow_of(identity)
    also = b"" if shadow is None else b',"shadow":"%b"' % shadow.encode()
    return replace(answer, body=b'%b,"health":%b%b}' % (shown[:-1], msgspec.json.encode(health), also))


def _sees_contacts(context: RequestContext) -> bool:
    """Whether they may change contacts: others do not see who they are."""
    link = context.portal
    return context.principal.role in SUBSCRIBES if link is None else Capability.EDIT in link.can


def _without_contacts(shown: bytes) -> bytes:
    members = msgspec.json.decode(shown, type=dict[str, msgspec.Raw])
    members.pop("contacts", None)
    members.pop("unsubscribed", None)
    return msgspec.json.encode(members)
