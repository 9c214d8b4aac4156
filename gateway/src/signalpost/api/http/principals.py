"""Finds out who sends a request, by the key in its `Authorization` header."""

import hmac
from collections.abc import Callable

from msgspec import Struct

from signalpost.domain.api_key import OPERATOR_NAME, OPERATOR_NUMBER, ApiKey, Role, hash_key
from signalpost.domain.errors import Forbidden, Unauthenticated


class Principal(Struct, frozen=True):
    """The API key that a request came with."""

    key_id: int
    """The number of the API key; 0 for the operator's key of the settings."""
    name: str
    role: Role
    hash: bytes = b""
    """The hash of the API key; empty for the operator's key of the settings."""

    def must_be(self, roles: frozenset[Role]) -> None:
        """Raises Forbidden if the key has none of these roles."""
        if self.role not in roles:
            raise Forbidden("role_not_allowed", f"A key with the role {self.role} cannot do this.")


_OPERATOR = Principal(OPERATOR_NUMBER, OPERATOR_NAME, Role.OPERATOR)


class Principals:
    def __init__(self, operator_key: str, find: Callable[[bytes], ApiKey | None]) -> None:
        """`operator_key` is the key of the settings. `find` returns the API key with a hash, unless it was revoked."""
        self._operator = hash_key(operator_key)
        self._find = find

    def of(self, authorization: str | None) -> Principal:
        """The sender of a request with this `Authorization` header. Raises Unauthenticated."""
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Unauthenticated("no_key", "Send your key in the header `Authorization: Bearer sp_…`.")
        digest = hash_key(key.strip())
        if hmac.compare_digest(digest, self._operator):
            return _OPERATOR
        # It is looked up by its hash, so the time that takes tells nothing about the key.
        found = self._find(digest)
        if found is None:
            raise _unknown()
        return Principal(found.number, found.name, found.role, digest)

    def check(self, principal: Principal) -> None:
        """Raises Unauthenticated if the key was revoked since `of` found it."""
        if principal is not _OPERATOR and self._find(principal.hash) is None:
            raise _unknown()


def _unknown() -> Unauthenticated:
    return Unauthenticated("unknown_key", "This key is not known here, or was revoked.")
