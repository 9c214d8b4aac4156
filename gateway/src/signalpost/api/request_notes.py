"""What is kept of requests: counts for the metrics, a line in the log, a span, and in the audit what was refused."""

from collections.abc import Mapping
from typing import Final

from signalpost.api.guards.principals import EndedKey, Principal
from signalpost.api.http.request import TRACEPARENT, Request
from signalpost.api.http.response import Response, StreamedResponse
from signalpost.api.rendering import EVENT_HEADER
from signalpost.api.routes import LINK_ROUTES, QUIET_ROUTES
from signalpost.api.routing.services import Services
from signalpost.domain.access.api_key import FIRST_TENANT, ApiKey
from signalpost.domain.audit import Actor
from signalpost.domain.errors import Forbidden, NotFound
from signalpost.domain.trace_context import is_sampled, parse
from signalpost.engine.maintenance.refused_calls import RefusedCall
from signalpost.runtime.logger import log

REFUSED: Final = 400
"""The lowest status of an answer that refuses something."""
NO_ROUTE: Final = "none"
"""The route of a request that none fits, in the log and in the metrics."""
_LINKS: Final = frozenset(route.path for route in LINK_ROUTES)
_NOT_TRACED: Final[Mapping[str, str]] = {}


class RequestNotes:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._proxies = services.installation.trusted_proxies

    def answered(self, request: Request, response: Response | StreamedResponse, seconds: float) -> None:
        """Count and log a response. Of what the client sent the log shows only what is known here: anything else may
        hold a secret."""
        route = request.route or NO_ROUTE
        # Refusals of unknown callers are counted together, or a client that tries every path and method grows the
        # metrics.
        is_known = request.principal is not None or response.status < REFUSED
        self._services.requests.count(request.method, route if is_known else NO_ROUTE, response.status, seconds)
        principal, event = request.principal, dict(response.headers).get(EVENT_HEADER)
        may_be_traced = TRACEPARENT in request.head.named or self._services.traces is not None
        (log.debug if route in QUIET_ROUTES else log.info)(
            "request",
            request=request.id,
            method=request.method,
            route=route,
            status=response.status,
            ms=round(seconds * 1000, 1),
            key=None if principal is None else principal.name,
            key_id=None if principal is None else principal.key_id,
            tenant=request.tenant,
            source=request.source(self._proxies),
            event=event,
            **(self._traced(request, route, response.status, seconds, event) if may_be_traced else _NOT_TRACED),
        )

    def _traced(
        self, request: Request, route: str, status: int, seconds: float, event: str | None
    ) -> Mapping[str, str]:
        """Have a span made of a request that is traced. Returns what its line in the log says of that."""
        context, traces = parse(request.header(TRACEPARENT)), self._services.traces
        if traces is not None:
            context = traces.context_of(context, event)
        if not is_sampled(context):
            return _NOT_TRACED
        if traces is not None and _has_span(request, status):
            traces.requested(context, request.span, request.method, route, status, seconds)
        return {"trace": context[:16].hex(), "span": request.id}

    def refused(self, request: Request, error: EndedKey | Forbidden | NotFound) -> None:
        """Note for the audit what a known key was refused."""
        caller: Principal | ApiKey | None = error.key if isinstance(error, EndedKey) else request.principal
        if caller is None or request.tenant is not None:
            return  # the caller is unknown, or the call was let through and then found that something is not there
        tenant = None if caller.tenant_id is None else self._services.directory.tenant_with(caller.tenant_id)
        if tenant is None and not isinstance(error, EndedKey):
            return  # an operator who mistyped the tenant's name
        actor = Actor(
            kind=caller.kind if isinstance(caller, Principal) else "key",
            id=caller.id,
            name=caller.name,
            role=caller.role,
            source=request.source(self._proxies),
            request=request.id,
        )
        tenant_id = FIRST_TENANT if tenant is None else tenant.id
        self._services.engine.maintenance.refused_calls.note(
            RefusedCall(tenant_id, actor, error.code, f"{request.method} {request.route}")
        )


def _has_span(request: Request, status: int) -> bool:
    """Whether a request that is traced has a span: not those of strangers, who could fill the queue of spans."""
    return request.principal is not None or (status < REFUSED and request.route in _LINKS)
