"""The portal as an ASGI application.

    link ──opened once──▶ session ──▶ page ──calls by name, as the link allows──▶ the API

The pages have no power of their own. They make the same calls as the console, with the rights of the link, so what is
not in the link is refused by the API, and what belongs to others does not exist.
"""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment
from msgspec.structs import replace

from signalpost.api.app import Api
from signalpost.api.http.request import Request
from signalpost.api.http.response import CONTENT_TYPE, Response, StreamedResponse
from signalpost.api.routing.path_table import PathTable
from signalpost.api.routing.services import Services
from signalpost.api.routing.shapes.service import Problem
from signalpost.console.browser import keeps_cookie
from signalpost.console.calls import CallFailed, Calls
from signalpost.console.front import Front
from signalpost.console.html import refusal, wrong_fields
from signalpost.console.page import Download, Page, ShownOnce, Visit
from signalpost.console.places import Places
from signalpost.console.portal import ENTER, ROOT
from signalpost.console.portal.entry import Guest, PortalEntry, framed_by
from signalpost.console.portal.pages import PAGES
from signalpost.console.portal.theme import css
from signalpost.console.replies import EarlyReply, Replies, see_other
from signalpost.domain.access.tenant import Tenant
from signalpost.listener.application import ArrivingBody, Head, Steps

_NO_COOKIE: Final = "Browsers do not keep you signed in over plain HTTP. Open this page over HTTPS."


class Portal:
    def __init__(
        self,
        api: Api,
        services: Services,
        templates: Environment,
        public_urls: Sequence[str],
        pages: Sequence[Page] = PAGES,
    ) -> None:
        self._api = api
        self._services = services
        self._public_urls = public_urls
        self._replies = Replies(templates, services.off_loop, services.page_turns, "portal/error.html")
        places = Places(services, self._replies)
        self._front = Front(services, self._replies, places, public_urls, ROOT, self._route)
        self._entry = PortalEntry(services, self._replies, places)
        self._pages = PathTable({f"{ROOT}{page.path}": page for page in pages})

    def __call__(self, head: Head, body: ArrivingBody) -> Steps:
        return self._front(head, body)

    async def _route(self, request: Request, path: str) -> tuple[str, Response | StreamedResponse]:
        if path.startswith(f"{ENTER}/"):
            if not keeps_cookie(request, request.head.scheme, self._public_urls):
                raise EarlyReply(self._replies.error(400, "HTTPS is needed", _NO_COOKIE))
            return ENTER, await self._entry.enter(request, path.removeprefix(f"{ENTER}/"))
        guest = await self._entry.who(request)
        route, response = await self._inside(request, path, guest)
        return route, replace(response, headers=(*response.headers, framed_by(guest.link)))

    async def _inside(self, request: Request, path: str, guest: Guest) -> tuple[str, Response]:
        theme = guest.link.theme
        if path == f"{ROOT}/leave" and request.method == "POST":
            return path, await self._entry.leave(request, guest.link)
        if path == f"{ROOT}/theme.css":
            return path, Response(200, css(theme).encode(), ((CONTENT_TYPE, "text/css; charset=utf-8"),))
        if path == f"{ROOT}/logo.png" and theme.logo is not None:
            return path, Response(200, b64decode(theme.logo), ((CONTENT_TYPE, "image/png"),))
        found = self._pages.find(path)
        if found is None:
            return ROOT, self._error(404, guest, "No such page", "There is no page here.")
        page, params = found
        await self._services.engine.lookout.look()  # once for all that the page asks for
        return f"{ROOT}{page.path}", await self._page(request, guest, page, params)

    async def _page(self, request: Request, guest: Guest, page: Page, params: Mapping[str, str]) -> Response:
        tenant = self._tenant_of(guest)
        visit = Visit(
            calls=Calls(self._api, request, guest.principal, "" if tenant is None else tenant.name),
            principal=guest.principal,
            tenant="",
            root=ROOT,
            now=self._services.clock.wall(),
            request_id=request.id,
            params=params,
            query=dict(request.query()),
        )
        try:
            if request.method == "POST":
                return await self._carry_out(request, guest, visit, page)
            return await self._show(200, guest, visit, page)
        except Download as file:
            return file.response
        except CallFailed as refusal:
            return self._refused(guest, refusal.problem)

    async def _carry_out(self, request: Request, guest: Guest, visit: Visit, page: Page) -> Response:
        visit = replace(visit, form=await self._replies.form_of(request, self._entry.who))
        do = page.forms.get(visit.given("do"))
        if do is None:
            return self._error(400, guest, "No such form", "This page has no such button. Load it again.")
        try:
            outcome = await do(visit)
        except CallFailed as refusal:
            if refusal.problem.status in (401, 403, 404):
                raise
            return await self._show(refusal.problem.status, guest, replace(visit, problem=refusal.problem), page)
        if isinstance(outcome, ShownOnce):
            return await self._replies.full_page(
                200, outcome.template, self._context(guest, visit, page, outcome.view), guest.link.tenant_id
            )
        done = "" if outcome.done is None else f"?{urlencode({'done': outcome.done})}"
        return see_other(visit.root + outcome.path + done)

    async def _show(self, status: int, guest: Guest, visit: Visit, page: Page) -> Response:
        view = await page.view(visit)
        return await self._replies.full_page(
            status, page.template, self._context(guest, visit, page, view), guest.link.tenant_id
        )

    def _tenant_of(self, guest: Guest) -> Tenant | None:
        return self._services.directory.tenant_with(guest.link.tenant_id)

    def _refused(self, guest: Guest, problem: Problem) -> Response:
        titles = {403: "Not allowed here", 404: "Not here, or no longer"}
        return self._error(problem.status, guest, titles.get(problem.status, problem.title), refusal(problem))

    def _error(self, status: int, guest: Guest, title: str, detail: str) -> Response:
        return self._replies.page(
            status, "portal/error.html", {"title": title, "detail": detail, "theme": guest.link.theme}
        )

    def _context(self, guest: Guest, visit: Visit, page: Page, view: Any) -> dict[str, Any]:
        """What every template sees in addition to its view."""
        return {
            "visit": visit,
            "page": page,
            "view": view,
            "theme": guest.link.theme,
            "now": visit.now,
            "is_paused": (tenant := self._tenant_of(guest)) is not None and tenant.status == "paused",
            "done": page.done.get(visit.query.get("done", "")),
            "errors": wrong_fields(visit.problem),
        }
