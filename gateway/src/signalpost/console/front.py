"""What holds for all pages for people, the console's and the portal's: who may send what, and what a browser may do
with an answer."""

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, TypeGuard
from urllib.parse import quote

from msgspec.structs import replace

from signalpost.api.http.problems import status_of
from signalpost.api.http.request import Request
from signalpost.api.http.response import Response, StreamedResponse, answer_to
from signalpost.api.routing.services import Services
from signalpost.console.browser import is_own_host, is_same_origin
from signalpost.console.places import Places
from signalpost.console.replies import MIN_ZIPPED, MOUNT, ZIPS, EarlyReply, Replies
from signalpost.domain.errors import Unavailable
from signalpost.listener.application import Answer, ArrivingBody, Head, Steps
from signalpost.runtime.logger import log
from signalpost.runtime.own_time import OwnTime
from signalpost.sharing.shares import NOBODY

POLICY: Final = "content-security-policy"

Route = Callable[[Request, str], Awaitable[tuple[str, Response | StreamedResponse]]]
"""The answer to a request for a path, and which page it is of, for the log and the metrics. Raises EarlyReply and
Unavailable."""


def policy(framed_by: str = "'none'") -> tuple[str, str]:
    """The header that says what a page may load and do, and which pages may show it in a frame."""
    allowed = "script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'"
    trusted = "require-trusted-types-for 'script'; trusted-types console"
    return POLICY, f"default-src 'none'; {allowed}; base-uri 'none'; frame-ancestors {framed_by}; {trusted}"


_SAFE: Final = (
    policy(),
    # `no-referrer` would make the console's own forms come from the origin `null`.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)
"""What every page has that does not say otherwise."""


class Front:
    def __init__(
        self, services: Services, replies: Replies, places: Places, public_urls: Sequence[str], root: str, route: Route
    ) -> None:
        """`public_urls` are where browsers reach the gateway, in addition to this machine's own names and addresses.
        `root` is the path below which `route` has its pages."""
        self._requests = services.requests
        self._replies = replies
        self._places = places
        self._public_urls = public_urls
        self._root = root
        self._route = route

    def __call__(self, head: Head, body: ArrivingBody) -> Steps:
        answer: Answer = yield self._answer(Request(head, body))
        return answer

    async def _answer(self, request: Request) -> Answer:
        MOUNT.set(_mount(request))
        ZIPS.set(_may_be_zipped(request))
        try:
            response = await self._drawn(request)
        except BaseException:
            self._places.leave(request)
            raise
        return answer_to(_with_safe_headers(response), request.id, at_end=partial(self._places.leave, request))

    async def _drawn(self, request: Request) -> Response | StreamedResponse:
        started = time.perf_counter()
        timed = OwnTime(self._respond(request))
        route, response = await timed
        await self._places.pay(request, timed.seconds)
        seconds = time.perf_counter() - started
        self._requests.count(request.method, route, response.status, seconds)
        log.info(
            "page",
            request=request.id,
            method=request.method,
            route=route,
            status=response.status,
            ms=round(seconds * 1000, 1),
            key=None if request.principal is None else request.principal.name,
        )
        if _is_to_be_zipped(response):
            tenant_id = NOBODY if request.caller is None else request.caller.tenant_id
            response = await self._replies.zipped(response, tenant_id)
        return response

    async def _respond(self, request: Request) -> tuple[str, Response | StreamedResponse]:
        path = request.own_path.rstrip("/") or self._root
        try:
            self._check(request)
            await self._places.take(request)
            return await self._route(request, path)
        except EarlyReply as reply:
            return self._root, reply.response
        except Unavailable as unavailable:
            return self._root, self._replies.error(503, "Not now", str(unavailable))
        except Exception as defect:
            log.exception("page failed", request=request.id, error=type(defect).__name__)
            detail = f"The gateway failed to show this page. Tell its operator the request's number: {request.id}."
            return self._root, self._replies.error(500, "Something is wrong here", detail)

    def _check(self, request: Request) -> None:
        """Raises EarlyReply for what no page takes."""
        refusal = request.head.refusal
        if refusal is not None:
            raise EarlyReply(self._replies.error(status_of(refusal), "Refused", refusal.detail))
        if not is_own_host(request, self._public_urls):
            raise EarlyReply(self._unknown_host(request))
        if request.method not in ("GET", "HEAD", "POST"):
            raise EarlyReply(
                self._replies.error(405, "This cannot be done here", "Pages are opened, and forms are sent.")
            )
        if request.method == "POST" and not is_same_origin(request, request.head.scheme, self._public_urls):
            detail = "Another site sent this form. Open the page itself and try it there."
            raise EarlyReply(self._replies.error(403, "Sent from elsewhere", detail))

    def _unknown_host(self, request: Request) -> Response:
        host = request.header(b"host") or ""
        detail = f"This gateway does not answer as {host[:200]}. Set PUBLIC_URL to the address that browsers use."
        return self._replies.error(421, "Unknown address", detail)


def _mount(request: Request) -> str:
    """The path of the mount as a URL has it. A mount may have parameters in its path, which clients choose."""
    path = quote(request.head.root_path.strip("/"))
    return f"/{path}" if path else ""


def _may_be_zipped(request: Request) -> bool:
    """Whether to compress the answer. The answer to a form may show a secret, and its compressed size together with
    texts of others would reveal something about it, so it is not compressed."""
    return request.method != "POST" and "gzip" in (request.header(b"accept-encoding") or "")


def _is_to_be_zipped(response: Response | StreamedResponse) -> TypeGuard[Response]:
    """Whether to compress an answer that was not compressed as it was drawn."""
    if isinstance(response, StreamedResponse) or not ZIPS.get() or len(response.body) < MIN_ZIPPED:
        return False
    return "content-encoding" not in dict(response.headers)


def _with_safe_headers(response: Response | StreamedResponse) -> Response | StreamedResponse:
    given = dict(response.headers)
    return replace(response, headers=(*response.headers, *(line for line in _SAFE if line[0] not in given)))
