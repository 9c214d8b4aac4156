"""Who calls: keys, the roles that they have, and what a role may do."""

import hashlib
import hmac
import secrets
from enum import StrEnum

from msgspec import Struct

from signalpost.domain.errors import Unauthenticated


class Role(StrEnum):
    OPERATOR = "operator"
    """Everything, in any tenant."""


class Principal(Struct, frozen=True):
    """Whose request it is."""

    key_id: int
    """Idempotency keys count per API key; the operator's own is 0."""
    name: str
    role: Role


def make_key() -> str:
    """A new API key: `sp_` and 43 characters, 256 random bits."""
    return f"sp_{secrets.token_urlsafe(32)}"


class Keys:
    """Keeps hashes only: a 256-bit random key needs no slow hash."""

    def __init__(self, operator_key: str) -> None:
        self._operator = hashlib.sha256(operator_key.encode()).digest()

    def principal(self, authorization: str | None) -> Principal:
        """Whose `Authorization` header this is. Raises Unauthenticated."""
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Unauthenticated("no_key", "Send your key in the header `Authorization: Bearer sp_…`.")
        digest = hashlib.sha256(key.strip().encode("utf-8", "surrogateescape")).digest()
        if hmac.compare_digest(digest, self._operator):
            return Principal(0, "operator", Role.OPERATOR)
        raise Unauthenticated("unknown_key", "This key is not known here, or was revoked.")
