"""Connections: the gateway's credentials for vendors. Their secrets are write-only: they are shown as null."""

from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from signalpost.api.configs import (
    VettedConnection,
    connection_config_check,
    kind_check,
    shown_config,
)
from signalpost.api.connection_patches import patch_check
from signalpost.api.http.pages import fitting, gathered, page
from signalpost.api.http.response import Json, Response
from signalpost.api.rendering import connection_response
from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.queries import PageQuery, write_cursor
from signalpost.api.routing.route import FOLLOWS, OPERATOR, Example, OneChange, Reply, Route
from signalpost.api.routing.shapes.destinations import Connection as ConnectionShape
from signalpost.api.routing.shapes.destinations import ConnectionPage
from signalpost.commands.connections import CreateConnection, DeleteConnection, PatchConnection, require_connection
from signalpost.domain.connection import Connection, ConnectionPatch, ConnectionRequest
from signalpost.domain.errors import Conflict, NotFound


async def create(context: RequestContext) -> CreateConnection:
    services, sent = context.services, await context.body_as_sent()
    change = await context.read_change(
        kind=kind_check(services), config=connection_config_check(services, sent.get("kind"))
    )
    new: ConnectionRequest = change.body
    vetted: VettedConnection = change.body.config
    return CreateConnection(
        tenant_id=context.tenant_id,
        connection_id=context.new_id(),
        kind=new.kind,
        name=services.destinations.kinds[new.kind].title if new.name is UNSET else new.name,
        config=vetted.config,
        needs_consent=vetted.needs_consent,
        idempotency=change.idempotency,
    )


async def list_all(context: RequestContext) -> Json[ConnectionPage]:
    query: PageQuery = context.query()
    found = await context.services.store.lists.page(Connection, context.tenant_id, query.cursor, query.limit)
    shown = await gathered(fitting(_shown(context, each).body for each in found), context.turn)
    more = len(found) == query.limit or len(shown) < len(found)
    position = (found[len(shown) - 1].number,) if more else None
    return Json(page(shown, {"next": write_cursor(position)}))


async def read(context: RequestContext) -> Response:
    context.query()
    return _shown(context, find(context))


async def patch(context: RequestContext) -> PatchConnection:
    found = find(context)
    change = await context.read_change(config=patch_check(context.services, found))
    asked: ConnectionPatch = change.body
    patch = PatchConnection(
        tenant_id=context.tenant_id,
        connection_id=found.id,
        name=asked.name,
        of_version=found.version,
        if_match=context.if_match,
        idempotency=change.idempotency,
    )
    if asked.config is not UNSET:
        vetted: VettedConnection = change.body.config
        patch = replace(patch, config=vetted.config, url=vetted.url, needs_consent=vetted.needs_consent)
    return patch


def delete(context: RequestContext) -> DeleteConnection:
    change = context.change()
    return DeleteConnection(
        tenant_id=context.tenant_id,
        connection_id=connection_id(context),
        if_match=context.if_match,
        idempotency=change.idempotency,
    )


def find(context: RequestContext) -> Connection:
    """The connection that the path names. Raises NotFound."""
    return require_connection(context.services.directory.connection(context.tenant_id, connection_id(context)))


def connection_id(context: RequestContext) -> str:
    """The id in the path. Raises NotFound."""
    return context.path_uuid("id", "connection")


def _shown(context: RequestContext, found: Connection) -> Response:
    return _with(context, connection_response(found), found)


async def with_config(context: RequestContext, answer: Response) -> Response:
    """Adds the config as its kind shows it. It is not part of what is kept under an `Idempotency-Key`."""
    return with_more(context, answer)


def with_more(context: RequestContext, answer: Response, **more: Any) -> Response:
    """Adds the config and further members, none of which is part of what is kept under an `Idempotency-Key`."""
    identity = msgspec.json.decode(answer.body)["id"]
    return _with(context, answer, context.services.directory.connection(context.tenant_id, identity), **more)


def _with(context: RequestContext, answer: Response, found: Connection | None, **more: Any) -> Response:
    added = {"config": {} if found is None else shown_config(context.services, found), **more}
    return replace(answer, body=b"%b,%b" % (answer.body[:-1], msgspec.json.encode(added)[1:]))


PATH = "/v1/connections/{id}"

ROUTES = (
    Route(
        name="create_connection",
        method="POST",
        path="/v1/connections",
        summary="Create a connection to a vendor",
        roles=OPERATOR,
        handler=create,
        changes=True,
        complete=with_config,
        body=RequestBody(ConnectionRequest),
        idempotent=True,
        replies={201: Reply("The connection, without its secrets.", ConnectionShape, ("etag", "location"))},
        example=Example(
            {
                "kind": "slack",
                "name": "Our workspace",
                "config": {"signIn": {"with": "bot", "token": "xoxb-0123456789-abcdefghijkl", "channel": "#contracts"}},
            }
        ),
    ),
    Route(
        name="list_connections",
        method="GET",
        path="/v1/connections",
        summary="List connections",
        roles=FOLLOWS,
        handler=list_all,
        query=PageQuery,
        replies={200: Reply("A page, newest first.", ConnectionPage)},
        example=Example(query={"limit": "10"}),
    ),
    Route(
        name="read_connection",
        method="GET",
        path=PATH,
        summary="Read a connection, without its secrets",
        roles=FOLLOWS,
        handler=read,
        replies={200: Reply("The connection.", ConnectionShape, ("etag",))},
        errors=(NotFound,),
        example=Example(),
    ),
    Route(
        name="patch_connection",
        method="PATCH",
        path=PATH,
        summary="Change a connection: members of its config that are left out, and secrets that are null, stay",
        roles=OPERATOR,
        handler=patch,
        changes=True,
        complete=with_config,
        body=RequestBody(ConnectionPatch),
        conditional=True,
        idempotent=True,
        replies={200: Reply("The connection.", ConnectionShape, ("etag",))},
        errors=(NotFound,),
        example=Example({"name": "Another name"}),
    ),
    Route(
        name="delete_connection",
        method="DELETE",
        path=PATH,
        summary="Delete a connection that no subscription uses",
        roles=OPERATOR,
        handler=OneChange(delete),
        conditional=True,
        idempotent=True,
        replies={204: Reply("Deleted, with its secrets.")},
        errors=(NotFound, Conflict),
        example=Example(),
    ),
)
