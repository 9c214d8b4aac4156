"""What events look like, for programs: JSON Schema and AsyncAPI. No key is needed to read them."""

from typing import Any

import msgspec

from signalpost.api.http.request import Request
from signalpost.api.http.response import CONTENT_TYPE, Response
from signalpost.api.routing.asyncapi import describe_events
from signalpost.api.routing.route import OpenRoute, Reply
from signalpost.api.routing.services import Services
from signalpost.api.routing.webhooks import schema_files
from signalpost.domain.errors import NotFound

_SCHEMA = "application/schema+json"
_ASYNCAPI = "application/vnd.aai.asyncapi+json"
_ALWAYS_CURRENT = ("cache-control", "no-cache")


async def read_schema(_services: Services, request: Request) -> Response:
    """Raises NotFound."""
    schema = schema_files().get(request.path_params["schema"])
    if schema is None:
        raise NotFound("schema_not_found", f"There is no such schema. There are {', '.join(schema_files())}.")
    return Response(200, msgspec.json.encode(schema), ((CONTENT_TYPE, _SCHEMA), _ALWAYS_CURRENT))


async def read_asyncapi(_services: Services, _request: Request) -> Response:
    return Response(200, msgspec.json.encode(describe_events()), ((CONTENT_TYPE, _ASYNCAPI), _ALWAYS_CURRENT))


OPEN_ROUTES = (
    OpenRoute(
        name="read_schema",
        path="/schemas/{schema}",
        summary="The JSON Schema of events of a type, of any event, or of a document",
        handler=read_schema,
        replies={200: Reply("A schema in JSON Schema 2020-12.", dict[str, Any], media_type=_SCHEMA)},
        errors=(NotFound,),
    ),
    OpenRoute(
        name="read_asyncapi",
        path="/asyncapi.json",
        summary="The description of all events in AsyncAPI 3",
        handler=read_asyncapi,
        replies={200: Reply("The AsyncAPI document.", dict[str, Any], media_type=_ASYNCAPI)},
    ),
)
