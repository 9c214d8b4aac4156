"""Subscriptions: create, list, read, change and delete them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from signalpost.api.configs import url_of
from signalpost.api.http.pages import fitting, gathered, page
from signalpost.api.http.response import Response
from signalpost.api.portal_views import health_for
from signalpost.api.rendering import submit, subscription_response
from signalpost.api.resources import subscription_checks as checks
from signalpost.api.routing.context import (
    RequestBody,
    RequestContext,
    Variant,
)
from signalpost.api.routing.queries import MAX_LIMIT, FromText, ListQuery, PageQuery, cursor_to, write_cursor
from signalpost.api.routing.route import FOLLOWS, SUBSCRIBES, Example, OneChange, Reply, Route
from signalpost.api.routing.shapes.overview import NamedSubscription, SubscriptionNames
from signalpost.api.routing.shapes.subscriptions import HealthState, NewSubscription, SubscriptionPage
from signalpost.api.routing.shapes.subscriptions import Subscription as SubscriptionShape
from signalpost.commands.shadows import CreateShadow, original_for
from signalpost.commands.subscriptions import (
    CreateConnectorSubscription,
    CreateSubscription,
    DeleteSubscription,
    PatchSubscription,
    subscription_not_found,
)
from signalpost.domain.access.portal_link import Capability
from signalpost.domain.body import read_by
from signalpost.domain.checks import MAX_TEXT_CHARACTERS, Bad
from signalpost.domain.errors import NotFound
from signalpost.domain.fields import Text
from signalpost.domain.shadow import ShadowRequest
from signalpost.domain.subscription import (
    ConnectorRequest,
    Subscription,
    SubscriptionPatch,
    SubscriptionRequest,
)
from signalpost.domain.timestamps import DAY
from signalpost.engine.lanes.lane_health import LaneView
from signalpost.store.nouns.log import END_OF_LOG
from signalpost.store.store import MAX_SCANNED
from signalpost_receiver import make_token


class SubscriptionQuery(ListQuery, frozen=True):
    name: Annotated[Text, Meta(description="Only those whose name contains this, ignoring case.")] | None = None
    host: Annotated[Text, Meta(description="Only those whose URL's host contains this.")] | None = None
    state: HealthState | None = None
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


async def create(context: RequestContext) -> Response:
    """Create a subscription to a webhook or, if the body names another `kind`, one that uses a connection; or a shadow,
    if it names its original."""
    sent = await context.body_as_sent()
    if checks.is_of_shadow(sent):
        return await _create_shadow(context, sent)
    if checks.is_of_connector(sent):
        return await _create_for_connector(context)
    change = await context.read_change(**checks.webhook_checks(context))
    begins = await checks.beginning_of(context, change.body)
    subscription_id = context.new_id()
    answer = await submit(
        context,
        CreateSubscription(
            tenant_id=context.tenant_id,
            subscription_id=subscription_id,
            new=change.body,
            secret=secret_of(context, change.body.secret),
            retry_delays=context.services.installation.retry_delays,
            begins=begins,
            idempotency=change.idempotency,
        ),
    )
    return await with_health(context, answer)


async def _create_shadow(context: RequestContext, sent: Mapping[str, Any]) -> Response:
    change = await context.read_change(**checks.shadow_checks(context, sent))
    command = CreateShadow(
        tenant_id=context.tenant_id,
        subscription_id=context.new_id(),
        new=change.body,
        secret=secret_of(context, change.body.secret),
        idempotency=change.idempotency,
    )
    return await with_health(context, await submit(context, command))


async def _create_for_connector(context: RequestContext) -> Response:
    services, sent = context.services, await context.body_as_sent()
    change = await context.read_change(**checks.connector_checks(context, sent))
    new: ConnectorRequest = change.body
    connection = checks.named_connection(context, new.connection)
    assert connection is not None
    destination = services.destinations.kinds[new.kind]
    answer = await submit(
        context,
        CreateConnectorSubscription(
            tenant_id=context.tenant_id,
            subscription_id=context.new_id(),
            kind=new.kind,
            connection_id=new.connection,
            url=url_of(services, connection),
            name=f"{destination.title}: {connection.name}"[:MAX_TEXT_CHARACTERS] if new.name is UNSET else new.name,
            config=new.config,
            when=new.when,
            after=new.after,
            objective=new.objective,
            contacts=new.contacts,
            event_types=new.event_types,
            status=new.status,
            ordering=new.ordering if new.ordering is not UNSET else "strict" if destination.strict else "loose",
            rate_limit=new.rate_limit,
            retry_delays=services.installation.retry_delays if new.retry_delays is UNSET else new.retry_delays,
            begins=await checks.beginning_of(context, new),
            idempotency=change.idempotency,
        ),
    )
    return await with_health(context, answer)


async def check_new(context: RequestContext) -> Response:
    """Check a body as `create` does, and create nothing."""
    context.query()
    sent = await context.body_as_sent()
    if checks.is_of_shadow(sent):
        asked: ShadowRequest = await context.read_body(**checks.shadow_checks(context, sent))
        original_for(asked, *_with_shadow(context, asked.shadow_of))
        return Response(204, b"")
    new = await context.read_body(
        **(checks.connector_checks(context, sent) if checks.is_of_connector(sent) else checks.webhook_checks(context))
    )
    if (begins := await checks.beginning_of(context, new)) is not None:
        begins.in_log_up_to((await context.services.store.log.after(context.tenant_id, END_OF_LOG, 1)).last)
    return Response(204, b"")


def _with_shadow(context: RequestContext, identity: str) -> tuple[Subscription | None, Subscription | None]:
    """The subscription with this id, and its shadow, as far as they are there."""
    of_tenant, directory = context.tenant_id, context.services.directory
    shadow = directory.shadow_of(identity)
    return directory.subscription(of_tenant, identity), None if shadow is None else directory.subscription(
        of_tenant, shadow
    )


async def list_all(context: RequestContext) -> Response:
    query: SubscriptionQuery = context.query()
    newest_first = reversed(context.subscriptions())
    below = [each for each in newest_first if query.cursor is None or each.number < query.cursor]
    looked_at = below[:MAX_SCANNED]
    named = (each for each in looked_at if _matches(each, query))
    found = [*named] if query.state is not None else [*islice(named, query.limit)]
    views = await context.services.lane_views.of_all(found)
    views = [view for view in views if query.state in (None, view.state)][: query.limit]
    views = await _dated(context, views)
    found = [view.subscription for view in views]
    bodies = (
        _add_health(
            context,
            _response(context, view.subscription),
            view.subscription.id,
            health_for(context.portal, view.shown()),
        ).body
        for view in views
    )
    shown = await gathered(fitting(bodies), context.turn)
    reached = looked_at[-1] if len(below) > MAX_SCANNED else None
    if len(found) == query.limit or len(shown) < len(found):
        reached = found[len(shown) - 1]
    position = None if reached is None else (reached.number,)
    return Response(200, page(shown, {"next": write_cursor(position)}))


async def list_names(context: RequestContext) -> SubscriptionNames:
    """List only names and ids, for choosing one. The health of the subscriptions is not looked at."""
    query: NamesQuery = context.query()
    every = context.subscriptions()
    of = every if query.ids is None else _with_ids(context, query.ids)
    below = (each for each in reversed(of) if query.cursor is None or each.number < query.cursor)
    wanted = "" if query.name is None else query.name.casefold()
    found: list[Subscription] = []
    last = None
    for last in islice(below, MAX_SCANNED):
        if wanted in last.name.casefold():
            found.append(last)
            if len(found) == query.limit:
                break
    return SubscriptionNames(
        data=[NamedSubscription(id=each.id, name=each.name) for each in found],
        next=write_cursor((last.number,) if last is not None and last is not of[0] else None),
        total=len(every),
    )


def _with_ids(context: RequestContext, ids: Iterable[str]) -> list[Subscription]:
    """The subscriptions with these ids, oldest first. Those that are not there are left out."""
    named = (context.services.directory.subscription(context.tenant_id, each) for each in ids)
    return sorted((each for each in named if each is not None), key=lambda each: each.number)


def _matches(each: Subscription, query: SubscriptionQuery) -> bool:
    return (query.name is None or query.name.casefold() in each.name.casefold()) and (
        query.host is None or query.host.casefold() in urlsplit(each.url).netloc.casefold()
    )


async def read(context: RequestContext) -> Response:
    context.query()
    return await _shown(context, await find(context))


async def patch(context: RequestContext) -> Response:
    found, sent = await find(context), await context.body_as_sent()
    checks.require_editable(context, sent)
    change = await context.read_change(**checks.patch_checks(context, found, sent))
    connection = checks.named_connection(context, change.body.connection)
    answer = await submit(
        context,
        PatchSubscription(
            tenant_id=context.tenant_id,
            subscription_id=subscription_id(context),
            patch=change.body,
            url=UNSET if connection is None else url_of(context.services, connection),
            shadow_of=found.shadow_of,
            if_match=context.if_match,
            idempotency=change.idempotency,
        ),
    )
    return await with_health(context, answer)


def delete(context: RequestContext) -> DeleteSubscription:
    change = context.change()
    return DeleteSubscription(
        tenant_id=context.tenant_id,
        subscription_id=subscription_id(context),
        if_match=context.if_match,
        idempotency=change.idempotency,
    )


async def find(context: RequestContext) -> Subscription:
    """The subscription in the path. Raises NotFound."""
    found = context.services.directory.subscription(context.tenant_id, subscription_id(context))
    if found is None:
        raise subscription_not_found()
    return found


def subscription_id(context: RequestContext) -> str:
    return context.path_uuid("id", "subscription")


def secret_of(context: RequestContext, given: str | UnsetType) -> str:
    """The secret that the owner gave, or a new one (C20)."""
    return make_token(context.services.secret_bytes) if given is UNSET else given


async def _shown(context: RequestContext, found: Subscription) -> Response:
    return await with_health(context, _response(context, found))


def _response(context: RequestContext, found: Subscription) -> Response:
    return subscription_response(found.with_secrets_of(context.services.clock.wall()))


async def with_health(context: RequestContext, answer: Response) -> Response:
    """Add the subscription's health, which only the engine knows. The answer that is kept for an `Idempotency-Key` does
    not have it."""
    identity = msgspec.json.decode(answer.body)["id"]
    found = context.services.directory.subscription(context.tenant_id, identity)
    health = None
    if found is not None:
        [view] = await _dated(context, [await context.services.lane_views.of(found)])
        health = health_for(context.portal, view.shown())
    return _add_health(context, answer, identity, health)


async def _dated(context: RequestContext, views: Sequence[LaneView]) -> list[LaneView]:
    """Views of lanes. Those that send nothing also say until when their waiting events are kept."""
    services, at_rest = context.services, [view for view in views if view.status != "active"]
    kept = services.directory.retention_days_of(context.tenant_id) * DAY
    dated = {view.subscription.number: view for view in await services.lane_views.dated(at_rest, kept)}
    return [dated.get(view.subscription.number, view) for view in views]


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


PATH = "/v1/subscriptions/{id}"
_NEW = RequestBody(
    SubscriptionRequest,
    variants=(
        Variant("CreateShadow", ShadowRequest, checks.is_of_shadow),
        Variant("CreateConnectorSubscription", ConnectorRequest, checks.is_of_connector),
    ),
)

ROUTES = (
    Route(
        name="create_subscription",
        method="POST",
        path="/v1/subscriptions",
        summary="Create a subscription",
        roles=SUBSCRIBES,
        handler=create,
        portal=Capability.CREATE,
        body=_NEW,
        idempotent=True,
        replies={
            201: Reply(
                "The subscription with its secret, which is shown only this once.",
                NewSubscription,
                ("etag", "location"),
            )
        },
        example=Example({"url": "https://example.com/hooks", "eventTypes": ["documentCreated", "documentUpdated"]}),
    ),
    Route(
        name="check_subscription",
        method="POST",
        path="/v1/subscriptions/check",
        summary="Check what a new subscription would be made of; nothing is stored or sent",
        roles=SUBSCRIBES,
        handler=check_new,
        portal=Capability.CREATE,
        body=_NEW,
        replies={204: Reply("The subscription would be accepted.")},
        example=Example({"url": "https://example.com/hooks", "eventTypes": ["documentCreated"]}),
    ),
    Route(
        name="list_subscriptions",
        method="GET",
        path="/v1/subscriptions",
        summary="List subscriptions",
        roles=FOLLOWS,
        handler=list_all,
        portal=Capability.VIEW,
        query=SubscriptionQuery,
        replies={200: Reply("A page, newest first.", SubscriptionPage)},
        example=Example(query={"limit": "10"}),
    ),
    Route(
        name="list_subscription_names",
        method="GET",
        path="/v1/subscriptions/names",
        summary="List the names of subscriptions, to choose one",
        roles=FOLLOWS,
        handler=list_names,
        query=NamesQuery,
        replies={200: Reply("A page, newest first.", SubscriptionNames)},
        example=Example(query={"limit": "250"}),
    ),
    Route(
        name="read_subscription",
        method="GET",
        path=PATH,
        summary="Read a subscription and its health",
        roles=FOLLOWS,
        handler=read,
        portal=Capability.VIEW,
        replies={200: Reply("The subscription.", SubscriptionShape, ("etag",))},
        errors=(NotFound,),
        example=Example(),
    ),
    Route(
        name="patch_subscription",
        method="PATCH",
        path=PATH,
        summary="Change, pause or resume a subscription",
        roles=SUBSCRIBES,
        handler=patch,
        portal=Capability.EDIT,
        body=RequestBody(SubscriptionPatch),
        conditional=True,
        idempotent=True,
        replies={200: Reply("The subscription.", SubscriptionShape, ("etag",))},
        errors=(NotFound,),
        example=Example({"status": "paused"}),
    ),
    Route(
        name="delete_subscription",
        method="DELETE",
        path=PATH,
        summary="Delete a subscription",
        roles=SUBSCRIBES,
        handler=OneChange(delete),
        conditional=True,
        idempotent=True,
        replies={204: Reply("Deleted. Nothing more is sent.")},
        errors=(NotFound,),
        example=Example(),
    ),
)
