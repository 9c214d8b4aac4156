"""Signing in with an identity provider (OpenID Connect, authorization code with PKCE).

    /console/oidc ──cookie──▶ the provider ──▶ /console/oidc/callback ──▶ session

Only members come in, with the role that an operator gave them: the provider says who a person is, and never what they
may do. They are known by the e-mail address that the provider vouches for, and from the first time on by the subject
that it names as well, so an address that is given to another person opens nothing.
"""

from typing import Final
from urllib.parse import quote, unquote

from signalpost.api.guards.principals import principal_of
from signalpost.api.http.request import Request
from signalpost.api.http.response import Response
from signalpost.api.routing.services import Services
from signalpost.commands.command import CompletedCommand
from signalpost.commands.members import KnowMember
from signalpost.console import CALLBACK, OIDC
from signalpost.console.browser import cookie_of, set_cookie
from signalpost.console.credentials import Credentials
from signalpost.console.identity_provider import IdentityProvider, ProviderFailed
from signalpost.console.replies import Replies, see_other
from signalpost.console.sign_in import SignIn
from signalpost.domain.access.identity import Disbelieved, Identity, Secret
from signalpost.domain.access.member import Member
from signalpost.domain.access.sign_in import make_token
from signalpost.domain.errors import CallerError
from signalpost.domain.timestamps import SECOND
from signalpost.runtime.logger import log

COOKIE: Final = "__Host-signalpost-oidc"
SECONDS: Final = 600
"""How long a person may take at the provider."""
_AGAIN: Final = "Sign in again. If that fails too, tell the gateway's operator this number: {}."


class Oidc:
    def __init__(
        self,
        services: Services,
        replies: Replies,
        sign_in: SignIn,
        credentials: Credentials,
        provider: IdentityProvider,
    ) -> None:
        self._services = services
        self._replies = replies
        self._sign_in = sign_in
        self._credentials = credentials
        self._provider = provider

    async def answer(self, request: Request, path: str) -> tuple[str, Response] | None:
        """The answer of one of these pages, and which one it is; None if the path is none of these."""
        try:
            if path == OIDC:
                return path, await self._start(request)
            if path == CALLBACK:
                return path, await self._callback(request)
        except ProviderFailed as failed:
            log.warning("the identity provider failed", request=request.id, error=str(failed))
            return path, self._replies.error(502, "The identity provider does not answer", _AGAIN.format(request.id))
        return None

    async def _start(self, request: Request) -> Response:
        secret, query = make_token(self._services.secret_bytes), dict(request.query())
        to = query.get("to", "")
        cookie = set_cookie(f"{secret}.{quote(to, safe='')[:1024]}", COOKIE, SECONDS)
        return see_other(await self._provider.authorize_url(Secret(secret), again="again" in query), cookie)

    async def _callback(self, request: Request) -> Response:
        """Takes what the provider's redirect brings, once: the browser forgets its secret with the answer."""
        given = dict(request.query())
        kept, _, to = (cookie_of(request, COOKIE) or "").partition(".")
        secret = Secret(kept)
        if (
            not kept
            or not secret.is_state(given.get("state", ""))
            or not self._provider.is_own_issuer(given.get("iss"))
        ):
            return self._refused(request, "this browser asked for no such sign-in")
        if "code" not in given:
            return self._refused(request, f"the provider says {given.get('error', 'nothing')[:100]}")
        try:
            identity = await self._provider.identity(given["code"], secret)
        except Disbelieved as disbelieved:
            await self._services.limits.strangers.turn()
            return self._refused(request, str(disbelieved))
        member = await self._member(request, identity)
        if member is None:
            return self._refused(request, "nobody with this address is a member, or another person was", 403)
        # Whom the provider knows from long ago has shown nothing now.
        proved_at = 0 if identity.authenticated_at is None else identity.authenticated_at * SECOND
        answer = await self._sign_in.begin(request, principal_of(member), "oidc", unquote(to), proved_at)
        return Response(answer.status, answer.body, (set_cookie("", COOKIE, 0), *answer.headers))

    async def _member(self, request: Request, identity: Identity) -> Member | None:
        """The member that the provider's statement names; None if it names none."""
        found = await self._services.store.access.member_with(identity.email)
        if found is None or found.subject not in (None, identity.subject):
            return None
        if found.subject is not None:
            return found
        command = KnowMember(tenant_id=found.tenant_id, member_id=found.id, subject=identity.subject)
        actor = self._credentials.actor(request, principal_of(found))
        try:
            outcome = await self._services.engine.submit(command.asked_by(actor))
        except CallerError:
            return None
        assert isinstance(outcome, CompletedCommand)  # it has no Idempotency-Key, so it is no repeat
        return outcome.result.member

    def _refused(self, request: Request, why: str, status: int = 400) -> Response:
        """The log says why. A page must not tell people of others what is known about them."""
        log.warning("a sign-in through the identity provider failed", request=request.id, reason=why)
        detail = "Only members can sign in. Ask an operator for an invitation. " if status == 403 else ""
        page = self._replies.error(status, "You were not signed in", detail + _AGAIN.format(request.id))
        return Response(page.status, page.body, (*page.headers, set_cookie("", COOKIE, 0)))
