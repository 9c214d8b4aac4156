"""The kinds of destinations that are installed, for people who fill in forms and programs that draw them."""

from functools import lru_cache

import msgspec

from signalpost.api.http.response import Json
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.route import FOLLOWS, Example, Reply, Route
from signalpost.api.routing.shapes.destinations import Destination, DestinationList
from signalpost.destinations.registry import Destinations


async def list_all(context: RequestContext) -> Json[DestinationList]:
    context.query()
    return Json(_shown(context.services.destinations))


@lru_cache(maxsize=1)
def _shown(destinations: Destinations) -> bytes:
    """JSON of the list. It is kept, since to make the schemas takes 2 ms and what is installed does not change."""
    shown = [
        Destination(
            kind=kind.kind,
            title=kind.title,
            about=kind.about,
            connection=msgspec.json.schema(kind.connection),
            config=msgspec.json.schema(kind.config),
            presets=list(kind.presets),
        )
        for kind in destinations.kinds.values()
    ]
    return msgspec.json.encode(DestinationList(data=shown))


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
