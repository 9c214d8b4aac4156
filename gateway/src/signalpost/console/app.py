"""The console as an application: who is signed in, which page it is, and what a browser may do with it.

    sign in ──▶ session ──▶ page ──calls by name──▶ the API

A session comes from an API key that was typed in, or from a link that works once. It is only looked at here: the API
takes no cookie. A form is taken only from a page of the console itself.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote, urlencode

from msgspec import Struct
from msgspec.structs import replace

from signalpost import VERSION
from signalpost.api.app import Api
from signalpost.api.guards.principals import Principal
from signalpost.api.http.request import Request
from signalpost.api.http.response import CONTENT_TYPE, Response, StreamedResponse
from signalpost.api.routing.path_table import PathTable
from signalpost.api.routing.services import Services
from signalpost.api.routing.shapes.access import TenantPage
from signalpost.api.routing.shapes.notices import NoticeCount
from signalpost.api.routing.shapes.overview import AttentionCount
from signalpost.api.routing.shapes.service import Problem
from signalpost.console import OIDC, ROOT
from signalpost.console.accounts import JOIN, Accounts
from signalpost.console.browser import keeps_cookie
from signalpost.console.calls import CallFailed, Calls
from signalpost.console.credentials import Credentials, CredentialsRefused
from signalpost.console.front import Front
from signalpost.console.html import environment, refusal, wrong_fields
from signalpost.console.identity_provider import IdentityProvider
from signalpost.console.live import PATH as LIVE
from signalpost.console.live import Live
from signalpost.console.oidc import Oidc
from signalpost.console.page import Download, GoOn, Page, ProofNeeded, ShownOnce, Visit
from signalpost.console.pages import PAGES
from signalpost.console.places import Places
from signalpost.console.replies import MOUNT, EarlyReply, Replies, see_other
from signalpost.console.shared_regions import TOLD, SharedRegions, Sight
from signalpost.console.sign_in import ENTER, SIGN_IN, SignedIn, SignIn
from signalpost.domain.access.sign_in import Session
from signalpost.listener.application import ArrivingBody, Head, Steps
from signalpost.sharing.shares import NOBODY

_SETS_COOKIE: Final = (SIGN_IN, f"{ENTER}/", f"{JOIN}/", OIDC)
_PROOF: Final = "proof"
"""The field of a form in which a password, or a key, is typed again."""
_NO_COOKIE: Final = (
    "Over plain HTTP, browsers keep you signed in only on the gateway's own machine. Open the console over HTTPS: "
    "set TLS_CERT and TLS_KEY, or put a proxy with TLS in front and name it in PUBLIC_URL."
)
_NO_TENANT: Final = "There is no such tenant, or it is not yours."
_ASSETS: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
SECTIONS: Final[Sequence[tuple[str, str, str, str]]] = (
    ("", "Overview", "home", "Work"),
    ("/deliveries", "Deliveries", "send", "Work"),
    ("/subscriptions", "Subscriptions", "share", "Work"),
    ("/events", "Events", "lines", "Work"),
    ("/documents", "Documents", "file", "Work"),
    ("/replays", "Send again", "arrows", "Work"),
    ("/notices", "Notices", "bell", "Work"),
    ("/connections", "Connections", "plug", "Set-up"),
    ("/portal-links", "Portal links", "link", "Set-up"),
    ("/members", "Members", "people", "Access"),
    ("/keys", "Keys", "key", "Access"),
    ("/audit", "Audit", "shield", "Access"),
    ("/tenants", "Tenants", "rooms", "Gateway"),
    ("/gateway", "Gateway", "gauge", "Gateway"),
)
"""The navigation: the path below the tenant's own, the word, the icon, and the group."""
FOR_ALL: Final = ("Work", "Set-up")
"""The groups of sections that are not only for operators."""


async def _nothing(_: Visit) -> None:
    """The page for a path that has none needs nothing."""


_NOWHERE: Final = Page(path="", section="", title="No such page", template="refused.html", view=_nothing)
"""Stands for every path that is not in the table of pages."""
_OF_TENANT: Final = re.compile(f"{ROOT}/t/([^/]+)")


class _Asset(Struct, frozen=True):
    content: bytes
    zipped: bytes
    media_type: str


class Console:
    def __init__(
        self,
        api: Api,
        services: Services,
        provider: IdentityProvider | None,
        public_urls: Sequence[str],
        pages: Sequence[Page] = PAGES,
    ) -> None:
        """`public_urls` are where browsers reach the gateway, in addition to this machine's own names and addresses."""
        self._api = api
        self._now = services.clock.wall
        self._directory = services.directory
        self._revisions = services.engine.revisions
        self._lookout = services.engine.lookout
        self._public_urls = public_urls
        templates = self.templates = environment()
        self._replies = Replies(templates, services.off_loop, services.page_turns)
        places = Places(services, self._replies)
        self._front = Front(services, self._replies, places, public_urls, ROOT, self._route)
        self._sessions = services.sessions
        self._credentials = Credentials(services)
        self._sign_in = SignIn(services, self._replies, self._credentials, places)
        self._accounts = Accounts(services, self._replies, self._sign_in, self._credentials, self._own_frame)
        self._oidc: Oidc | None = None
        if provider is not None:
            self._oidc = Oidc(services, self._replies, self._sign_in, self._credentials, provider)
        templates.globals["version"] = VERSION
        templates.globals["has_oidc"] = provider is not None
        self._live = Live(self._sign_in, self._replies)
        self._shared_regions = SharedRegions(self._revisions)
        self._pages = PathTable({f"{ROOT}/t/{{tenant}}{page.path}": page for page in pages})
        self._assets, self._version = _load_assets()
        templates.globals["asset"] = lambda name: f"{MOUNT.get()}{ROOT}/static/{self._version}/{name}"

    def __call__(self, head: Head, body: ArrivingBody) -> Steps:
        return self._front(head, body)

    async def _route(self, request: Request, path: str) -> tuple[str, Response | StreamedResponse]:
        if path.startswith(f"{ROOT}/static/"):
            return f"{ROOT}/static", self._asset(request, path)
        if path.startswith(_SETS_COOKIE) and not keeps_cookie(request, request.head.scheme, self._public_urls):
            raise EarlyReply(self._replies.error(400, "Sign in over HTTPS", _NO_COOKIE))
        answered = await self._come_in(request, path)
        if answered is not None:
            return answered
        signed_in = await self._sign_in.who(request)
        if path == ROOT:
            return path, see_other(self._sign_in.home(signed_in.principal))
        if (live := LIVE.fullmatch(path)) is not None:
            calls = Calls(self._api, request, signed_in.principal, live[1])
            return f"{ROOT}/live", await self._live.answer(request, calls)
        found = self._pages.find(path)
        if found is None:
            return ROOT, await self._nowhere(request, signed_in, path)
        page, params = found
        await self._lookout.look()  # once for all that the page asks for
        return f"{ROOT}{page.path}", await self._page(request, signed_in, page, params)

    async def _come_in(self, request: Request, path: str) -> tuple[str, Response] | None:
        """The answer of a page with which people come in and go out; None if the path is none of these."""
        answered = await self._sign_in.answer(request, path) or await self._accounts.answer(request, path)
        if answered is None and self._oidc is not None:
            return await self._oidc.answer(request, path)
        return answered

    # --- Pages --------------------------------------------------------------------------------------------------------

    async def _page(self, request: Request, signed_in: SignedIn, page: Page, params: Mapping[str, str]) -> Response:
        visit = self._visit(request, signed_in, params["tenant"], params)
        try:
            if request.method == "POST":
                return await self._carry_out(request, signed_in.session, visit, page)
            if (told := request.header(TOLD)) is not None:
                show = partial(self._show_main, visit, page)
                if not page.is_shared:
                    return await show()
                return await self._shared_regions.get(self._sight(request, visit), told, show)
            return await self._show(200, visit, page)
        except GoOn as other:
            return see_other(visit.root + other.path)
        except Download as file:
            return file.response
        except CallFailed as refusal:
            return await self._refused(visit, page, refusal.problem)

    def _visit(self, request: Request, signed_in: SignedIn, tenant: str, params: Mapping[str, str]) -> Visit:
        now = self._now()
        return Visit(
            calls=Calls(self._api, request, signed_in.principal, tenant),
            principal=signed_in.principal,
            tenant=tenant,
            root=f"{ROOT}/t/{quote(tenant)}",
            now=now,
            request_id=request.id,
            is_proved=signed_in.session.is_proved(now),
            params=params,
            query=dict(request.query()),
        )

    async def _own_frame(self, request: Request, signed_in: SignedIn) -> dict[str, Any]:
        """The frame of a page that belongs to no tenant: that of the tenant in which the visitor begins."""
        tenant = self._sign_in.home(signed_in.principal).rpartition("/")[2]
        return await self._context(self._visit(request, signed_in, tenant, {}), _NOWHERE, None)

    async def _nowhere(self, request: Request, signed_in: SignedIn, path: str) -> Response:
        """The answer for a path without a page, in the frame of the tenant that an operator looked at."""
        frame, looked_at = await self._own_frame(request, signed_in), _OF_TENANT.match(path)
        if looked_at and signed_in.principal.tenant_id is None and self._directory.tenant(looked_at[1]) is not None:
            frame = await self._context(self._visit(request, signed_in, looked_at[1], {}), _NOWHERE, None)
        context = {**frame, "title": _NOWHERE.title, "detail": "The console has no page here."}
        return self._replies.page(404, "refused.html", context)

    async def _carry_out(self, request: Request, session: Session, visit: Visit, page: Page) -> Response:
        form = await self._replies.form_of(request, self._sign_in.who)
        visit = replace(visit, form=form)
        if _PROOF in form:
            try:
                await self._credentials.prove(request, session.ground, form[_PROOF][0])
            except CredentialsRefused as refused:
                return await self._ask_for_proof(refused.status, visit, refused.detail)
            await self._sessions.note_proof(session)
            visit = replace(visit, is_proved=True)
        do = page.forms.get(visit.given("do"))
        if do is None:
            return self._replies.error(400, "No such form", "This page has no such button. Load it again.")
        try:
            outcome = await do(visit)
        except ProofNeeded:
            return await self._ask_for_proof(200, visit, None)
        except CallFailed as refusal:
            if refusal.problem.status in (401, 404):
                raise
            return await self._show(refusal.problem.status, replace(visit, problem=refusal.problem), page)
        if isinstance(outcome, ShownOnce):
            return await self._replies.full_page(
                200, outcome.template, await self._context(visit, page, outcome.view), self._tenant_id(visit)
            )
        done = "" if outcome.done is None else f"?{urlencode({'done': outcome.done})}"
        return see_other(visit.root + outcome.path + done)

    async def _ask_for_proof(self, status: int, visit: Visit, wrong: str | None) -> Response:
        """Asks for the password or the key once more, with the form that is sent again then."""
        fields = [(name, value) for name, values in visit.form.items() for value in values if name != _PROOF]
        with_what = await self._credentials.proved_with(visit.principal)
        shown = {"fields": fields, "wrong": wrong, "with_what": with_what, "path": f"{ROOT}/t/{quote(visit.tenant)}"}
        return self._replies.page(status, "prove.html", shown)

    async def _show(self, status: int, visit: Visit, page: Page) -> Response:
        position = self._revisions.position  # what changes from now on may be missing in the page
        view = await page.view(visit)
        context = await self._context(visit, page, view)
        return await self._replies.full_page(
            status, page.template, {**context, "position": position}, self._tenant_id(visit)
        )

    async def _needing(self, visit: Visit) -> int:
        """How many subscriptions need attention; 0 if the visitor may not know, or the database gives no answer just
        now."""
        try:
            return (await visit.calls.read("count_attention", AttentionCount)).count
        except CallFailed:
            return 0

    async def _noticed(self, visit: Visit) -> int:
        """How many things are wrong, as far as the visitor may know."""
        try:
            return (await visit.calls.read("count_notices", NoticeCount)).count
        except CallFailed:
            return 0

    async def _show_main(self, visit: Visit, page: Page) -> Response:
        """The main part of a page alone, as it is sent. It knows of its visitor what others share with them."""
        seen_by = Principal(0, "", "", visit.principal.role, visit.principal.tenant_id)
        visit = replace(visit, principal=seen_by, is_proved=False)
        context = self._main_context(visit, page, await page.view(visit))
        beside = {
            "is_framed": False,
            "needing": await self._needing(visit),
            "noticed": await self._noticed(visit),
        }
        return await self._replies.full_page(200, page.template, {**context, **beside}, self._tenant_id(visit))

    def _tenant_id(self, visit: Visit) -> int:
        """The number of the tenant that is looked at; `NOBODY` if there is no such tenant."""
        tenant = self._directory.tenant(visit.tenant)
        return NOBODY if tenant is None else tenant.id

    def _sight(self, request: Request, visit: Visit) -> Sight:
        tenant = self._directory.tenant(visit.tenant)
        return Sight(
            role=visit.principal.role,
            own_tenant_id=visit.principal.tenant_id,
            tenant_id=None if tenant is None else tenant.id,
            path=f"{MOUNT.get()}{request.own_path}",
            query=request.head.query,
            encodings=request.header(b"accept-encoding"),
        )

    async def _refused(self, visit: Visit, page: Page, problem: Problem) -> Response:
        if problem.status == 401:
            raise EarlyReply(see_other(SIGN_IN))
        title = {403: "Not for your role", 404: "Not here, or no longer"}.get(problem.status, problem.title)
        if problem.code == "tenant_not_found":
            return self._replies.error(problem.status, title, _NO_TENANT)
        context = {**await self._context(visit, page, None), "title": title, "detail": refusal(problem)}
        return await self._replies.full_page(problem.status, "refused.html", context, self._tenant_id(visit))

    async def _context(self, visit: Visit, page: Page, view: Any) -> dict[str, Any]:
        """What every template sees in addition to its view."""
        tenants, has_more_tenants = [visit.tenant], False
        if visit.is_operator:
            listed = await visit.calls.read("list_tenants", TenantPage, {"limit": "100"})
            tenants = [*dict.fromkeys([*(each.name for each in listed.data), visit.tenant])]
            has_more_tenants = listed.next is not None
        return {
            **self._main_context(visit, page, view),
            "is_framed": True,
            "needing": await self._needing(visit),
            "noticed": await self._noticed(visit),
            "position": "",
            "sections": [each for each in SECTIONS if each[3] in FOR_ALL or visit.is_operator],
            "tenants": tenants,
            "has_more_tenants": has_more_tenants,
        }

    def _main_context(self, visit: Visit, page: Page, view: Any) -> dict[str, Any]:
        """What the main part of a page is made of."""
        return {
            "visit": visit,
            "page": page,
            "view": view,
            "now": visit.now,
            "is_paused": (tenant := self._directory.tenant(visit.tenant)) is not None and tenant.status == "paused",
            "done": page.done.get(visit.query.get("done", "")),
            "errors": wrong_fields(visit.problem),
        }

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
