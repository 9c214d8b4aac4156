"""Who calls: the keys that are known, and what their holders are to a handler."""

import hmac
from collections.abc import Callable

from msgspec import Struct

from signalpost.domain.api_key import OPERATOR_NAME, OPERATOR_NUMBER, ApiKey, Role, hash_key
from signalpost.domain.errors import Forbidden, Unauthenticated


class Principal(Struct, frozen=True):
    """Whose request it is."""

    key_id: int
    """Idempotency keys count per API key; the operator's own is 0."""
    name: str
    role: Role
    hash: bytes = b""
    """Of a made key."""

    def must_be(self, roles: frozenset[Role]) -> None:
        """Raises Forbidden for a role that is none of these."""
        if self.role not in roles:
            raise Forbidden("role_not_allowed", f"A key with the role {self.role} cannot do this.")


_OPERATOR = Principal(OPERATOR_NUMBER, OPERATOR_NAME, Role.OPERATOR)


class Principals:
    def __init__(self, operator_key: str, find: Callable[[bytes], ApiKey | None]) -> None:
        """`operator_key` is the one of the settings; `find` gives the made one with a hash, if it is not revoked."""
        self._operator = hash_key(operator_key)
        self._find = find

    def of(self, authorization: str | None) -> Principal:
        """Whose `Authorization` header this is. Raises Unauthenticated."""
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Unauthenticated("no_key", "Send your key in the header `Authorization: Bearer sp_…`.")
        digest = hash_key(key.strip())
        if hmac.compare_digest(digest, self._operator):
            return _OPERATOR
        # Looked up by its hash: how long that takes tells nothing of the key.
        found = self._find(digest)
        if found is None:
            raise _unknown()
        return Principal(found.number, found.name, found.role, digest)

    def check(self, principal: Principal) -> None:
        """Raises Unauthenticated where the key was revoked since `of` found it."""
        if principal is not _OPERATOR and self._find(principal.hash) is None:
            raise _unknown()


def _unknown() -> Unauthenticated:
    return Unauthenticated("unknown_key", "This key is not known here, or was revoked.")
