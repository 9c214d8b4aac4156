"""The console as an ASGI application: who is signed in, which page it is, and what a browser may do with it.

    sign in ──▶ session ──▶ page ──calls by name──▶ the API

A session comes from an API key that was typed in, or from a link that works once. It is only looked at here: the API
takes no cookie. A form is taken only from a page of the console itself.
"""

import asyncio
import gzip
import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlencode

from msgspec import Struct
from msgspec.structs import replace

from signalpost.api.app import Api
from signalpost.api.http.principals import Principal, Principals
from signalpost.api.http.problems import status_of
from signalpost.api.http.refusal_throttle import Refusals
from signalpost.api.http.request import Request
from signalpost.api.http.request_counts import RequestCounts
from signalpost.api.http.response import CONTENT_TYPE, Response, send_response
from signalpost.api.http.sessions import Sessions
from signalpost.api.routing.path_table import PathTable
from signalpost.api.routing.shapes.access import TenantPage
from signalpost.api.routing.shapes.service import Problem
from signalpost.console.browser import (
    forget_cookie,
    is_navigation,
    is_own_host,
    is_same_origin,
    keeps_cookie,
    session_token,
    set_cookie,
)
from signalpost.console.calls import Calls, Refusal
from signalpost.console.html import environment
from signalpost.console.page import Page, Shown, Visit
from signalpost.console.pages import PAGES
from signalpost.domain.errors import Unauthenticated, Unparseable
from signalpost.engine.directory import Directory
from signalpost.runtime.asgi import Receive, Scope, Send
from signalpost.runtime.logger import log

ROOT: Final = "/console"
MAX_FORM_BYTES: Final = 64 * 1024
FORM_SECONDS: Final = 60
"""How long a form may take to arrive."""
_OWN_PATH: Final = re.compile(rf"{ROOT}/t/[!-~]*")
"""Where somebody may be led to after signing in: printable ASCII, or it could write headers of its own."""
_COOKIE_IS_SET: Final = (f"{ROOT}/sign-in", f"{ROOT}/enter/")
_NO_COOKIE: Final = (
    "A browser keeps nobody signed in over plain HTTP, but on the gateway's own machine. Open the console over HTTPS: "
    "set TLS_CERT and TLS_KEY, or put a proxy with TLS in front and name it in PUBLIC_URL."
)
_ASSETS: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_HTML: Final = (CONTENT_TYPE, "text/html; charset=utf-8")
_SAFE: Final = (
    (
        "content-security-policy",
        (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
            "trusted-types console"
        ),
    ),
    # `no-referrer` would make the console's own forms come from the origin `null`.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)
SECTIONS: Final[Sequence[tuple[str, str, str, str]]] = (
    ("", "Overview", "home", "Work"),
    ("/deliveries", "Deliveries", "send", "Work"),
    ("/subscriptions", "Subscriptions", "share", "Work"),
    ("/events", "Events", "lines", "Work"),
    ("/documents", "Documents", "file", "Work"),
    ("/replays", "Replays", "arrows", "Work"),
    ("/connections", "Connections", "plug", "Set-up"),
    ("/keys", "Keys", "key", "Access"),
    ("/audit", "Audit", "shield", "Access"),
)
"""The navigation: the path below the tenant's own, the word, the icon, and the group."""


class _Asset(Struct, frozen=True):
    content: bytes
    zipped: bytes
    media_type: str


class _Reply(Exception):
    """An answer that ends what was under way."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Console:
    def __init__(
        self,
        api: Api,
        sessions: Sessions,
        principals: Principals,
        wrong_keys: Refusals,
        directory: Directory,
        requests: RequestCounts,
        now: Callable[[], int],
        public_urls: Sequence[str],
        pages: Sequence[Page] = PAGES,
    ) -> None:
        """`public_urls` are where browsers reach the gateway, beside this machine's own names and addresses. `now` is
        the wall clock, in µs."""
        self._api = api
        self._sessions = sessions
        self._principals = principals
        self._wrong_keys = wrong_keys
        self._directory = directory
        self._requests = requests
        self._now = now
        self._public_urls = public_urls
        self._templates = environment()
        self._pages = PathTable({f"{ROOT}/t/{{tenant}}{page.path}": page for page in pages})
        self._assets, self._version = _load_assets()
        self._templates.globals["asset"] = lambda name: f"{ROOT}/static/{self._version}/{name}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request = Request(scope, receive)
        route, response = await self._respond(scope, request)
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
        await send_response(_with_safe_headers(response), request.id, send)

    async def _respond(self, scope: Scope, request: Request) -> tuple[str, Response]:
        """The answer, and which page it is of, for the log and the metrics."""
        path = request.own_path.rstrip("/") or ROOT
        try:
            if path.startswith(f"{ROOT}/static/"):
                return f"{ROOT}/static", self._asset(request, path)
            if request.refusal is not None:
                raise _Reply(self._error(status_of(request.refusal), "Refused", request.refusal.detail))
            if not is_own_host(request, self._public_urls):
                raise _Reply(self._unknown_host(request))
            if request.method not in ("GET", "HEAD", "POST"):
                raise _Reply(self._error(405, "This cannot be done here", "Pages are opened, and forms are sent."))
            if request.method == "POST" and not is_same_origin(request):
                raise _Reply(
                    self._error(403, "Sent from elsewhere", "Another site sent this form. Open the console and try it.")
                )
            return await self._route(scope, request, path)
        except _Reply as reply:
            return ROOT, reply.response
        except Exception as defect:
            log.exception("page failed", request=request.id, error=type(defect).__name__)
            detail = f"The console failed to show this page. Tell the gateway's operator its number: {request.id}."
            return ROOT, self._error(500, "Something is wrong here", detail)

    async def _route(self, scope: Scope, request: Request, path: str) -> tuple[str, Response]:
        if path.startswith(_COOKIE_IS_SET) and not keeps_cookie(request, scope.get("scheme", ""), self._public_urls):
            raise _Reply(self._error(400, "Sign in over HTTPS", _NO_COOKIE))
        if path == f"{ROOT}/sign-in":
            return path, await self._sign_in(request)
        if path == f"{ROOT}/sign-out":
            return path, self._sign_out(request)
        if path.startswith(f"{ROOT}/enter/"):
            return f"{ROOT}/enter", self._enter(request, path.removeprefix(f"{ROOT}/enter/"))
        principal = self._signed_in(request)
        if path == ROOT:
            return path, _see_other(f"{ROOT}/t/{self._first_tenant(principal)}")
        found = self._pages.find(path)
        if found is None:
            raise _Reply(self._error(404, "No such page", "The console has no page here."))
        page, params = found
        return f"{ROOT}{page.path}", await self._page(scope, request, principal, page, params)

    # --- Signing in and out -------------------------------------------------------------------------------------------

    def _signed_in(self, request: Request) -> Principal:
        """Who asks. Whoever is not signed in is sent to where that is done."""
        token = session_token(request)
        principal = None if token is None else self._sessions.find(token)
        if principal is not None:
            try:
                self._principals.check(principal)
            except Unauthenticated:
                self._sessions.close(token or "")
            else:
                request.principal = principal
                return principal
        wanted = request.own_path
        if request.method == "GET" and request.query_string:
            wanted += f"?{request.query_string.decode('latin-1')}"
        raise _Reply(_see_other(f"{ROOT}/sign-in?{urlencode({'to': wanted})}"))

    async def _sign_in(self, request: Request) -> Response:
        to = dict(request.query()).get("to", "")
        if request.method != "POST":
            return self._render(200, "sign_in.html", {"to": to, "wrong": None})
        form = await self._form(request)
        key = form.get("key", [""])[0].strip()
        try:
            principal = self._principals.of(f"Bearer {key}")
        except Unauthenticated:
            await self._wrong_keys.turn()
            wrong = "This key is not known here, or has ended. Ask an operator for one, or for a link."
            return self._render(401, "sign_in.html", {"to": to, "wrong": wrong})
        return self._begin(request, principal, to)

    def _enter(self, request: Request, token: str) -> Response:
        """A link that signs somebody in. What fetches links ahead of a person must not use it up."""
        if request.method != "POST" and not is_navigation(request):
            return self._render(200, "enter.html", {})
        principal = self._sessions.use_link(token)
        if principal is None:
            return self._error(
                410, "This link was used, or is too old", "A link works once, for 15 minutes. Make another one."
            )
        return self._begin(request, principal, "")

    def _begin(self, request: Request, principal: Principal, to: str) -> Response:
        """A new session, whatever the browser had before."""
        former = session_token(request)
        if former is not None:
            self._sessions.close(former)
        request.principal = principal
        token = self._sessions.open(principal)
        path = to if _OWN_PATH.fullmatch(to) else f"{ROOT}/t/{self._first_tenant(principal)}"
        return _see_other(path, set_cookie(token))

    def _sign_out(self, request: Request) -> Response:
        if request.method != "POST":
            return _see_other(ROOT)
        self._sessions.close(session_token(request) or "")
        return _see_other(f"{ROOT}/sign-in", forget_cookie())

    def _first_tenant(self, principal: Principal) -> str:
        own = None if principal.tenant_id is None else self._directory.tenant_with(principal.tenant_id)
        return "default" if own is None else own.name

    # --- Pages --------------------------------------------------------------------------------------------------------

    async def _page(
        self, scope: Scope, request: Request, principal: Principal, page: Page, params: Mapping[str, str]
    ) -> Response:
        tenant = params["tenant"]
        visit = Visit(
            calls=Calls(self._api, scope, principal, tenant),
            principal=principal,
            tenant=tenant,
            now=self._now(),
            params=params,
            query=dict(request.query()),
        )
        try:
            if request.method == "POST":
                return await self._carry_out(request, visit, page)
            return await self._show(200, visit, page)
        except Refusal as refusal:
            return await self._refused(visit, page, refusal.problem)

    async def _carry_out(self, request: Request, visit: Visit, page: Page) -> Response:
        form = await self._form(request)
        visit = replace(visit, form=form)
        do = page.forms.get(visit.given("do"))
        if do is None:
            return self._error(400, "No such form", "This page has no such button. Load it again.")
        try:
            outcome = await do(visit)
        except Refusal as refusal:
            if refusal.problem.status in (401, 404):
                raise
            return await self._show(refusal.problem.status, replace(visit, problem=refusal.problem), page)
        if isinstance(outcome, Shown):
            return self._render(200, outcome.template, await self._context(visit, page, outcome.view))
        done = "" if outcome.done is None else f"?{urlencode({'done': outcome.done})}"
        return _see_other(f"{ROOT}/t/{quote(visit.tenant)}{outcome.path}{done}")

    async def _show(self, status: int, visit: Visit, page: Page) -> Response:
        view = await page.view(visit)
        return self._render(status, page.template, await self._context(visit, page, view))

    async def _refused(self, visit: Visit, page: Page, problem: Problem) -> Response:
        if problem.status == 401:
            raise _Reply(_see_other(f"{ROOT}/sign-in"))
        context = await self._context(visit, page, None) if problem.code != "tenant_not_found" else {}
        status = problem.status
        title = {403: "Not for your role", 404: "Not here, or no longer"}.get(status, problem.title)
        return self._render(status, "error.html", {**context, "title": title, "detail": problem.detail})

    async def _context(self, visit: Visit, page: Page, view: Any) -> dict[str, Any]:
        """What every template sees beside its view."""
        tenants = [visit.tenant]
        if visit.is_operator:
            listed = await visit.calls.read("list_tenants", TenantPage, {"limit": "100"})
            tenants = [each.name for each in listed.data]
        errors = {} if visit.problem is None or not visit.problem.errors else visit.problem.errors
        return {
            "visit": visit,
            "page": page,
            "view": view,
            "now": visit.now,
            "sections": [each for each in SECTIONS if each[3] != "Access" or visit.is_operator],
            "tenants": tenants,
            "done": page.done.get(visit.query.get("done", "")),
            "errors": {each.pointer: each.detail for each in errors},
        }

    def _render(self, status: int, template: str, context: Mapping[str, Any]) -> Response:
        body = self._templates.get_template(template).render(context)
        return Response(status, body.encode("utf-8", "replace"), (_HTML,))

    def _error(self, status: int, title: str, detail: str) -> Response:
        return self._render(status, "error.html", {"title": title, "detail": detail})

    def _unknown_host(self, request: Request) -> Response:
        host = request.header(b"host") or ""
        detail = f"This gateway does not know itself as {host[:200]}. Set PUBLIC_URL to the address that browsers use."
        return self._error(421, "Unknown address", detail)

    async def _form(self, request: Request) -> dict[str, list[str]]:
        content, more = b"", True
        try:
            async with asyncio.timeout(FORM_SECONDS):
                while more:
                    part, more = await request.part()
                    content += part
                    if len(content) > MAX_FORM_BYTES:
                        raise _Reply(self._error(413, "Too much", "A form can have at most 64 KiB."))
            return parse_qs(content.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=1_000)
        except (Unparseable, TimeoutError, ValueError):
            raise _Reply(self._error(400, "Not a form", "The form did not arrive whole. Send it once more.")) from None

    def _asset(self, request: Request, path: str) -> Response:
        asset = self._assets.get(path.rpartition("/")[2])
        if asset is None:
            return Response(404, b"", ((CONTENT_TYPE, "text/plain"),))
        headers = ((CONTENT_TYPE, asset.media_type), ("cache-control", "public, max-age=31536000, immutable"))
        if "gzip" in (request.header(b"accept-encoding") or ""):
            return Response(200, asset.zipped, (*headers, ("content-encoding", "gzip"), ("vary", "accept-encoding")))
        return Response(200, asset.content, (*headers, ("vary", "accept-encoding")))


def _load_assets() -> tuple[dict[str, _Asset], str]:
    """The files that pages load, and their version, which is a part of their URL: they never change under it."""
    folder, found = files("signalpost.console") / "static", {}
    for name, media_type in _ASSETS.items():
        content = (folder / name).read_bytes()
        found[name] = _Asset(content, gzip.compress(content, 9, mtime=0), media_type)
    digest = hashlib.sha256(b"".join(asset.content for asset in found.values()))
    return found, digest.hexdigest()[:12]


def _see_other(path: str, *headers: tuple[str, str]) -> Response:
    return Response(303, b"", (("location", path), *headers))


def _with_safe_headers(response: Response) -> Response:
    return replace(response, headers=(*response.headers, *_SAFE))
