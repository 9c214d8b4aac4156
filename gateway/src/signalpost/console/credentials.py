"""What people show to be let in: an API key, or an e-mail address and a password. Both may be tried only so fast.

What was wrong is not told: an address that is no member's gets the same answer as a wrong password, after the same
time. The audit tells of wrong passwords of members, and of keys that have ended; of names and keys that do not exist,
only the log does.
"""

from typing import Final, Literal

from signalpost.api.guards.principals import EndedKey, Principal, principal_of
from signalpost.api.http.request import Request
from signalpost.api.routing.services import Services
from signalpost.domain.access.api_key import FIRST_TENANT, ApiKey
from signalpost.domain.access.member import MAX_PASSWORD_CHARACTERS, Member
from signalpost.domain.access.sign_in import Ground
from signalpost.domain.audit import Actor, ActorKind, EntryDraft, Object
from signalpost.domain.errors import TooMany, Unauthenticated
from signalpost.domain.timestamps import SECOND
from signalpost.engine.audited import tell
from signalpost.engine.maintenance.refused_calls import RefusedCall
from signalpost.runtime.logger import log

WRONG_KEY: Final = "This key is unknown or has ended. Ask an operator for a new key, or for a link."
WRONG_PAIR: Final = "The e-mail address or the password is wrong. If you forgot it, ask an operator for a link."


class CredentialsRefused(Exception):
    """Why a person is not let in, in a sentence for them."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Credentials:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def of_key(self, request: Request, key: str) -> Principal:
        """The principal of an API key. Raises CredentialsRefused."""
        try:
            found = await self._services.principals.of(f"Bearer {key}")
            if found.reads is not None:
                raise Unauthenticated("unknown_key", "The key of a reader signs nobody in.")
            return found
        except Unauthenticated as wrong:
            if isinstance(wrong, EndedKey):
                self._tell_refused(request, "key", wrong.key, wrong.code)
            await self._services.limits.strangers.turn()
            raise CredentialsRefused(401, WRONG_KEY) from None

    async def of_password(self, request: Request, email: str, password: str) -> Member:
        """The member who has this address and this password. Raises CredentialsRefused."""
        account, source = email.strip().lower()[:MAX_PASSWORD_CHARACTERS], self.source(request)
        wait = await self._services.sign_in_tries.take(account, source)
        if wait:
            raise CredentialsRefused(429, f"Too many tries. Wait {-(-wait // SECOND)} s, then try again.")
        member = await self._services.store.access.member_with(account) if account else None
        try:
            known = None if member is None else member.password
            is_right = await self._services.passwords.check(password[: MAX_PASSWORD_CHARACTERS + 1], known)
        except TooMany as too_many:
            raise CredentialsRefused(429, str(too_many)) from None
        if member is None or not is_right:
            log.warning("wrong password", request=request.id, source=source)
            if member is not None:
                self._tell_refused(request, "member", member, "wrong_password")
            raise CredentialsRefused(401, WRONG_PAIR)
        await self._services.sign_in_tries.note_success(account, source)
        return member

    async def prove(self, request: Request, ground: Ground, typed: str) -> None:
        """Check that the holder of a session knows the password or key that the session comes from. Raises
        CredentialsRefused."""
        if ground.kind == "member":
            member = await self._services.store.access.member(ground.id)
            shown = await self.of_password(request, "" if member is None else member.email, typed)
            if self._services.principals.ground_of(principal_of(shown)) != ground:
                raise CredentialsRefused(401, WRONG_PAIR)
        elif self._services.principals.ground_of(await self.of_key(request, typed.strip())) != ground:
            raise CredentialsRefused(401, "You signed in with another key.")

    async def proved_with(self, who: Principal) -> Literal["key", "password", "provider"]:
        """What a person can use to prove again who they are."""
        if who.kind == "key":
            return "key"
        member = await self._services.store.access.member(who.id)
        return "provider" if member is not None and member.password is None else "password"

    # --- Audit --------------------------------------------------------------------------------------------------------

    def actor(self, request: Request, who: Principal) -> Actor:
        return self._actor(request, who.kind, who.id, who.name, who.role)

    async def tell(self, request: Request, who: Principal, action: str, **said: str) -> None:
        """Have the audit tell what a person did with their session. Raises Unavailable."""
        draft = EntryDraft(
            tenant_id=FIRST_TENANT if who.tenant_id is None else who.tenant_id,
            at=self._services.clock.wall(),
            actor=self.actor(request, who),
            action=action,
            object=Object(who.kind, who.id),
            changes={name: {"old": None, "new": value} for name, value in said.items()},
        )
        await tell(self._services.store.audit, [draft])

    def _tell_refused(self, request: Request, kind: ActorKind, who: ApiKey | Member, code: str) -> None:
        actor = self._actor(request, kind, who.id, who.name, who.role)
        is_there = self._services.directory.tenant_with(who.tenant_id) is not None
        call = RefusedCall(who.tenant_id if is_there else FIRST_TENANT, actor, code, "POST /console/sign-in")
        self._services.engine.maintenance.refused_calls.note(call)

    def _actor(self, request: Request, kind: ActorKind, id_: str, name: str, role: str | None) -> Actor:
        return Actor(kind=kind, id=id_, name=name, role=role, source=self.source(request), request=request.id)

    def source(self, request: Request) -> str | None:
        """The address from which a request came, as far as trusted proxies vouch for it."""
        return request.source(self._services.installation.trusted_proxies)
