"""The kinds of destinations that are installed, for people who fill in forms and programs that draw them."""

import msgspec

from signalpost.api.http.response import Response
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.route import FOLLOWS, Example, Reply, Route
from signalpost.api.routing.shapes.destinations import Destination, DestinationList


async def list_all(context: RequestContext) -> Response:
    context.query()
    shown = [
        Destination(
            kind=kind.kind,
            title=kind.title,
            about=kind.about,
            connection=msgspec.json.schema(kind.connection),
            config=msgspec.json.schema(kind.config),
            presets=list(kind.presets),
        )
        for kind in context.services.destinations.kinds.values()
    ]
    return Response(200, msgspec.json.encode(DestinationList(data=shown)))


ROUTES = (
    Route(
        name="list_destinations",
        method="GET",
        path="/v1/destinations",
        summary="List the kinds of destinations besides the webhook, with the JSON Schema of what each asks for",
        roles=FOLLOWS,
        handler=list_all,
        replies={200: Reply("Every kind that is installed.", DestinationList)},
        example=Example(),
    ),
)
