"""Calls of the API from a page, within the process, with the rights of the person who is signed in: the same checks,
roles, audit and answers."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from time import thread_time
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import UNSET

from signalpost.api.app import Api
from signalpost.api.guards.principals import Principal
from signalpost.api.http.request import Request
from signalpost.api.http.response import Response, StreamedResponse
from signalpost.api.routing.context import TENANT, NeedsLoop
from signalpost.api.routing.shapes.service import BadField, Problem
from signalpost.domain.errors import Unavailable
from signalpost.listener.application import ArrivingBody, Head, WholeBody
from signalpost.runtime.own_time import add_to_own_time, on_thread

Shape = TypeVar("Shape")
T = TypeVar("T")
MADE_AT_ONCE: Final = 64 * 1024
"""Bytes of an answer up to which the event loop reads it: that takes some 0.1 ms."""
_PASSED_ON = (b"x-forwarded-for", b"user-agent", b"last-event-id")
"""Headers of the page's request that its calls carry too."""


class CallFailed(Exception):
    """A call was refused, for the reason that its problem says."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def refused(status: int, title: str, detail: str, code: str, errors: Sequence[BadField] = ()) -> CallFailed:
    """What a page refuses by itself, without a call."""
    return CallFailed(
        Problem(
            type="about:blank",
            title=title,
            status=status,
            detail=detail,
            code=code,
            request_id="",
            errors=[*errors] or UNSET,
        )
    )


def invalid(errors: Sequence[BadField], detail: str = "Some fields cannot be read.") -> CallFailed:
    return refused(422, "Invalid fields", detail, "invalid", errors)


class Calls:
    """Calls that one page makes."""

    def __init__(self, api: Api, page: Request, principal: Principal, tenant: str) -> None:
        """`page` is the request of the page."""
        self._api = api
        self._page = page
        self._principal = principal
        self._tenant = tenant

    async def reading(self, asking: Callable[["Calls"], Coroutine[Any, Any, T]], *, in_turn: bool = False) -> T:
        """The result of a coroutine that waits for nothing but these calls, all of which wait for nothing but the
        store: it runs on the thread that reads, in turn if it may read megabytes. What has more to do there, such as a
        refusal, is all asked for once more on the event loop."""
        services = self._api.services
        ask = partial(asking, _ReadingCalls(self._api, self._page, self._principal, self._tenant))
        try:
            if in_turn and (tenant := services.directory.tenant(self._tenant)) is not None:
                return await services.store.reading_in_turn(tenant.id, ask)
            return await services.store.reading(ask)
        except (NeedsLoop, Unavailable):
            return await asking(self)

    async def read(
        self, name: str, shape: type[Shape], /, query: Mapping[str, str | None] | None = None, **path: str
    ) -> Shape:
        """The answer of a call that reads. Parameters that are None or empty are left out. Raises CallFailed."""
        return await self.read_as(name, partial(msgspec.json.decode, type=shape), query, **path)

    async def read_as(
        self, name: str, made: Callable[[bytes], T], /, query: Mapping[str, str | None] | None = None, **path: str
    ) -> T:
        """The same, made of the bytes of the answer: on a thread if they are many. Raises CallFailed."""
        given = [(each, value) for each, value in (query or {}).items() if value]
        answer = (await self._make(name, path, given=given)).body
        return (
            made(answer)
            if len(answer) <= MADE_AT_ONCE
            else await on_thread(self._api.services.off_loop, partial(made, answer))
        )

    async def read_version(self, name: str, shape: type[Shape], /, **path: str) -> tuple[Shape, str]:
        """What a call reads, and which version of it that is, for the `if_match` of a change. Raises CallFailed."""
        response = await self._make(name, path)
        return msgspec.json.decode(response.body, type=shape), dict(response.headers)["etag"]

    async def change(
        self,
        name: str,
        /,
        body: Any = None,
        *,
        key: str | None = None,
        if_match: str | None = None,
        query: Mapping[str, str] | None = None,
        **path: str,
    ) -> bytes:
        """Make a call that changes something. Returns the body of its answer. `key` is its `Idempotency-Key`. Raises
        CallFailed."""
        headers = [(b"content-type", b"application/json")] if body is not None else []
        if key:
            headers.append((b"idempotency-key", key.encode("latin-1", "replace")))
        if if_match:
            headers.append((b"if-match", if_match.encode("latin-1", "replace")))
        content = b"" if body is None else msgspec.json.encode(body)
        return (await self._make(name, path, urlencode(query or {}).encode(), content, headers)).body

    async def stream(self, name: str, query: bytes) -> StreamedResponse | Response:
        """The answer of a call that streams, until the page's client is gone. Raises CallFailed."""
        response = await self._api.call(name, self._principal, self._request(name, {}, query, self._page.body))
        if isinstance(response, Response) and response.status >= 400:
            _refuse(response)
        return response

    async def _make(
        self,
        name: str,
        path: Mapping[str, str],
        query: bytes = b"",
        body: bytes = b"",
        headers: Sequence[tuple[bytes, bytes]] = (),
        given: Sequence[tuple[str, str]] = (),
    ) -> Response:
        """`given` are the parameters of a query that need not be written and read again."""
        whole = WholeBody(body, self._page.body.gone)
        request = self._request(name, path, query, whole, len(body), headers, given)
        response = await self._ask(name, request)
        assert isinstance(response, Response), "streamed answers are for `stream`"
        if response.status >= 400:
            _refuse(response)
        return response

    async def _ask(self, name: str, request: Request) -> Response | StreamedResponse:
        return await self._api.call(name, self._principal, request)

    def _request(
        self,
        name: str,
        path: Mapping[str, str],
        query: bytes,
        body: ArrivingBody,
        length: int = 0,
        headers: Sequence[tuple[bytes, bytes]] = (),
        given: Sequence[tuple[str, str]] = (),
    ) -> Request:
        route, page = self._api.route(name), self._page.head
        target = route.path.format_map({each: quote(value, safe="") for each, value in path.items()})
        passed_on = [line for line in page.headers if line[0] in _PASSED_ON]
        lines = [(TENANT, self._tenant.encode()), *headers, *passed_on]
        head = Head(
            method=route.method,
            path=target,
            raw_path=target.encode(),
            query=query,
            headers=lines,
            named={name: value.decode("latin-1") for name, value in reversed(lines)},
            length=length,
            client=page.client,
        )
        request = Request(head, body, given)
        request.path_params = dict(path)
        request.route = route.path
        return request


class _ReadingCalls(Calls):
    """The same on the thread that reads. Raises NeedsLoop if there is more to do than to answer."""

    async def reading(self, asking: Callable[[Calls], Coroutine[Any, Any, T]], *, in_turn: bool = False) -> T:
        return await asking(self)

    async def read_as(
        self, name: str, made: Callable[[bytes], T], /, query: Mapping[str, str | None] | None = None, **path: str
    ) -> T:
        given = [(each, value) for each, value in (query or {}).items() if value]
        answer = (await self._make(name, path, given=given)).body
        begun = thread_time()
        try:
            return made(answer)
        finally:
            add_to_own_time(thread_time() - begun)

    async def _ask(self, name: str, request: Request) -> Response:
        return await self._api.read(name, self._principal, request)


def _refuse(response: Response) -> NoReturn:
    raise CallFailed(msgspec.json.decode(response.body, type=Problem))
