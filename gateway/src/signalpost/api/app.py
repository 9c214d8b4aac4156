"""The ASGI application: from a request to a handler of the route table, and from its answer or error to a response."""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from signalpost.api import problems
from signalpost.api.call import Call
from signalpost.api.docs_page import render
from signalpost.api.openapi import describe
from signalpost.api.principals import Principal
from signalpost.api.route import OpenRoute, Route
from signalpost.api.routes import QUIET_ROUTES
from signalpost.api.services import Services
from signalpost.domain.batch import EVENT_HEADER, Answer
from signalpost.domain.errors import CallerError, MethodNotAllowed, NotFound, OutcomeUnknown, Unavailable

TENANT = "signalpost-tenant"
DEFAULT_TENANT = "default"
NO_ROUTE = "none"
log = structlog.get_logger()

Endpoint = Callable[[Request, str], Awaitable[Response]]
"""Takes the request's id as well."""
Resource = Callable[[Request], Awaitable[Response]]
"""What answers every method of one path."""
_ALWAYS_CURRENT = {"cache-control": "no-cache"}
"""For what changes with the version that runs."""
_DOCS_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page is one piece: it loads nothing, least of all from elsewhere."""


def build_app(services: Services, routes: Sequence[Route], open_routes: Sequence[OpenRoute]) -> ASGIApp:
    """These routes on these services. It neither starts nor stops them."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method] = _endpoint(route, services)
    for open_route in open_routes:
        paths[open_route.path] = {"GET": _open_endpoint(open_route, services)}
    if routes:
        paths |= _description(routes, open_routes)
    find = _finder({path: _by_method(path, endpoints, services) for path, endpoints in paths.items()})
    no_route = _no_route(services)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"Signalpost answers HTTP requests, no {scope['type']}.")
        resource, scope["path_params"] = find(scope["path"].removeprefix(scope.get("root_path", ""))) or (no_route, {})
        response = await resource(Request(scope, receive))
        await response(scope, receive, send)

    return app


def _finder(resources: Mapping[str, Resource]) -> Callable[[str], tuple[Resource, dict[str, str]] | None]:
    """Finds the resource of a path, with the path's parameters. A path without any goes before a pattern that fits."""
    plain = {path: (resource, dict[str, str]()) for path, resource in resources.items() if "{" not in path}
    patterns = [
        (re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path)), resource)
        for path, resource in resources.items()
        if path not in plain
    ]

    def find(path: str) -> tuple[Resource, dict[str, str]] | None:
        if (found := plain.get(path)) is not None:
            return found
        for pattern, resource in patterns:
            if (match := pattern.fullmatch(path)) is not None:
                return resource, match.groupdict()
        return None

    return find


def _endpoint(route: Route, services: Services) -> Endpoint:
    async def endpoint(request: Request, request_id: str) -> Response:
        principal = services.principals.of(request.headers.get("authorization"))
        principal.must_be(route.roles)
        tenant = request.headers.get(TENANT, DEFAULT_TENANT)
        tenant_id = services.engine.tenant_id(tenant)
        request.state.principal = principal
        if tenant_id is None:
            raise NotFound("tenant_not_found", f"There is no such tenant; the header `{TENANT}` names one.")
        request.state.tenant = tenant
        call = Call(request, services, principal, tenant_id, request_id, route.query, route.body)
        answer = await route.handler(call)
        return answer if isinstance(answer, Response) else _response(answer)

    return endpoint


def _open_endpoint(route: OpenRoute, services: Services) -> Endpoint:
    async def endpoint(_request: Request, _request_id: str) -> Response:
        return _response(await route.handler(services))

    return endpoint


def _description(routes: Sequence[Route], open_routes: Sequence[OpenRoute]) -> dict[str, dict[str, Endpoint]]:
    """What says what the API takes and answers, for programs and for people."""
    described = describe(routes, open_routes)
    document, page = msgspec.json.encode(described), render(described)

    async def openapi(_request: Request, _request_id: str) -> Response:
        return Response(document, media_type="application/json", headers=_ALWAYS_CURRENT)

    async def docs(_request: Request, _request_id: str) -> Response:
        headers = {"content-security-policy": _DOCS_POLICY, **_ALWAYS_CURRENT}
        return Response(page, media_type="text/html", headers=headers)

    return {"/openapi.json": {"GET": openapi}, "/docs": {"GET": docs}}


def _by_method(path: str, endpoints: dict[str, Endpoint], services: Services) -> Resource:
    """One path's endpoint: finds the method's, and turns every error into a problem."""
    if "GET" in endpoints:
        endpoints = {**endpoints, "HEAD": endpoints["GET"]}
    allow = sorted(endpoints)

    async def endpoint(request: Request) -> Response:
        started = time.perf_counter()
        request_id = _request_id()
        try:
            handle = endpoints.get(request.method)
            if handle is None:
                raise MethodNotAllowed("method_not_allowed", f"This path takes {', '.join(allow)}.", allow=allow)
            response = await handle(request, request_id)
        except CallerError as error:
            response = problems.caller_problem(error, request_id)
        except Unavailable as error:
            response = problems.unavailable_problem(error, request_id)
        except asyncio.CancelledError:
            # The server waits no longer for it at a stop; what it asked for may still be committed.
            stopped = OutcomeUnknown("Signalpost is stopping. Repeat the request with the same Idempotency-Key.")
            response = problems.unavailable_problem(stopped, request_id)
        except Exception:
            log.exception("request failed", request=request_id)
            response = problems.defect_problem(request_id)
        return _finished(services, request, path, request_id, response, started)

    return endpoint


def _no_route(services: Services) -> Resource:
    async def endpoint(request: Request) -> Response:
        started, request_id = time.perf_counter(), _request_id()
        error = NotFound("no_such_path", f"The API has no path {request.scope['path'][:200]}.")
        response = problems.caller_problem(error, request_id)
        return _finished(services, request, NO_ROUTE, request_id, response, started)

    return endpoint


def _finished(
    services: Services, request: Request, route: str, request_id: str, response: Response, started: float
) -> Response:
    """Every answer passes here: it is counted and logged. Of what the client sent only what is known here is shown:
    anything else may hold a secret."""
    response.headers["request-id"] = request_id
    seconds = time.perf_counter() - started
    services.requests.count(request.method, route, response.status_code, seconds)
    principal: Principal | None = getattr(request.state, "principal", None)
    log.log(
        logging.DEBUG if route in QUIET_ROUTES else logging.INFO,
        "request",
        request=request_id,
        method=request.method,
        route=route,
        status=response.status_code,
        ms=round(seconds * 1000, 1),
        key=None if principal is None else principal.name,
        key_id=None if principal is None else principal.key_id,
        tenant=getattr(request.state, "tenant", None),
        event_id=response.headers.get(EVENT_HEADER),
    )
    return response


def _request_id() -> str:
    return secrets.token_hex(8)


def _response(answer: Answer) -> Response:
    media_type = "application/json" if answer.body else None
    return Response(answer.body, answer.status, dict(answer.headers), media_type)
