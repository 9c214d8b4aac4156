"""Finds out who sends a request, by the key in its `Authorization` header."""

import hmac
from collections.abc import Callable

from msgspec import Struct

from signalpost.domain.api_key import OPERATOR_NAME, OPERATOR_NUMBER, ApiKey, Role, hash_key
from signalpost.domain.errors import Unauthenticated
from signalpost.domain.sign_in import Ground


class Principal(Struct, frozen=True):
    """The API key that a request came with."""

    key_id: int
    """The number of the API key; 0 for the operator's key of the settings, whose `id` is its name."""
    id: str
    name: str
    role: Role
    tenant_id: int | None = None
    """The only tenant that it works in; None for an operator's key, which works in any."""
    hash: bytes = b""
    """The hash of the API key; empty for the operator's key of the settings."""


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
    ) -> None:
        """`operator_key` is the key of the settings. `find` returns the API key with a hash, also one that was revoked;
        `now` is the wall clock, in µs; `note_use` is told of every key that opened something."""
        self._operator = hash_key(operator_key)
        self._find = find
        self._now = now
        self._note_use = note_use

    def of(self, authorization: str | None) -> Principal:
        """The sender of a request with this `Authorization` header. Raises Unauthenticated."""
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Unauthenticated("no_key", "Send your key in the header `Authorization: Bearer sp_…`.")
        return self._with_hash(hash_key(key.strip()))

    def ground_of(self, principal: Principal) -> Ground:
        """What a session of this principal comes from."""
        return Ground("key", principal.id, principal.hash or self._operator)

    def on(self, ground: Ground) -> Principal:
        """Who has a session that comes from this. Raises Unauthenticated where that is not what it was: a key was
        revoked, has expired, or is another one."""
        if ground.kind != "key":
            raise _unknown()
        return self._with_hash(ground.proof)

    def _with_hash(self, digest: bytes) -> Principal:
        if hmac.compare_digest(digest, self._operator):
            return OPERATOR
        # It is looked up by its hash, so the time that takes tells nothing about the key.
        found = self._valid(digest)
        self._note_use(found)
        tenant_id = None if found.role is Role.OPERATOR else found.tenant_id
        return Principal(found.number, found.id, found.name, found.role, tenant_id, digest)

    def check(self, principal: Principal) -> None:
        """Raises Unauthenticated if the key was revoked, or expired, since `of` found it."""
        if principal is not OPERATOR:
            self._valid(principal.hash)

    def _valid(self, digest: bytes) -> ApiKey:
        found = self._find(digest)
        if found is None:
            raise _unknown()
        if found.revoked_at is not None:
            raise EndedKey("unknown_key", str(_unknown()), found)
        if found.expires_at is not None and found.expires_at <= self._now():
            raise EndedKey("expired_key", "This key has expired. Ask an operator for a new one.", found)
        return found


def _unknown() -> Unauthenticated:
    return Unauthenticated("unknown_key", "This key is not known here, or was revoked.")
