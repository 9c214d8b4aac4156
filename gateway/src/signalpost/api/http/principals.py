"""Finds out who sends a request, by the key in its `Authorization` header, or by what a session comes from."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Literal

from msgspec import Struct

from signalpost.domain.api_key import OPERATOR_NAME, OPERATOR_NUMBER, ApiKey, Role, hash_key
from signalpost.domain.errors import Unauthenticated
from signalpost.domain.member import Member
from signalpost.domain.sign_in import Ground


class Principal(Struct, frozen=True):
    """Who a request comes from: an API key, or a member who is signed in to the console."""

    key_id: int
    """The number of the API key or of the member; 0 for the operator's key of the settings, whose `id` is its name."""
    id: str
    name: str
    role: Role
    tenant_id: int | None = None
    """The only tenant that it works in; None for an operator, who works in any."""
    proof: bytes = b""
    """What must be true of it still, as its sessions name it; empty for the operator's key of the settings."""
    kind: Literal["key", "member"] = "key"


OPERATOR = Principal(OPERATOR_NUMBER, OPERATOR_NAME, OPERATOR_NAME, Role.OPERATOR)


class EndedKey(Unauthenticated):
    """A key that was revoked or has expired. Whoever sends it may still have it by mistake, or have stolen it."""

    def __init__(self, code: str, detail: str, key: ApiKey) -> None:
        super().__init__(code, detail)
        self.key = key


class Principals:
    def __init__(
        self,
        operator_key: str,
        find: Callable[[bytes], ApiKey | None],
        now: Callable[[], int],
        note_use: Callable[[ApiKey], None],
        find_member: Callable[[str], Awaitable[Member | None]],
    ) -> None:
        """`operator_key` is the key of the settings. `find` returns the API key with a hash, also one that was revoked,
        and `find_member` the member with an id; `now` is the wall clock, in µs; `note_use` is told of every key that
        opened something."""
        self._operator = hash_key(operator_key)
        self._find = find
        self._now = now
        self._note_use = note_use
        self._find_member = find_member

    def of(self, authorization: str | None) -> Principal:
        """The sender of a request with this `Authorization` header. Raises Unauthenticated."""
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Unauthenticated("no_key", "Send your key in the header `Authorization: Bearer sp_…`.")
        return self._with_hash(hash_key(key.strip()))

    def ground_of(self, principal: Principal) -> Ground:
        """What a session of this principal comes from."""
        return Ground(principal.kind, principal.id, principal.proof or self._operator)

    async def on(self, ground: Ground) -> Principal:
        """Who has a session that comes from this. Raises Unauthenticated where that is not what it was: a key was
        revoked or has expired, a member was removed or has another role or password."""
        if ground.kind == "key":
            return self._with_hash(ground.proof)
        member = await self._find_member(ground.id) if ground.kind == "member" else None
        if member is None or not member.is_active or member.proof != ground.proof:
            raise Unauthenticated("session_ended", "This session has ended. Sign in again.")
        return principal_of(member)

    def _with_hash(self, digest: bytes) -> Principal:
        if hmac.compare_digest(digest, self._operator):
            return OPERATOR
        # It is looked up by its hash, so the time that takes tells nothing about the key.
        found = self._valid(digest)
        self._note_use(found)
        tenant_id = None if found.role is Role.OPERATOR else found.tenant_id
        return Principal(found.number, found.id, found.name, found.role, tenant_id, digest)

    def check(self, principal: Principal) -> None:
        """Raises Unauthenticated if the key was revoked, or expired, since `of` found it. A member is looked at
        with their session, whenever that is used and while an answer to it lasts."""
        if principal.kind == "key" and principal is not OPERATOR:
            self._valid(principal.proof)

    def _valid(self, digest: bytes) -> ApiKey:
        found = self._find(digest)
        if found is None:
            raise _unknown()
        if found.revoked_at is not None:
            raise EndedKey("unknown_key", str(_unknown()), found)
        if found.expires_at is not None and found.expires_at <= self._now():
            raise EndedKey("expired_key", "This key has expired. Ask an operator for a new one.", found)
        return found


def principal_of(member: Member) -> Principal:
    tenant_id = None if member.role is Role.OPERATOR else member.tenant_id
    return Principal(member.number, member.id, member.name, member.role, tenant_id, member.proof, "member")


def _unknown() -> Unauthenticated:
    return Unauthenticated("unknown_key", "This key is not known here, or was revoked.")
