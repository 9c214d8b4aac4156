"""Links that sign an operator in to the console, once."""

import msgspec

from signalpost.api.http.response import Response
from signalpost.api.http.sessions import LINK_LIFETIME
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.route import OPERATOR, Example, Reply, Route
from signalpost.api.routing.shapes.access import ConsoleLink
from signalpost.domain.timestamps import format_timestamp


async def create(context: RequestContext) -> Response:
    context.query()
    services = context.services
    link = ConsoleLink(
        url=services.sessions.link(services.public_url, context.principal),
        expires_at=format_timestamp(services.clock.wall() + LINK_LIFETIME),
    )
    return Response(201, msgspec.json.encode(link))


ROUTES = (
    Route(
        name="create_console_link",
        method="POST",
        path="/v1/console-links",
        summary="Make a link that signs its first visitor in to the console, as its operator",
        roles=OPERATOR,
        handler=create,
        replies={201: Reply("The link. It works once, for 15 minutes.", ConsoleLink)},
        example=Example(),
    ),
)
