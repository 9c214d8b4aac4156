"""The ASGI application: what happens to every request, from its path to the line in the log."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from signalpost.api.http.callers import caller_of
from signalpost.api.http.principals import EndedKey, Principal
from signalpost.api.http.problems import problem
from signalpost.api.http.request import Request
from signalpost.api.http.response import Response, Streamed, send_response
from signalpost.api.rendering import EVENT_HEADER
from signalpost.api.routes import QUIET_ROUTES
from signalpost.api.routing.authorization import authorize
from signalpost.api.routing.context import TENANT, RequestContext
from signalpost.api.routing.description import Description
from signalpost.api.routing.path_table import PathTable
from signalpost.api.routing.route import OPERATOR, OpenRoute, Route
from signalpost.api.routing.services import Services
from signalpost.domain.api_key import FIRST_TENANT, ApiKey
from signalpost.domain.audit import Actor
from signalpost.domain.errors import (
    CallerError,
    Conflict,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    OutcomeUnknown,
    TooMany,
    Unavailable,
)
from signalpost.domain.tenant_limits import TenantLimits
from signalpost.engine.maintenance.refused_calls import RefusedCall
from signalpost.runtime.asgi import Receive, Scope, Send
from signalpost.runtime.logger import log
from signalpost.runtime.own_time import OwnTime
from signalpost.sharing.shares import NOBODY, Caller

LARGE_ANSWER_BYTES: Final = 64 * 1024
"""Above this size an answer counts among those that are held until they are read."""
OPERATORS_LEAST: Final = 20
"""How many requests a second an operator may make in a tenant that may make fewer: a page of the console makes ten."""
READING: Final = frozenset(("GET", "HEAD"))
"""The methods of requests that change nothing."""
NO_ROUTE: Final = "none"
_REFUSED: Final = 400
"""The lowest status of an answer that refuses something."""
"""The route of a request that none fits, in the log and in the metrics."""
_ESCAPED_SLASH = re.compile(rb"%2f", re.IGNORECASE)
"""An escaped slash. No id here has one; decoded, it would lead to another path."""

Handler = Callable[[Request], Awaitable[Response | Streamed]]


class _Resource(NamedTuple):
    """What stands under one path."""

    path: str
    handlers: Mapping[str, Handler]
    """The handler of each method."""


class Api:
    """The routes on these services. It neither starts nor stops them."""

    def __init__(self, services: Services, routes: Sequence[Route], open_routes: Sequence[OpenRoute]) -> None:
        self._services = services
        self._routes = {route.name: route for route in routes}
        handlers: dict[str, dict[str, Handler]] = {}
        for route in routes:
            handlers.setdefault(route.path, {})[route.method] = partial(self._call_with_key, route)
        for open_route in open_routes:
            handlers[open_route.path] = {"GET": partial(open_route.handler, services)}
        if routes:
            description = Description(routes, open_routes)
            handlers["/openapi.json"] = {"GET": description.show_openapi}
            handlers["/docs"] = {"GET": description.show_page}
        for of_path in handlers.values():
            if "GET" in of_path:
                of_path["HEAD"] = of_path["GET"]
        self._paths = PathTable({path: _Resource(path, of_path) for path, of_path in handlers.items()})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"Signalpost answers HTTP requests, no {scope['type']}.")
        started = time.perf_counter()
        request = Request(scope, receive)
        request.is_timed = request.method in READING
        answering = self._answer(request, send, started)
        try:
            await (self._timed(request, answering) if request.is_timed else answering)
        finally:
            if request.caller is not None:
                self._services.limits.at_work.give_back(request.caller)

    async def _timed(self, request: Request, answering: Coroutine[Any, Any, None]) -> None:
        timed = OwnTime(answering)
        try:
            await timed
        finally:
            if request.caller is not None:
                self._services.limits.loop.end(request.caller.group, timed.seconds)

    def route(self, name: str) -> Route:
        """The entry of the route table for the call of this name."""
        return self._routes[name]

    async def call(self, name: str, principal: Principal, request: Request) -> Response | Streamed:
        """Make the call of this name for a person who has signed in otherwise than with a key in a header. What goes
        wrong is answered as a problem."""
        try:
            return await self._respond(request, partial(self._call, self._routes[name], principal))
        finally:
            if request.caller is not None:
                self._services.limits.at_work.give_back(request.caller)

    async def _answer(self, request: Request, send: Send, started: float) -> None:
        response = await self._respond(request, self._dispatch)
        held = None
        if request.large_body is not None and response.status < 400:
            size, read_at = request.large_body
            self._services.body_reader.answered(size, asyncio.get_running_loop().time() - read_at)
        if request.caller is not None and isinstance(response, Response) and len(response.body) > LARGE_ANSWER_BYTES:
            if self._services.limits.large_answers.take(request.caller):
                held = request.caller
            else:
                response = problem(_too_many_answers(), request.id)
        self._note(request, response, time.perf_counter() - started)
        try:
            await send_response(response, request.id, send, partial(self._services.engine.turns.turn, _holder(request)))
        finally:
            if held is not None:
                self._services.limits.large_answers.give_back(held)
        if isinstance(response, Streamed):
            log.info("answer ended", request=request.id, ms=_ms(time.perf_counter() - started))

    async def _respond(self, request: Request, handle: Handler) -> Response | Streamed:
        """Everything that goes wrong is answered as a problem."""
        try:
            return await handle(request)
        except CallerError as error:
            if isinstance(error, EndedKey | Forbidden | NotFound):
                self._tell_refused(request, error)
            await self._refuse_in_turn(request)
            return problem(error, request.id)
        except Unavailable as error:
            return problem(error, request.id)
        except asyncio.CancelledError:
            # The server waits no longer for it at a stop; what it asked for may still be committed.
            stopped = OutcomeUnknown("Signalpost is stopping. Repeat the request with the same Idempotency-Key.")
            return problem(stopped, request.id)
        except Exception as defect:
            log.exception("request failed", request=request.id)
            return problem(defect, request.id)

    def _dispatch(self, request: Request) -> Awaitable[Response | Streamed]:
        """Raises what the listener refused the request with."""
        if request.refusal is not None:
            raise request.refusal
        return self._find(request)(request)

    def _find(self, request: Request) -> Handler:
        """Raises NotFound and MethodNotAllowed."""
        raw = request.raw_path
        found = None if b"%" in raw and _ESCAPED_SLASH.search(raw) else self._paths.find(request.own_path)
        if found is None:
            raise NotFound("no_such_path", f"The API has no path {request.path[:200]}.")
        resource, request.path_params = found
        request.route = resource.path
        handler = resource.handlers.get(request.method)
        if handler is None:
            raise MethodNotAllowed(sorted(resource.handlers))
        return handler

    async def _refuse_in_turn(self, request: Request) -> None:
        """Have a refusal wait, since a refused client may ask again at once. What reads is measured in any case."""
        limits, principal = self._services.limits, request.principal
        if principal is None:
            await limits.strangers.turn()
        elif request.caller is None or not request.is_timed:
            await limits.loop.pay(request.caller or caller_of(principal, principal.tenant_id or NOBODY))

    def _call_with_key(self, route: Route, request: Request) -> Awaitable[Response | Streamed]:
        principal = self._services.principals.at_once(request.header(b"authorization"))
        if principal is None:
            return self._call_with_unknown_key(route, request)
        if route.shows_configuration:
            return self._call_up_to_date(route, principal, request)
        return self._call(route, principal, request)

    async def _call_with_unknown_key(self, route: Route, request: Request) -> Response | Streamed:
        await self._services.engine.lookout.be_recent()
        principal = await self._services.principals.of(request.header(b"authorization"))
        return await self._call_up_to_date(route, principal, request)

    async def _call_up_to_date(self, route: Route, principal: Principal, request: Request) -> Response | Streamed:
        """A call that finds what any node had changed by now."""
        if route.shows_configuration:
            await self._services.engine.lookout.look()
        return await self._call(route, principal, request)

    async def _call(self, route: Route, principal: Principal, request: Request) -> Response | Streamed:
        """One call of the route table, step by step. Where many are refused, each waits before it learns so."""
        services = self._services
        request.principal = principal
        named, directory = request.header(TENANT), services.directory
        try:
            tenant = authorize(route, principal, named, request.path_params, directory)
        except (NotFound, Conflict):
            await services.engine.lookout.next_look()  # another node may have made or resumed it a moment ago
            tenant = authorize(route, principal, named, request.path_params, directory)
        if route.shows_configuration:
            await services.engine.know(tenant.id)
        request.tenant = tenant.name
        caller = caller_of(principal, tenant.id)
        if not services.limits.at_work.take(caller):
            await services.limits.over_share.turn()
            raise _too_many_requests()
        request.caller = caller
        try:
            if (limits := services.directory.limits_of(tenant.id)) is not None:
                self._count_request(route, caller, limits)
            self._check_queue(route, tenant.id)
        except TooMany:
            await services.limits.refusals.turn()
            raise
        services.limits.loop.note_call(tenant.id)
        if request.is_timed:
            await services.limits.loop.turn(caller.group)
        context = RequestContext(
            request, services, principal, tenant, route.query, route.body, changes_tenant=route.changes_tenant
        )
        return await route.handler(context)

    def _count_request(self, route: Route, caller: Caller, limits: TenantLimits) -> None:
        """Raises TooMany if as many requests were sent in this second as may be, by the tenant or by an operator in
        it. Calls that only operators may make are not counted, because an operator may have to raise the limit."""
        most = limits.requests_per_second
        if most is not None and route.roles != OPERATOR:
            group, *own = caller.holders
            self._services.limits.rates.take(group, most if own else max(most, OPERATORS_LEAST))

    def _check_queue(self, route: Route, tenant_id: int) -> None:
        """Refuses a change before its body is read if too many wait. Raises TooMany."""
        if route.intake is not None:
            self._services.engine.check_intake(tenant_id, route.intake, self._services.limits.max_waiting)

    def _tell_refused(self, request: Request, error: EndedKey | Forbidden | NotFound) -> None:
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
            source=request.source(self._services.trusted_proxies),
            request=request.id,
        )
        tenant_id = FIRST_TENANT if tenant is None else tenant.id
        self._services.engine.refused_calls.note(
            RefusedCall(tenant_id, actor, error.code, f"{request.method} {request.route}")
        )

    def _note(self, request: Request, response: Response | Streamed, seconds: float) -> None:
        """Count and log a response. Of what the client sent the log shows only what is known here: anything else may
        hold a secret."""
        route = request.route or NO_ROUTE
        # Refusals of unknown callers are counted together, or a client that tries every path and method grows the
        # metrics.
        is_known = request.principal is not None or response.status < _REFUSED
        self._services.requests.count(request.method, route if is_known else NO_ROUTE, response.status, seconds)
        principal = request.principal
        (log.debug if route in QUIET_ROUTES else log.info)(
            "request",
            request=request.id,
            method=request.method,
            route=route,
            status=response.status,
            ms=_ms(seconds),
            key=None if principal is None else principal.name,
            key_id=None if principal is None else principal.key_id,
            tenant=request.tenant,
            source=request.source(self._services.trusted_proxies),
            event=dict(response.headers).get(EVENT_HEADER),
        )


def _holder(request: Request) -> int:
    """The holder of the turns at the loop that a request takes: its tenant, or `NOBODY`."""
    return NOBODY if request.caller is None else request.caller.tenant_id


def _too_many_requests() -> TooMany:
    detail = "This key has too many requests in progress. Wait for some of their answers."
    return TooMany("too_many_requests", detail, retry_after=1)


def _too_many_answers() -> TooMany:
    detail = "This key has too many large answers that were not read yet. Read them first."
    return TooMany("too_many_answers", detail, retry_after=1)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
