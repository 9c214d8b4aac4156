"""The application: what happens to every request, from its path to the line in the log."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from functools import partial
from time import thread_time
from typing import Any, Final, NamedTuple, cast

from msgspec import Struct
from msgspec.json import encode
from msgspec.structs import replace

from signalpost.api.guards.callers import caller_of
from signalpost.api.guards.principals import EndedKey, Principal
from signalpost.api.http.large_answers import LARGE_ANSWER_BYTES, leave_room, take_room
from signalpost.api.http.problems import problem
from signalpost.api.http.request import Request
from signalpost.api.http.response import Json, Response, StreamedResponse, answer_to
from signalpost.api.rendering import asked, respond
from signalpost.api.request_notes import REFUSED, RequestNotes
from signalpost.api.routing.authorization import authorize
from signalpost.api.routing.context import TENANT, NeedsLoop, NotYet, RequestContext
from signalpost.api.routing.deprecation import Deprecation
from signalpost.api.routing.description import Description
from signalpost.api.routing.path_table import PathTable
from signalpost.api.routing.route import OPERATOR, OneChange, OpenRoute, Route
from signalpost.api.routing.services import Services
from signalpost.commands.command import BaseCommand, Command
from signalpost.domain.access.tenant_limits import TenantLimits
from signalpost.domain.errors import (
    CallerError,
    Conflict,
    DiskNearlyFull,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    OutcomeUnknown,
    TooMany,
    Unavailable,
)
from signalpost.listener.application import Answer, ArrivingBody, Head, Steps, answer_of
from signalpost.runtime.logger import log
from signalpost.runtime.own_time import OwnTime
from signalpost.sharing.loop_shares import REFUSAL
from signalpost.sharing.shares import NOBODY, Caller

OPERATORS_LEAST: Final = 20
"""How many requests a second an operator may make in a tenant that may make fewer: a page of the console makes ten."""
_ESCAPED_SLASH = re.compile(rb"%2f", re.IGNORECASE)
"""An escaped slash. No id here has one; decoded, it would lead to another path."""

Handling = Generator[Awaitable[Any], Any, Response | StreamedResponse]
"""How a request comes to its response; yields what it has to wait for (`listener/application.py`)."""
Handler = Callable[[Request], Handling]


class _Entry(NamedTuple):
    """What answers a method of a path."""

    handler: Handler
    is_timed: bool = False
    """Whether what its requests take of the event loop's time counts against their tenants' shares of it."""


class _Resource(NamedTuple):
    """What stands under one path."""

    path: str
    entries: Mapping[str, _Entry]
    """The entry of each method."""


class Api:
    """The routes on these services. It neither starts nor stops them."""

    def __init__(self, services: Services, routes: Sequence[Route], open_routes: Sequence[OpenRoute]) -> None:
        self.services = services
        self._notes = RequestNotes(services)
        self._routes = {route.name: route for route in routes}
        entries: dict[str, dict[str, _Entry]] = {}
        for route in routes:
            handler: Handler = partial(self._call_with_key, route)
            if route.deprecation is not None:
                handler = partial(_announcing, route.deprecation, handler)
            entries.setdefault(route.path, {})[route.method] = _Entry(handler, route.is_timed)
        for open_route in open_routes:
            handler = partial(_waited_for, partial(open_route.handler, services))
            entries.setdefault(open_route.path, {})[open_route.method] = _Entry(handler)
        if routes:
            description = Description(routes, open_routes)
            entries["/openapi.json"] = {"GET": _Entry(partial(_waited_for, description.show_openapi))}
            entries["/docs"] = {"GET": _Entry(partial(_waited_for, description.show_page))}
        for of_path in entries.values():
            if "GET" in of_path:
                of_path["HEAD"] = of_path["GET"]
        self._paths = PathTable({path: _Resource(path, of_path) for path, of_path in entries.items()})

    def __call__(self, head: Head, body: ArrivingBody) -> Steps:
        request = Request(head, body)
        resource = self._resource_of(request)
        entry = None if resource is None else resource.entries.get(request.method)
        request.is_timed = entry is not None and entry.is_timed
        steps = self._answer(request, partial(self._dispatch, resource, entry))
        return self._timed(request, steps) if request.is_timed else steps

    def _resource_of(self, request: Request) -> _Resource | None:
        """What stands under the path of a request, whose parameters it is given; None for nothing."""
        raw = request.head.raw_path
        found = None if b"%" in raw and _ESCAPED_SLASH.search(raw) else self._paths.find(request.own_path)
        if found is None:
            return None
        resource, request.path_params = found
        return resource

    def route(self, name: str) -> Route:
        """The entry of the route table for the call of this name."""
        return self._routes[name]

    async def call(self, name: str, principal: Principal, request: Request) -> Response | StreamedResponse:
        """Make the call of this name for a person who has signed in otherwise than with a key in a header. What goes
        wrong is answered as a problem."""
        try:
            response: Response | StreamedResponse = await answer_of(
                self._respond(request, partial(self._call, self._routes[name], principal))
            )
        finally:
            self._give_back(request)
        return response

    async def read(self, name: str, principal: Principal, request: Request) -> Response:
        """Make a call on the thread that reads: it waits for nothing but the store, and who asks holds a place already.
        Raises NeedsLoop unless it is simply answered, for the call to be made with all that is due then."""
        route, directory = self._routes[name], self.services.directory
        assert not isinstance(route.handler, OneChange), "this call changes something"
        request.principal = principal
        try:
            tenant = authorize(route, principal, request.header(TENANT), request.path_params, directory)
            limits = directory.limits_of(tenant.id)
            if limits is not None and limits.requests_per_second is not None:
                raise NeedsLoop  # which counts them
            if route.shows_configuration and not self.services.engine.knows(tenant.id):
                raise NeedsLoop
            request.tenant = tenant.name
            context = RequestContext(
                request, self.services, principal, tenant, route.query, None, changes_tenant=False, is_on_loop=False
            )
            answered = _answered(route, await route.handler(context))
        except (CallerError, Unavailable):
            raise NeedsLoop from None
        assert isinstance(answered, Response), "what is streamed is not read at once"
        return answered

    def _answer(self, request: Request, handle: Handler) -> Steps:
        """The life of a request, from its head to its answer."""
        started = time.perf_counter()
        try:
            response = yield from self._respond(request, handle)
        except BaseException:
            self._give_back(request)
            raise
        if request.large_body is not None and response.status < REFUSED:
            size, read_at = request.large_body
            self.services.body_reader.answered(size, asyncio.get_running_loop().time() - read_at)
        if isinstance(response, Response) and len(response.body) > LARGE_ANSWER_BYTES:
            try:
                take_room(request, self.services.limits)
            except TooMany as refused:
                response = problem(refused, request.id)
        self._notes.answered(request, response, time.perf_counter() - started)
        if request.has_room or isinstance(response, StreamedResponse):
            turn = partial(self.services.engine.turns.turn, _holder(request))
            at_end = partial(self._end_long_answer, request, response, started)
            return answer_to(response, request.id, turn, at_end)
        self._give_back(request)
        return answer_to(response, request.id)

    def _end_long_answer(self, request: Request, response: Response | StreamedResponse, started: float) -> None:
        self._give_back(request)
        if isinstance(response, StreamedResponse):
            log.info("answer ended", request=request.id, ms=round((time.perf_counter() - started) * 1000, 1))

    def _give_back(self, request: Request) -> None:
        """Give back the request's share of those at work, and of the large answers."""
        leave_room(request, self.services.limits)
        if request.caller is not None:
            self.services.limits.at_work.give_back(request.caller)

    def _timed(self, request: Request, steps: Steps) -> Steps:
        """The same steps. What they take of the event loop's time counts against the share of the tenant."""
        seconds = 0.0
        step: Callable[[], Awaitable[Any]] = partial(next, steps)
        try:
            while True:
                begun = thread_time()
                try:
                    awaited = step()
                except StopIteration as ended:
                    return cast(Answer, ended.value)
                finally:
                    seconds += thread_time() - begun
                timed = OwnTime(awaited)
                try:
                    result = yield timed
                except BaseException as error:  # whatever it is: it is for the steps, as a cancellation is
                    step = partial(steps.throw, error)
                else:
                    step = partial(steps.send, result)
                finally:
                    seconds += timed.seconds
        finally:
            if request.caller is not None:
                self.services.limits.loop.end(request.caller.group, seconds)

    def _respond(self, request: Request, handle: Handler) -> Handling:
        """Everything that goes wrong is answered as a problem."""
        try:
            return (yield from handle(request))
        except CallerError as error:
            if isinstance(error, EndedKey | Forbidden | NotFound):
                self._notes.refused(request, error)
            yield self._refuse_in_turn(request)
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

    def _dispatch(self, resource: _Resource | None, entry: _Entry | None, request: Request) -> Handling:
        """Has what stands under the path of a request answer it. Raises what the listener refused it with, NotFound and
        MethodNotAllowed."""
        if request.head.refusal is not None:
            raise request.head.refusal
        if resource is None:
            raise NotFound("no_such_path", f"The API has no path {request.path[:200]}.")
        request.route = resource.path
        if entry is None:
            raise MethodNotAllowed(sorted(resource.entries))
        return entry.handler(request)

    async def _refuse_in_turn(self, request: Request) -> None:
        """Have a refusal wait, since a refused client may ask again at once. What commits nothing is measured in any
        case; of what would have, reading its body is."""
        limits, principal = self.services.limits, request.principal
        if principal is None:
            await limits.strangers.turn()
        elif request.caller is None or not request.is_timed:
            caller = request.caller or caller_of(principal, principal.tenant_id or NOBODY)
            await limits.loop.pay(caller, REFUSAL + request.refused_body_seconds)

    def _call_with_key(self, route: Route, request: Request) -> Handling:
        principal = self.services.principals.at_once(request.header(b"authorization"))
        if principal is None or route.shows_configuration:
            return self._call_after_look(route, principal, request)
        return self._call(route, principal, request)

    def _call_after_look(self, route: Route, principal: Principal | None, request: Request) -> Handling:
        """A call of which this node may not know enough yet: other nodes may have changed what it needs."""
        lookout = self.services.engine.lookout
        if principal is None:
            yield lookout.be_recent()
            principal = yield self.services.principals.of(request.header(b"authorization"))
            assert principal is not None
        if route.shows_configuration:
            yield lookout.look()  # the call finds what any node had changed by now
        return (yield from self._call(route, principal, request))

    def _call(self, route: Route, principal: Principal, request: Request) -> Handling:
        """One call of the route table, step by step. Where many are refused, each waits before it learns so."""
        services = self.services
        request.principal = principal
        named, directory = request.header(TENANT), services.directory
        try:
            tenant = authorize(route, principal, named, request.path_params, directory)
        except (NotFound, Conflict):
            yield services.engine.lookout.next_look()  # another node may have made or resumed it a moment ago
            tenant = authorize(route, principal, named, request.path_params, directory)
        if route.shows_configuration:
            yield services.engine.know(tenant.id)
        request.tenant = tenant.name
        caller = caller_of(principal, tenant.id)
        if not services.limits.at_work.take(caller):
            yield services.limits.over_share.turn()
            raise _too_many_requests()
        request.caller = caller
        try:
            if (limits := services.directory.limits_of(tenant.id)) is not None:
                self._count_request(route, caller, limits)
            if route.intake is not None:
                services.engine.check_queue(tenant.id, route.intake, services.limits.max_waiting)
        except TooMany:
            yield services.limits.refusals.turn()
            raise
        services.limits.loop.note_call(tenant.id)
        if request.is_timed:
            yield services.limits.loop.turn(caller.group)
        context = RequestContext(
            request, services, principal, tenant, route.query, route.body, changes_tenant=route.changes_tenant
        )
        handler = route.handler
        if isinstance(handler, OneChange):
            response = yield from self._changed(context, handler.command)
        else:
            answer: Struct | None = yield handler(context)
            if not isinstance(answer, BaseCommand):
                return _answered(route, answer)
            command = cast(Command[Any], answer)
            response = yield from self._changed(context, lambda _: command)
        return response if route.complete is None else (yield route.complete(context, response))

    def _changed(
        self, context: RequestContext, make: Callable[[RequestContext], Command[Any]]
    ) -> Generator[Awaitable[Any], Any, Response]:
        """The response to a call whose answer is the result of one change."""
        engine, command = self.services.engine, None
        while command is None:
            try:
                command = make(context)
            except NotYet as not_yet:
                yield not_yet.waits_for()
        try:
            outcome = yield engine.begin(asked(context, command))
        except DiskNearlyFull:
            yield engine.disk.look()
            raise
        return respond(outcome, self.services.links)

    def _count_request(self, route: Route, caller: Caller, limits: TenantLimits) -> None:
        """Raises TooMany if as many requests were sent in this second as may be, by the tenant or by an operator in
        it. Calls that only operators may make are not counted, because an operator may have to raise the limit."""
        most = limits.requests_per_second
        if most is not None and route.roles != OPERATOR:
            group, *own = caller.holders
            self.services.limits.rates.take(group, most if own else max(most, OPERATORS_LEAST))


def _answered(route: Route, shown: Struct | None) -> Response | StreamedResponse:
    """The response to a call whose handler shows this."""
    if isinstance(shown, Response | StreamedResponse):
        return shown
    if shown is None:
        return Response(route.statuses[None])
    return Response(route.statuses[type(shown)], shown.body if isinstance(shown, Json) else encode(shown))


def _waited_for(handler: Callable[[Request], Awaitable[Response | StreamedResponse]], request: Request) -> Handling:
    response: Response | StreamedResponse = yield handler(request)
    return response


def _announcing(deprecation: Deprecation, handler: Handler, request: Request) -> Handling:
    """A call that is deprecated: its answers say so."""
    response = yield from handler(request)
    return replace(response, headers=(*response.headers, *deprecation.headers))


def _holder(request: Request) -> int:
    """The holder of the turns at the loop that a request takes: its tenant, or `NOBODY`."""
    return NOBODY if request.caller is None else request.caller.tenant_id


def _too_many_requests() -> TooMany:
    detail = "This key has too many requests in progress. Wait for some of their answers."
    return TooMany("too_many_requests", detail, retry_after=1)
