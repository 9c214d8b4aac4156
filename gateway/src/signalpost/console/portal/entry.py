"""How a customer gets into the portal: by a link that opens once, for a session that ends with it.

A session starts again with each link, so one that another person put into the browser is worth nothing. What fetches a
link ahead of a person does not use it up. In a frame the session's cookie belongs to the page around it as well
(`Partitioned`), so no other site has it there.
"""

from typing import Final, NamedTuple

from signalpost.api.guards.principals import Principal
from signalpost.api.http.request import Request
from signalpost.api.http.response import Response
from signalpost.api.routing.services import Services
from signalpost.commands.portal_links import OpenPortalLink
from signalpost.console.browser import cookie_of, is_navigation
from signalpost.console.front import policy
from signalpost.console.places import Places
from signalpost.console.portal import ROOT
from signalpost.console.replies import EarlyReply, Replies, see_other
from signalpost.domain.access.portal_link import PortalLink
from signalpost.domain.access.sign_in import Ground, Purpose, hash_token
from signalpost.domain.audit import Actor
from signalpost.domain.errors import Gone, NotFound, Unauthenticated

COOKIE: Final = "__Host-portal"


class Guest(NamedTuple):
    principal: Principal
    link: PortalLink


class PortalEntry:
    def __init__(self, services: Services, replies: Replies, places: Places) -> None:
        self._services = services
        self._sessions = services.sessions
        self._replies = replies
        self._places = places

    async def who(self, request: Request) -> Guest:
        """Who asks. Raises EarlyReply if the visitor is not signed in, and Unavailable."""
        token = cookie_of(request, COOKIE)
        session = None if token is None else await self._sessions.find(token, Purpose.PORTAL)
        if session is not None:
            try:
                principal = await self._services.principals.on(session.ground)
            except Unauthenticated:
                await self._sessions.end(token or "")
            else:
                await self._places.know(request, principal)
                if principal.portal is not None:
                    return Guest(principal, principal.portal)
        raise EarlyReply(self.ended(401))

    async def enter(self, request: Request, token: str) -> Response:
        """The answer to a visitor who follows a link, or presses its button."""
        now = self._services.clock.wall()
        link = await self._services.store.access.portal_link_with(hash_token(token))
        if link is None or not link.may_be_opened(now) or not await self._is_maker_there(link):
            return self.ended(410)
        if request.method != "POST" and not _follows(request, link):
            shown = self._replies.page(200, "portal/enter.html", {"theme": link.theme})
            return Response(shown.status, shown.body, (*shown.headers, framed_by(link)))
        try:
            await self._open(request, link)
        except (Gone, NotFound):
            return self.ended(410)
        await self._sessions.end(cookie_of(request, COOKIE) or "")
        ground = Ground("portal-link", link.id, link.proof)
        session = await self._sessions.begin(Purpose.PORTAL, ground, link.ends_at - now)
        return see_other(ROOT, _cookie(session, link), framed_by(link))

    async def leave(self, request: Request, link: PortalLink) -> Response:
        await self._sessions.end(cookie_of(request, COOKIE) or "")
        return see_other(ROOT, _cookie("", link, "; Max-Age=0"), framed_by(link))

    def ended(self, status: int) -> Response:
        """What everybody sees who is not in. It shows nothing and does nothing, so it may be in any frame: the page
        around it would otherwise only show that something was refused."""
        shown = self._replies.page(status, "portal/ended.html", {"status": status})
        return Response(shown.status, shown.body, (*shown.headers, policy("*")))

    async def _is_maker_there(self, link: PortalLink) -> bool:
        try:
            await self._services.principals.on(link.maker)
        except Unauthenticated:
            return False
        return True

    async def _open(self, request: Request, link: PortalLink) -> None:
        """Raises Gone if another person was faster, NotFound if the tenant was deleted."""
        source = request.source(self._services.installation.trusted_proxies)
        actor = Actor(kind="portal-link", id=link.id, name=link.name, source=source, request=request.id)
        command = OpenPortalLink(tenant_id=link.tenant_id, link_id=link.id)
        await self._services.engine.submit(command.asked_by(actor))


def framed_by(link: PortalLink) -> tuple[str, str]:
    """The header with the policy of a link's pages: only pages of its origins may show them in a frame."""
    return policy(" ".join(link.embed) or "'none'")


def _follows(request: Request, link: PortalLink) -> bool:
    """Whether a person follows the link to here, or a page that may does so for them in a frame."""
    into = ("document", "iframe") if link.embed else ("document",)
    return request.method == "GET" and is_navigation(request, *into)


def _cookie(value: str, link: PortalLink, more: str = "") -> tuple[str, str]:
    """The header that has a browser keep the session until it is closed, or forget it."""
    site = "SameSite=None; Partitioned" if link.embed else "SameSite=Lax"
    return "set-cookie", f"{COOKIE}={value}; Path=/; Secure; HttpOnly; {site}{more}"
