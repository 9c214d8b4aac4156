"""Signing in to the console, and out of it.

    a key, a password, or a link that works once ──▶ session, known by the browser's cookie ──▶ who asks for a page

A session starts again at each sign-in, so one that another person put into the browser is worth nothing. Who signed in
and out is told by the audit.
"""

import re
from typing import Final, NamedTuple
from urllib.parse import urlencode

from signalpost.api.guards.principals import Principal, principal_of
from signalpost.api.http.request import Request
from signalpost.api.http.response import Response
from signalpost.api.routing.services import Services
from signalpost.console import ROOT
from signalpost.console.browser import browser_of, forget_cookie, is_navigation, is_own_step, session_token, set_cookie
from signalpost.console.credentials import Credentials, CredentialsRefused
from signalpost.console.places import Places
from signalpost.console.replies import EarlyReply, Replies, given, see_other
from signalpost.domain.access.sign_in import Purpose, Session, Whence
from signalpost.domain.errors import Unauthenticated

SIGN_IN: Final = f"{ROOT}/sign-in"
SIGN_OUT: Final = f"{ROOT}/sign-out"
ENTER: Final = f"{ROOT}/enter"
_OWN_PATH: Final = re.compile(rf"{ROOT}/(t/[!-~]*|account)")
"""Where a person may be led to after signing in: printable ASCII, or it could write headers of its own."""


class SignedIn(NamedTuple):
    principal: Principal
    session: Session


class SignIn:
    def __init__(self, services: Services, replies: Replies, credentials: Credentials, places: Places) -> None:
        self._services = services
        self._sessions = services.sessions
        self._principals = services.principals
        self._replies = replies
        self._credentials = credentials
        self._places = places

    async def answer(self, request: Request, path: str) -> tuple[str, Response] | None:
        """The answer of a page with which a person signs in or out, and which one it is; None if the path is none of
        these."""
        if path == SIGN_IN:
            return path, await self._in(request)
        if path == SIGN_OUT:
            return path, await self._out(request)
        if path.startswith(f"{ENTER}/"):
            return ENTER, await self._by_link(request, path.removeprefix(f"{ENTER}/"))
        return None

    async def who(self, request: Request) -> SignedIn:
        """Who asks. Raises EarlyReply if the visitor is not signed in: it sends the browser to where that is done."""
        token = session_token(request)
        session = None if token is None else await self._sessions.find(token, Purpose.CONSOLE)
        if session is not None:
            try:
                principal = await self._principals.on(session.ground)
            except Unauthenticated:
                await self._sessions.end(token or "")
            else:
                await self._places.know(request, principal)
                return SignedIn(principal, session)
        wanted = request.own_path
        if request.method == "GET" and request.head.query:
            wanted += f"?{request.head.query.decode('latin-1')}"
        raise EarlyReply(see_other(f"{SIGN_IN}?{urlencode({'to': wanted})}"))

    async def is_signed_in(self, token: str) -> bool:
        """Whether the session with this token goes on; a long answer asks from time to time. Raises Unavailable."""
        session = await self._sessions.look(token, Purpose.CONSOLE)
        if session is None:
            return False
        try:
            await self._principals.on(session.ground)
        except Unauthenticated:
            return False
        return True

    def home(self, principal: Principal) -> str:
        """The first page that a person sees."""
        tenant_id = principal.tenant_id
        own = None if tenant_id is None else self._services.directory.tenant_with(tenant_id)
        return f"{ROOT}/t/{'default' if own is None else own.name}"

    async def begin(
        self, request: Request, principal: Principal, by: str, to: str = "", proved_at: int | None = None
    ) -> Response:
        """Begin a new session, even if the browser had one, and lead to the page that was wanted. `proved_at` is
        when they showed who they are, µs, if that was not just now. Raises Unavailable."""
        former = session_token(request)
        if former is not None:
            await self._sessions.end(former)
        request.principal = principal
        await self._credentials.tell(request, principal, "session.begin", by=by)
        token = await self._sessions.begin(
            Purpose.CONSOLE,
            self._principals.ground_of(principal),
            proved_at=proved_at,
            whence=Whence(self._credentials.source(request), browser_of(request)),
        )
        return see_other(to if _OWN_PATH.fullmatch(to) else self.home(principal), set_cookie(token))

    # --- In -----------------------------------------------------------------------------------------------------------

    async def _in(self, request: Request) -> Response:
        to = dict(request.query()).get("to", "")
        shown = {"to": to, "email": "", "wrong": None, "wrong_key": None}
        if request.method != "POST":
            return self._replies.page(200, "sign_in.html", shown)
        form = await self._replies.form(request)
        with_key = "key" in form
        try:
            if with_key:
                principal = await self._credentials.of_key(request, given(form, "key"))
            else:
                password = form.get("password", [""])[0]
                principal = principal_of(await self._credentials.of_password(request, given(form, "email"), password))
        except CredentialsRefused as refused:
            told = {"wrong_key" if with_key else "wrong": refused.detail, "email": given(form, "email")}
            return self._replies.page(refused.status, "sign_in.html", {**shown, **told})
        return await self.begin(request, principal, "key" if with_key else "password", to)

    async def _by_link(self, request: Request, token: str) -> Response:
        """A link that signs a person in. What fetches links ahead of a person must not use it up, and another site must
        not sign people in as another person: there, a person has to press a button."""
        if request.method != "POST" and not (is_navigation(request) and is_own_step(request)):
            return self._replies.page(200, "enter.html", {})
        link = await self._sessions.use_link(token, Purpose.CONSOLE)
        try:
            principal = None if link is None else await self._principals.on(link.ground)
        except Unauthenticated:
            principal = None
        if principal is None:
            return self._replies.error(
                410,
                "This link was used or has expired",
                "A link works once, within 15 minutes. The command signalpost console makes another one.",
            )
        return await self.begin(request, principal, "link")

    # --- Out ----------------------------------------------------------------------------------------------------------

    async def _out(self, request: Request) -> Response:
        if request.method != "POST":
            return see_other(ROOT)
        session = await self._sessions.find(session_token(request) or "", Purpose.CONSOLE)
        if session is not None:
            everywhere = given(await self._replies.form(request), "everywhere") != ""
            await self._end(request, session, everywhere=everywhere)
        return see_other(SIGN_IN, forget_cookie())

    async def _end(self, request: Request, session: Session, *, everywhere: bool) -> None:
        if everywhere:
            await self._sessions.end_all(session.ground)
        else:
            await self._sessions.end(session_token(request) or "")
        try:
            principal = await self._principals.on(session.ground)
        except Unauthenticated:
            return  # the key or the member is gone: there is no one to tell of
        await self._credentials.tell(request, principal, "session.end", which="all" if everywhere else "this")
