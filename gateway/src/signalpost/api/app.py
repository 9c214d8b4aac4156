"""The ASGI application: from a request to a handler of the route table, and from its answer or error to a response."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from signalpost.api.http import problems
from signalpost.api.http.request import Request
from signalpost.api.http.response import CONTENT_TYPE, Response, Streamed, send_response
from signalpost.api.rendering import EVENT_HEADER
from signalpost.api.routes import QUIET_ROUTES
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.docs_page import render
from signalpost.api.routing.openapi import describe
from signalpost.api.routing.route import OpenRoute, Route
from signalpost.api.routing.services import Services
from signalpost.domain.errors import CallerError, MethodNotAllowed, NotFound, OutcomeUnknown, TooMany, Unavailable
from signalpost.runtime.asgi import REFUSAL, App, Receive, Scope, Send
from signalpost.runtime.logger import log

TENANT = b"signalpost-tenant"
DEFAULT_TENANT = "default"
NO_ROUTE = "none"

Endpoint = Callable[[Request], Awaitable[Response | Streamed]]
Resource = Endpoint
"""What answers every method of one path, and raises nothing."""
_ESCAPED_SLASH = re.compile(rb"%2f", re.IGNORECASE)
"""Part of an id that is none here; in the decoded path it would lead to another one."""
_ALWAYS_CURRENT = ("cache-control", "no-cache")
"""For what changes with the version that runs."""
_DOCS_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page is one piece: it loads nothing, least of all from elsewhere."""


def build_app(services: Services, routes: Sequence[Route], open_routes: Sequence[OpenRoute]) -> App:
    """These routes on these services. It neither starts nor stops them."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method] = _endpoint(route, services)
    for open_route in open_routes:
        paths[open_route.path] = {"GET": _open_endpoint(open_route, services)}
    if routes:
        paths |= _description(routes, open_routes)
    find = _finder({path: _by_method(path, endpoints, services) for path, endpoints in paths.items()})
    no_route, refused = _no_route(services), _refused(services)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"Signalpost answers HTTP requests, no {scope['type']}.")
        started = time.perf_counter()
        request = Request(scope, receive)
        if REFUSAL in scope:
            await send_response(refused(request, scope[REFUSAL]), request.id, send)
            return
        found = None
        if not _ESCAPED_SLASH.search(scope.get("raw_path") or b""):
            found = find(request.path.removeprefix(scope.get("root_path", "")))
        resource, request.path_params = found or (no_route, {})
        answer = await resource(request)
        await send_response(answer, request.id, send)
        if isinstance(answer, Streamed):
            log.info("answer ended", request=request.id, ms=_ms(time.perf_counter() - started))

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
    intake = route.intake

    async def endpoint(request: Request) -> Response | Streamed:
        principal = request.principal = services.principals.of(request.header(b"authorization"))
        principal.must_be(route.roles)
        given = request.header(TENANT)
        tenant = DEFAULT_TENANT if given is None else given
        tenant_id = services.engine.tenant_id(tenant)
        if tenant_id is None:
            raise NotFound("tenant_not_found", f"There is no such tenant; the header `{TENANT.decode()}` names one.")
        request.tenant = tenant
        if intake is not None:
            try:
                services.engine.check_intake(tenant_id, intake, services.waiting_most)  # before the body is read
            except TooMany:
                await services.refusals.turn()
                raise
        return await route.handler(RequestContext(request, services, principal, tenant_id, route.query, route.body))

    return endpoint


def _open_endpoint(route: OpenRoute, services: Services) -> Endpoint:
    async def endpoint(request: Request) -> Response | Streamed:
        return await route.handler(services, request)

    return endpoint


def _description(routes: Sequence[Route], open_routes: Sequence[OpenRoute]) -> dict[str, dict[str, Endpoint]]:
    """What says what the API takes and answers, for programs and for people."""
    described = describe(routes, open_routes)
    document = Response(200, msgspec.json.encode(described), (_ALWAYS_CURRENT,))
    page_headers = ((CONTENT_TYPE, "text/html; charset=utf-8"), ("content-security-policy", _DOCS_POLICY))
    page = Response(200, render(described).encode(), (*page_headers, _ALWAYS_CURRENT))

    async def openapi(_request: Request) -> Response:
        return document

    async def docs(_request: Request) -> Response:
        return page

    return {"/openapi.json": {"GET": openapi}, "/docs": {"GET": docs}}


def _by_method(path: str, endpoints: dict[str, Endpoint], services: Services) -> Resource:
    """One path's endpoint: finds the method's, and turns every error into a problem."""
    if "GET" in endpoints:
        endpoints = {**endpoints, "HEAD": endpoints["GET"]}
    allow = sorted(endpoints)

    async def endpoint(request: Request) -> Response | Streamed:
        started = time.perf_counter()
        answer: Response | Streamed
        try:
            handle = endpoints.get(request.method)
            if handle is None:
                raise MethodNotAllowed(allow)
            answer = await handle(request)
        except (CallerError, Unavailable) as error:
            answer = problems.problem(error, request.id)
        except asyncio.CancelledError:
            # The server waits no longer for it at a stop; what it asked for may still be committed.
            stopped = OutcomeUnknown("Signalpost is stopping. Repeat the request with the same Idempotency-Key.")
            answer = problems.problem(stopped, request.id)
        except Exception as error:
            log.exception("request failed", request=request.id)
            answer = problems.problem(error, request.id)
        _note(services, request, path, answer, started)
        return answer

    return endpoint


def _no_route(services: Services) -> Resource:
    async def endpoint(request: Request) -> Response:
        started = time.perf_counter()
        error = NotFound("no_such_path", f"The API has no path {request.path[:200]}.")
        answer = problems.problem(error, request.id)
        _note(services, request, NO_ROUTE, answer, started)
        return answer

    return endpoint


def _refused(services: Services) -> Callable[[Request, CallerError | Unavailable], Response]:
    def endpoint(request: Request, refusal: CallerError | Unavailable) -> Response:
        answer = problems.problem(refusal, request.id)
        _note(services, request, NO_ROUTE, answer, time.perf_counter())
        return answer

    return endpoint


def _note(services: Services, request: Request, route: str, answer: Response | Streamed, started: float) -> None:
    """Every answer passes here: it is counted and logged. Of what the client sent only what is known here is shown:
    anything else may hold a secret."""
    seconds = time.perf_counter() - started
    services.requests.count(request.method, route, answer.status, seconds)
    principal = request.principal
    (log.debug if route in QUIET_ROUTES else log.info)(
        "request",
        request=request.id,
        method=request.method,
        route=route,
        status=answer.status,
        ms=_ms(seconds),
        key=None if principal is None else principal.name,
        key_id=None if principal is None else principal.key_id,
        tenant=request.tenant,
        event_id=dict(answer.headers).get(EVENT_HEADER),
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
