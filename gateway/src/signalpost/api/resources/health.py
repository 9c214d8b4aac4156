"""Health checks: whether the process is running, and whether the gateway can do its work."""

import msgspec

from signalpost.api.http.request import Request
from signalpost.api.http.response import Response
from signalpost.api.routing.route import OpenRoute, Reply
from signalpost.api.routing.services import Services
from signalpost.api.routing.shapes.service import Liveness, Readiness


async def live(_services: Services, _request: Request) -> Response:
    return Response(200, msgspec.json.encode(Liveness(status="live")))


async def ready(services: Services, _request: Request) -> Response:
    found = readiness(services)
    return Response(200 if found.trouble is None else 503, msgspec.json.encode(found))


def readiness(services: Services) -> Readiness:
    trouble = services.engine.trouble
    return Readiness(
        status="ready" if trouble is None else "not ready",
        trouble=trouble,
        warnings=list(services.installation.warnings),
    )


ROUTES = (
    OpenRoute(
        name="read_liveness",
        path="/health/live",
        summary="Whether the process is running",
        handler=live,
        replies={200: Reply("The process is running.", Liveness)},
    ),
    OpenRoute(
        name="read_readiness",
        path="/health/ready",
        summary="Whether the gateway can do its work",
        handler=ready,
        replies={
            200: Reply("The gateway is ready.", Readiness),
            503: Reply("Not ready; `trouble` says why.", Readiness),
        },
    ),
)
