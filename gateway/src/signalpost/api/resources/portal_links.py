"""Portal links: one lets a customer see their own subscriptions for a while, and do what it allows.

A link gives no one more than its creator has: everyone who may create one may do all that a link can allow.
"""

from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.queries import PageQuery, next_cursor
from signalpost.api.routing.route import FOLLOWS, SUBSCRIBES, Example, OneChange, Reply, Route
from signalpost.api.routing.shapes.access import NewPortalLink, PortalLinkPage, PortalLinkShown
from signalpost.commands.portal_links import CreatePortalLink, RevokePortalLink, portal_link_not_found
from signalpost.domain.access.portal_link import Capability, PortalLink, PortalLinkRequest
from signalpost.domain.access.sign_in import hash_token, make_token
from signalpost.domain.body import given
from signalpost.domain.errors import FieldError, Invalid, NotFound


def create(context: RequestContext) -> CreatePortalLink:
    asked = context.change()
    new: PortalLinkRequest = asked.body
    _check_subscriptions(context, new)
    token = make_token(context.services.secret_bytes)
    return CreatePortalLink(
        tenant_id=context.tenant_id,
        link_id=context.new_id(),
        url=f"{context.services.installation.public_url}/portal/enter/{token}",
        hash=hash_token(token),
        maker=context.services.principals.ground_of(context.principal),
        created_by=context.principal.name,
        idempotency=asked.idempotency,
        **{"embed": (), **given(new)},
    )


def _check_subscriptions(context: RequestContext, new: PortalLinkRequest) -> None:
    """Raise Invalid for unknown subscriptions, and if the link reaches only some subscriptions but may create new ones:
    a new subscription can receive all of the tenant's events."""
    errors: list[FieldError] = []
    if new.subscriptions != "all":
        detail = "There is no subscription with this id."
        errors += [
            FieldError(f"/subscriptions/{index}", "not_found", detail)
            for index, each in enumerate(new.subscriptions)
            if (found := context.subscription(each)) is None or found.shadow_of is not None
        ]
        if Capability.CREATE in new.can:
            detail = "Only a link to all subscriptions can allow `create`: a new one can receive any event."
            errors.append(FieldError("/can", "not_allowed", detail))
    if errors:
        raise Invalid(errors)


async def list_all(context: RequestContext) -> PortalLinkPage:
    query: PageQuery = context.query()
    services = context.services
    found = await services.store.lists.page(PortalLink, context.tenant_id, query.cursor, query.limit)
    now = services.clock.wall()
    shown = [PortalLinkShown.of(each, state=each.state(now)) for each in found]
    return PortalLinkPage(data=shown, next=next_cursor(found, query.limit))


async def show(context: RequestContext) -> PortalLinkShown:
    context.query()
    found = await context.services.store.access.portal_link(context.path_uuid("id", "portal_link"))
    if found is None or found.tenant_id != context.tenant_id:
        raise portal_link_not_found()
    return PortalLinkShown.of(found, state=found.state(context.services.clock.wall()))


def revoke(context: RequestContext) -> RevokePortalLink:
    asked = context.change()
    return RevokePortalLink(
        tenant_id=context.tenant_id,
        link_id=context.path_uuid("id", "portal_link"),
        idempotency=asked.idempotency,
    )


ROUTES = (
    Route(
        name="create_portal_link",
        method="POST",
        path="/v1/portal-links",
        summary="Create a link that lets a customer see their own subscriptions for a while; it opens once",
        roles=SUBSCRIBES,
        handler=OneChange(create),
        body=RequestBody(PortalLinkRequest),
        idempotent=True,
        replies={
            201: Reply(
                "The link, which is shown only this once. It opens once, for 10 minutes.", NewPortalLink, ("location",)
            )
        },
        example=Example(
            {
                "name": "Acme",
                "subscriptions": "all",
                "can": ["view", "test", "retry"],
                "embed": ["https://app.example.com"],
            }
        ),
    ),
    Route(
        name="list_portal_links",
        method="GET",
        path="/v1/portal-links",
        summary="List portal links that have not ended, and some that have ended",
        roles=FOLLOWS,
        handler=list_all,
        query=PageQuery,
        replies={200: Reply("A page, newest first.", PortalLinkPage)},
        example=Example(query={"limit": "10"}),
    ),
    Route(
        name="read_portal_link",
        method="GET",
        path="/v1/portal-links/{id}",
        summary="Read a portal link: whom it is for, what it allows, whether it is in use",
        roles=FOLLOWS,
        handler=show,
        replies={200: Reply("The link, without its URL.", PortalLinkShown)},
        errors=(NotFound,),
        example=Example(),
    ),
    Route(
        name="revoke_portal_link",
        method="DELETE",
        path="/v1/portal-links/{id}",
        summary="Revoke a portal link and end its session",
        roles=SUBSCRIBES,
        handler=OneChange(revoke),
        idempotent=True,
        replies={204: Reply("Revoked. Its visitor is signed out at the next page.")},
        errors=(NotFound,),
        example=Example(),
    ),
)
