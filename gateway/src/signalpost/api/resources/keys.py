"""API keys: create, list and revoke them. The operator's key of the settings is not one of them."""

from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.queries import PageQuery, next_cursor
from signalpost.api.routing.route import OPERATOR, Example, OneChange, Reply, Route
from signalpost.api.routing.services import Services
from signalpost.api.routing.shapes.access import Key, KeyPage, NewKey
from signalpost.commands.keys import CreateKey, RevokeKey
from signalpost.domain.access.api_key import ApiKey, KeyRequest, make_key
from signalpost.domain.checks import Bad
from signalpost.domain.errors import NotFound
from signalpost.domain.timestamps import parse_timestamp


def create(context: RequestContext) -> CreateKey:
    now = context.services.clock.wall()

    def in_future(moment: str | None) -> str | None:
        if moment is not None and parse_timestamp(moment) <= now:
            raise Bad("not_in_the_future", "This must be in the future.")
        return moment

    change = context.change(expiresAt=in_future)
    until = change.body.expires_at
    return CreateKey(
        tenant_id=context.tenant_id,
        tenant=context.tenant_name,
        key_id=context.new_id(),
        name=change.body.name,
        role=change.body.role,
        key=make_key(context.services.secret_bytes),
        expires_at=None if until is None else parse_timestamp(until),
        created_by=context.principal.name,
        idempotency=change.idempotency,
    )


async def list_all(context: RequestContext) -> KeyPage:
    query: PageQuery = context.query()
    services = context.services
    found = await services.store.lists.page(ApiKey, context.within, query.cursor, query.limit)
    shown = [_listed(key, services) for key in found]
    return KeyPage(data=shown, next=next_cursor(found, query.limit))


def _listed(key: ApiKey, services: Services) -> Key:
    tenant = services.directory.tenant_with(key.tenant_id)
    name = "" if tenant is None else tenant.name
    return Key.of(key, tenant=name, last_used_at=services.engine.maintenance.key_uses.last(key))


def revoke(context: RequestContext) -> RevokeKey:
    change = context.change()
    return RevokeKey(
        tenant_id=context.tenant_id,
        key_id=context.path_uuid("id", "key"),
        within=context.within,
        idempotency=change.idempotency,
    )


ROUTES = (
    Route(
        name="create_key",
        method="POST",
        path="/v1/keys",
        summary="Create an API key",
        roles=OPERATOR,
        handler=OneChange(create),
        body=RequestBody(KeyRequest),
        idempotent=True,
        replies={201: Reply("The key, which is shown only this once.", NewKey, ("location",))},
        example=Example({"name": "contracts", "role": "app", "expiresAt": "2099-12-31T00:00:00Z"}),
    ),
    Route(
        name="list_keys",
        method="GET",
        path="/v1/keys",
        summary="List the API keys of the tenant that the call names, or of all tenants",
        roles=OPERATOR,
        handler=list_all,
        query=PageQuery,
        replies={200: Reply("A page, newest first.", KeyPage)},
        example=Example(query={"limit": "10"}),
    ),
    Route(
        name="revoke_key",
        method="DELETE",
        path="/v1/keys/{id}",
        summary="Revoke an API key",
        roles=OPERATOR,
        handler=OneChange(revoke),
        idempotent=True,
        replies={204: Reply("Revoked. The key is refused from now on.")},
        errors=(NotFound,),
        example=Example(),
    ),
)
