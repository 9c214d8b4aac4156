"""Links that sign an operator in to the console, once."""

from signalpost.api.guards.principals import Principal
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.route import OPERATOR, Example, Reply, Route
from signalpost.api.routing.services import Services
from signalpost.api.routing.shapes.access import ConsoleLink
from signalpost.domain.access.sign_in import LINK_LIFETIME, Purpose
from signalpost.domain.timestamps import format_timestamp


async def console_link(services: Services, principal: Principal) -> str:
    """A URL that signs its first visitor in to the console, as this principal."""
    token = await services.sessions.make_link(Purpose.CONSOLE, services.principals.ground_of(principal))
    return f"{services.installation.public_url}/console/enter/{token}"


async def create(context: RequestContext) -> ConsoleLink:
    context.query()
    services = context.services
    return ConsoleLink(
        url=await console_link(services, context.principal),
        expires_at=format_timestamp(services.clock.wall() + LINK_LIFETIME),
    )


ROUTES = (
    Route(
        name="create_console_link",
        method="POST",
        path="/v1/console-links",
        summary="Create a link that signs its first visitor in to the console as the operator who created it",
        roles=OPERATOR,
        handler=create,
        replies={201: Reply("The link. It works once, for 15 minutes.", ConsoleLink)},
        example=Example(),
    ),
)
