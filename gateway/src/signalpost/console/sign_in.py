"""Signing in to the console, and out of it.

    key, or a link that works once ──▶ session, known by the browser's cookie ──▶ who asks for a page

A session begins anew at each sign-in, so one that somebody else put into the browser is worth nothing. Who signed in
and out is told by the audit.
"""

import re
from typing import Final
from urllib.parse import urlencode

from signalpost.api.http.principals import EndedKey, Principal
from signalpost.api.http.request import Request
from signalpost.api.http.response import Response
from signalpost.api.routing.services import Services
from signalpost.console.browser import forget_cookie, is_navigation, session_token, set_cookie
from signalpost.console.replies import Replies, Reply, given, see_other
from signalpost.domain.api_key import FIRST_TENANT
from signalpost.domain.audit import Actor, Draft, Object
from signalpost.domain.errors import Unauthenticated
from signalpost.domain.sign_in import Purpose, Session
from signalpost.engine.audited import tell
from signalpost.engine.maintenance.refused_calls import RefusedCall

ROOT: Final = "/console"
SIGN_IN: Final = f"{ROOT}/sign-in"
SIGN_OUT: Final = f"{ROOT}/sign-out"
ENTER: Final = f"{ROOT}/enter"
_OWN_PATH: Final = re.compile(rf"{ROOT}/t/[!-~]*")
"""Where somebody may be led to after signing in: printable ASCII, or it could write headers of its own."""


class SignIn:
    def __init__(self, services: Services, replies: Replies) -> None:
        self._services = services
        self._sessions = services.sessions
        self._principals = services.principals
        self._replies = replies

    async def answer(self, request: Request, path: str) -> tuple[str, Response] | None:
        """The answer of a page with which somebody signs in or out, and which one it is; None where the path is none of
        these."""
        if path == SIGN_IN:
            return path, await self._with_key(request)
        if path == SIGN_OUT:
            return path, await self._out(request)
        if path.startswith(f"{ENTER}/"):
            return ENTER, await self._by_link(request, path.removeprefix(f"{ENTER}/"))
        return None

    @staticmethod
    def sets_cookie(path: str) -> bool:
        return path == SIGN_IN or path.startswith(f"{ENTER}/")

    async def who(self, request: Request) -> Principal:
        """Who asks. Raises Reply where nobody is signed in: it sends the browser to where that is done."""
        token = session_token(request)
        session = None if token is None else await self._sessions.find(token, Purpose.CONSOLE)
        if session is not None:
            try:
                request.principal = self._principals.on(session.ground)
            except Unauthenticated:
                await self._sessions.end(token or "")
            else:
                return request.principal
        wanted = request.own_path
        if request.method == "GET" and request.query_string:
            wanted += f"?{request.query_string.decode('latin-1')}"
        raise Reply(see_other(f"{SIGN_IN}?{urlencode({'to': wanted})}"))

    def home(self, principal: Principal) -> str:
        """The first page that somebody sees."""
        tenant_id = principal.tenant_id
        own = None if tenant_id is None else self._services.directory.tenant_with(tenant_id)
        return f"{ROOT}/t/{'default' if own is None else own.name}"

    # --- In -----------------------------------------------------------------------------------------------------------

    async def _with_key(self, request: Request) -> Response:
        to = dict(request.query()).get("to", "")
        if request.method != "POST":
            return self._replies.page(200, "sign_in.html", {"to": to, "wrong": None})
        key = given(await self._replies.form(request), "key")
        try:
            principal = self._principals.of(f"Bearer {key}")
        except Unauthenticated as refused:
            if isinstance(refused, EndedKey):
                self._tell_refused(request, refused)
            await self._services.wrong_keys.turn()
            wrong = "This key is not known here, or has ended. Ask an operator for one, or for a link."
            return self._replies.page(401, "sign_in.html", {"to": to, "wrong": wrong})
        return await self._begin(request, principal, "key", to)

    async def _by_link(self, request: Request, token: str) -> Response:
        """A link that signs somebody in. What fetches links ahead of a person must not use it up."""
        if request.method != "POST" and not is_navigation(request):
            return self._replies.page(200, "enter.html", {})
        link = await self._sessions.use_link(token, Purpose.CONSOLE)
        try:
            principal = None if link is None else self._principals.on(link.ground)
        except Unauthenticated:
            principal = None
        if principal is None:
            return self._replies.error(
                410, "This link was used, or is too old", "A link works once, for 15 minutes. Make another one."
            )
        return await self._begin(request, principal, "link", "")

    async def _begin(self, request: Request, principal: Principal, by: str, to: str) -> Response:
        """A new session, whatever the browser had before."""
        former = session_token(request)
        if former is not None:
            await self._sessions.end(former)
        request.principal = principal
        await self._tell(request, principal, "session.begin", {"by": by})
        token = await self._sessions.begin(Purpose.CONSOLE, self._principals.ground_of(principal))
        return see_other(to if _OWN_PATH.fullmatch(to) else self.home(principal), set_cookie(token))

    # --- Out ----------------------------------------------------------------------------------------------------------

    async def _out(self, request: Request) -> Response:
        if request.method != "POST":
            return see_other(ROOT)
        everywhere = given(await self._replies.form(request), "everywhere") != ""
        token = session_token(request) or ""
        session = await self._sessions.find(token, Purpose.CONSOLE)
        if session is not None:
            await self._end(request, session, everywhere=everywhere)
        return see_other(SIGN_IN, forget_cookie())

    async def _end(self, request: Request, session: Session, *, everywhere: bool) -> None:
        try:
            principal = self._principals.on(session.ground)
        except Unauthenticated:
            principal = None
        if everywhere:
            await self._sessions.end_all(session.ground)
        else:
            await self._services.store.sign_ins.end(session.hash)
        if principal is not None:
            await self._tell(request, principal, "session.end", {"which": "all"} if everywhere else {})

    # --- Audit --------------------------------------------------------------------------------------------------------

    def _actor(self, request: Request, id_: str, name: str, role: str) -> Actor:
        source = request.source(self._services.trusted_proxies)
        return Actor(kind="key", id=id_, name=name, role=role, source=source, request=request.id)

    async def _tell(self, request: Request, who: Principal, action: str, said: dict[str, str]) -> None:
        draft = Draft(
            tenant_id=FIRST_TENANT if who.tenant_id is None else who.tenant_id,
            at=self._services.clock.wall(),
            actor=self._actor(request, who.id, who.name, who.role),
            action=action,
            object=Object("key", who.id),
            changes={name: {"old": None, "new": value} for name, value in said.items()},
        )
        await tell(self._services.store.audit, [draft])

    def _tell_refused(self, request: Request, refused: EndedKey) -> None:
        key = refused.key
        actor = self._actor(request, key.id, key.name, key.role)
        tenant = self._services.directory.tenant_with(key.tenant_id)
        call = RefusedCall(FIRST_TENANT if tenant is None else tenant.id, actor, refused.code, f"POST {SIGN_IN}")
        self._services.engine.refused_calls.note(call)
