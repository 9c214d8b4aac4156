"""`GET /metrics`: what the engine and the API counted, in the text format of Prometheus, or in that of OpenMetrics for
who asks for it.

The engine and the API only count in plain integers. `api/metric_families.py` makes the metric families of them when
they are asked for. That runs on the event loop, in slices if there are many lanes at work, so all numbers are of one
moment or nearly so; reading file sizes and writing the text run on other threads.

No label carries an id, a URL or a name: a time series per subscription would outgrow any Prometheus. The tenants that
METRICS_TENANTS names are the exception.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from signalpost.api.http.request import Request
from signalpost.api.http.response import CONTENT_TYPE, Response
from signalpost.api.routing.route import OPERATOR, OpenRoute, Reply
from signalpost.api.routing.services import Services
from signalpost.domain.errors import Forbidden

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
FORMATS: Final = (TEXT, OPENMETRICS)
"""The media types of the formats."""


async def metrics(services: Services, request: Request) -> Response:
    wants_openmetrics = "application/openmetrics-text" in (request.header(b"accept") or "").lower()
    media_type = OPENMETRICS if wants_openmetrics else TEXT
    text = await services.metrics[media_type].get(partial(_rendered, services, media_type))
    return Response(200, text, ((CONTENT_TYPE, media_type),))


async def guarded_metrics(services: Services, request: Request) -> Response:
    """The metrics on the API's port. They are about all tenants, so a request needs an operator's key or must come from
    this machine. Raises Unauthenticated, Forbidden."""
    if not request.is_local:
        principal = request.principal = await services.principals.of(request.header(b"authorization"))
        if principal.role not in OPERATOR:
            raise Forbidden("role_not_allowed", f"A key with the role {principal.role} cannot read the metrics.")
    return await metrics(services, request)


async def _rendered(services: Services, media_type: str) -> bytes:
    rendered = await asyncio.to_thread(_load)
    return await rendered(services, media_type)


def _load() -> Callable[[Services, str], Awaitable[bytes]]:
    """What makes the text. It is loaded for the first who asks: the client of Prometheus takes 30 ms, for which every
    start would wait."""
    from signalpost.api.metric_families import rendered

    return rendered


def _route(handler: Callable[[Services, Request], Awaitable[Response]], summary: str) -> OpenRoute:
    return OpenRoute(
        name="read_metrics",
        path="/metrics",
        summary=summary,
        handler=handler,
        replies={
            200: Reply(
                "Metrics in the text format of Prometheus; in that of OpenMetrics if `Accept` asks for it.",
                str,
                media_type="text/plain",
            )
        },
    )


ROUTES = (_route(guarded_metrics, "Metrics for Prometheus, for an operator's key or on the gateway's machine"),)
OWN_PORT_ROUTES = (_route(metrics, "Metrics for Prometheus"),)
