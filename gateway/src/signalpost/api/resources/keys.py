"""API keys: create, list and revoke them. The operator's key of the settings is not one of them."""

import msgspec

from signalpost.api.http.response import Response
from signalpost.api.rendering import key_shown, submit
from signalpost.api.routing.context import LIMIT, LIMIT_DEFAULT, RequestBody, RequestContext, cursor, write_cursor
from signalpost.api.routing.route import OPERATOR, Example, Reply, Route
from signalpost.api.routing.shapes import KeyPage, NewKey
from signalpost.commands.keys import CreateKey, RevokeKey
from signalpost.domain.api_key import KeyRequest, make_key
from signalpost.domain.errors import NotFound


async def create(context: RequestContext) -> Response:
    change = await context.read_change()
    return await submit(
        context.services,
        CreateKey(
            tenant_id=context.tenant_id,
            key_id=context.new_id(),
            name=change.body.name,
            role=change.body.role,
            key=make_key(context.services.secret_bytes),
            idempotency=change.idempotency,
        ),
    )


async def list_all(context: RequestContext) -> Response:
    query = context.query()
    (below,), most = query.get("cursor", (None,)), query.get("limit", LIMIT_DEFAULT)
    found = await context.services.store.access.key_page(below, most)
    position = (found[-1].number,) if len(found) == most else None
    return Response(200, msgspec.json.encode(KeyPage(data=[*map(key_shown, found)], next=write_cursor(position))))


async def revoke(context: RequestContext) -> Response:
    change = await context.read_change()
    return await submit(
        context.services,
        RevokeKey(tenant_id=context.tenant_id, key_id=context.path_uuid("id", "key"), idempotency=change.idempotency),
    )


ROUTES = (
    Route(
        name="create_key",
        method="POST",
        path="/v1/keys",
        summary="Create an API key",
        roles=OPERATOR,
        handler=create,
        body=RequestBody(KeyRequest),
        idempotent=True,
        replies={201: Reply("The key, which is shown only this once.", NewKey, ("location",))},
        example=Example({"name": "support desk", "role": "operator"}),
    ),
    Route(
        name="list_keys",
        method="GET",
        path="/v1/keys",
        summary="List API keys",
        roles=OPERATOR,
        handler=list_all,
        query={"limit": LIMIT, "cursor": cursor()},
        replies={200: Reply("A page, newest first.", KeyPage)},
        example=Example(query={"limit": "10"}),
    ),
    Route(
        name="revoke_key",
        method="DELETE",
        path="/v1/keys/{id}",
        summary="Revoke an API key",
        roles=OPERATOR,
        handler=revoke,
        idempotent=True,
        replies={204: Reply("Revoked. The key is refused from now on.")},
        errors=(NotFound,),
        example=Example(),
    ),
)
