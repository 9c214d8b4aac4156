"""API keys: who may call, and what they may do. Only the hash of a key is stored; the key itself is shown once."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from signalpost.domain.body import Body
from signalpost.domain.checks import NO_NUL
from signalpost.domain.fields import GivenTimestamp

KEY_RANDOM_BYTES = 32
FIRST_TENANT = 1
"""The number of `default`, the tenant that every database begins with."""
OPERATOR_NUMBER = 0
OPERATOR_NAME = "operator"
"""Name of the operator's own key, which is a setting and not stored."""


class Role(StrEnum):
    """What a key may do. Every route names the roles that may call it."""

    OPERATOR = "operator"
    """May do everything, in any tenant."""
    APP = "app"
    """Makes and changes the documents of its tenant."""
    SUBSCRIBER = "subscriber"
    """Makes and changes subscriptions of its tenant, follows its events and deliveries, and reads its documents."""
    VIEWER = "viewer"
    """Reads what its tenant has."""


class ApiKey(Struct, frozen=True, kw_only=True):
    number: int
    """Primary key in the store; 0 before the key is stored."""
    tenant_id: int
    """The tenant that it works in. An operator's key works in every tenant, and ends with this one."""
    id: str
    name: str
    role: Role
    hash: bytes
    """SHA-256. A key is 256 random bits, so it needs no slow hash."""
    created_at: int
    expires_at: int | None = None
    created_by: str | None = None
    """Name of the key with which it was made; None if no key was used, or none was noted."""
    revoked_at: int | None = None
    last_used_at: int | None = None
    """When it was last used, as far as the store knows; `api/guards/principals.py` knows of later uses."""


def make_key(random_bytes: Callable[[int], bytes]) -> str:
    """A new API key: `sp_` and 43 characters, 256 random bits."""
    return "sp_" + urlsafe_b64encode(random_bytes(KEY_RANDOM_BYTES)).decode().rstrip("=")


def hash_key(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


class KeyRequest(Body, frozen=True, kw_only=True):
    name: Annotated[
        str, Meta(min_length=1, max_length=128, pattern=NO_NUL, description="Who uses it; shown in lists and logs.")
    ]
    role: Role
    expires_at: Annotated[
        GivenTimestamp | None, Meta(description="When the key expires. Without it, the key works until it is revoked.")
    ] = None
