"""Subscriptions: create, list, read, change and delete them."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, UnsetType

from signalpost.api.configs import url_of
from signalpost.api.http.response import Response
from signalpost.api.resources import subscription_checks as checks
from signalpost.api.resources.shown_subscriptions import shown, with_health
from signalpost.api.resources.subscription_lists import NamesQuery, SubscriptionQuery, list_all, list_names
from signalpost.api.routing.context import (
    RequestBody,
    RequestContext,
    Variant,
)
from signalpost.api.routing.only_reads import only_reads
from signalpost.api.routing.route import FOLLOWS, SUBSCRIBES, Example, OneChange, Reply, Route
from signalpost.api.routing.shapes.overview import SubscriptionNames
from signalpost.api.routing.shapes.subscriptions import NewSubscription, SubscriptionPage
from signalpost.api.routing.shapes.subscriptions import Subscription as SubscriptionShape
from signalpost.commands.shadows import CreateShadow, original_for
from signalpost.commands.subscriptions import (
    CreateConnectorSubscription,
    CreateReadSubscription,
    CreateSubscription,
    DeleteSubscription,
    PatchSubscription,
    subscription_not_found,
)
from signalpost.domain import key_pair as key_pairs
from signalpost.domain.access.portal_link import Capability
from signalpost.domain.checks import MAX_TEXT_CHARACTERS
from signalpost.domain.errors import NotFound
from signalpost.domain.key_pair import KeyPair
from signalpost.domain.new_webhook import endpoint_members
from signalpost.domain.shadow import ShadowRequest
from signalpost.domain.subscription import Subscription
from signalpost.domain.subscription_requests import (
    ConnectorRequest,
    ReadRequest,
    SubscriptionPatch,
    SubscriptionRequest,
)
from signalpost.store.nouns.log import END_OF_LOG
from signalpost_receiver import make_token

_Creation = CreateSubscription | CreateShadow | CreateConnectorSubscription | CreateReadSubscription


async def create(context: RequestContext) -> _Creation:
    """Create a subscription to a webhook or, if the body names another `kind`, one that is read or uses a connection;
    or a shadow, if it names its original."""
    sent = await context.body_as_sent()
    if checks.is_of_shadow(sent):
        return await _create_shadow(context, sent)
    if checks.is_of_connector(sent):
        return await _create_for_connector(context)
    if checks.is_read(sent):
        return await _create_read(context)
    change = await context.read_change(**checks.webhook_checks(context))
    begins = await checks.beginning_of(context, change.body)
    return CreateSubscription(
        tenant_id=context.tenant_id,
        subscription_id=context.new_id(),
        new=change.body,
        secret=secret_of(context, change.body.secret),
        key_pair=new_key_pair(context, wanted=change.body.sign_with_key_pair),
        retry_delays=context.services.installation.retry_delays,
        begins=begins,
        idempotency=change.idempotency,
    )


async def _create_shadow(context: RequestContext, sent: Mapping[str, Any]) -> CreateShadow:
    change = await context.read_change(**checks.shadow_checks(context, sent))
    return CreateShadow(
        tenant_id=context.tenant_id,
        subscription_id=context.new_id(),
        new=change.body,
        secret=secret_of(context, change.body.secret),
        key_pair=new_key_pair(context, wanted=change.body.sign_with_key_pair),
        idempotency=change.idempotency,
    )


async def _create_for_connector(context: RequestContext) -> CreateConnectorSubscription:
    services, sent = context.services, await context.body_as_sent()
    change = await context.read_change(**checks.connector_checks(context, sent))
    new: ConnectorRequest = change.body
    connection = checks.named_connection(context, new.connection)
    assert connection is not None
    destination = services.destinations.kinds[new.kind]
    return CreateConnectorSubscription(
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
    )


async def _create_read(context: RequestContext) -> CreateReadSubscription:
    change = await context.read_change(**checks.read_checks(context))
    return CreateReadSubscription(
        tenant_id=context.tenant_id,
        subscription_id=context.new_id(),
        new=change.body,
        secret=secret_of(context, UNSET),
        begins=await checks.beginning_of(context, change.body),
        idempotency=change.idempotency,
    )


async def check_new(context: RequestContext) -> None:
    """Check a body as `create` does, and create nothing."""
    context.query()
    sent, now = await context.body_as_sent(), context.services.clock.wall()
    if checks.is_of_shadow(sent):
        asked: ShadowRequest = await context.read_body(**checks.shadow_checks(context, sent))
        original_for(asked, *_with_shadow(context, asked.shadow_of))
        endpoint_members(asked, now)
        return
    if checks.is_of_connector(sent):
        of_kind = checks.connector_checks(context, sent)
    else:
        of_kind = checks.read_checks(context) if checks.is_read(sent) else checks.webhook_checks(context)
    new = await context.read_body(**of_kind)
    if isinstance(new, SubscriptionRequest):
        endpoint_members(new, now)
    if (begins := await checks.beginning_of(context, new)) is not None:
        begins.in_log_up_to((await context.services.store.log.after(context.tenant_id, END_OF_LOG, 1)).last)


def _with_shadow(context: RequestContext, identity: str) -> tuple[Subscription | None, Subscription | None]:
    """The subscription with this id, and its shadow, as far as they are there."""
    of_tenant, directory = context.tenant_id, context.services.directory
    shadow = directory.shadow_of(identity)
    return directory.subscription(of_tenant, identity), None if shadow is None else directory.subscription(
        of_tenant, shadow
    )


@only_reads
async def read(context: RequestContext) -> Response:
    context.query()
    return await shown(context, await find(context))


async def patch(context: RequestContext) -> PatchSubscription:
    found, sent = await find(context), await context.body_as_sent()
    checks.require_editable(context, sent)
    change = await context.read_change(**checks.patch_checks(context, found, sent))
    connection = checks.named_connection(context, change.body.connection)
    return PatchSubscription(
        tenant_id=context.tenant_id,
        subscription_id=subscription_id(context),
        patch=change.body,
        url=UNSET if connection is None else url_of(context.services, connection),
        shadow_of=found.shadow_of,
        key_pair=new_key_pair(context, wanted=change.body.sign_with_key_pair is True),
        if_match=context.if_match,
        idempotency=change.idempotency,
    )


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


def new_key_pair(context: RequestContext, *, wanted: bool) -> KeyPair | None:
    return key_pairs.new(context.services.secret_bytes) if wanted else None


PATH = "/v1/subscriptions/{id}"
_NEW = RequestBody(
    SubscriptionRequest,
    variants=(
        Variant("CreateShadow", ShadowRequest, checks.is_of_shadow),
        Variant("CreateConnectorSubscription", ConnectorRequest, checks.is_of_connector),
        Variant("CreateReadSubscription", ReadRequest, checks.is_read),
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
        changes=True,
        complete=with_health,
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
        changes=True,
        complete=with_health,
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
