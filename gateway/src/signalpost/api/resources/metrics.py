"""`GET /metrics`: what the engine and the API counted, in the text format of Prometheus.

The engine and the API only count in plain integers. `api/metric_families.py` makes the metric families of them when
they are asked for. That runs on the event loop, in slices if there are many lanes at work, so all numbers are of one
moment or nearly so; reading file sizes and writing the text run on other threads.

No label carries an id, a URL or a name: a time series per subscription would outgrow any Prometheus.
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

_TEXT_FORMAT: Final = "text/plain; version=0.0.4; charset=utf-8"


async def metrics(services: Services, _request: Request) -> Response:
    text = await services.metrics.get(partial(_rendered, services))
    return Response(200, text, ((CONTENT_TYPE, _TEXT_FORMAT),))


async def guarded_metrics(services: Services, request: Request) -> Response:
    """The metrics on the API's port. They are about all tenants, so a request needs an operator's key or must come from
    this machine. Raises Unauthenticated, Forbidden."""
    if not request.is_local:
        principal = request.principal = await services.principals.of(request.header(b"authorization"))
        if principal.role not in OPERATOR:
            raise Forbidden("role_not_allowed", f"A key with the role {principal.role} cannot read the metrics.")
    return await metrics(services, request)


async def _rendered(services: Services) -> bytes:
    rendered = await asyncio.to_thread(_load)
    return await rendered(services)


def _load() -> Callable[[Services], Awaitable[bytes]]:
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
        replies={200: Reply("Metrics in the text format of Prometheus.", str, media_type="text/plain")},
    )


ROUTES = (_route(guarded_metrics, "Metrics for Prometheus, for an operator's key or on the gateway's machine"),)
OWN_PORT_ROUTES = (_route(metrics, "Metrics for Prometheus"),)
