"""Signed assertions, with which a client asks for a token instead of with a secret (RFC 7523)."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

GOOD_FOR = 180
"""Seconds for which an assertion is good. Vendors take three minutes and more."""


def signed(claims: Mapping[str, Any], private_key: str, now: int) -> str:
    """A JWT with these claims, `iat` and `exp`, signed with RS256. `private_key` is PEM, `now` seconds since the epoch.
    Raises ValueError if the key is no RSA key."""
    key = load_pem_private_key(private_key.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("The private key is not an RSA key.")
    parts = [{"alg": "RS256", "typ": "JWT"}, {**claims, "iat": now, "exp": now + GOOD_FOR}]
    text = b".".join(_encoded(msgspec.json.encode(part)) for part in parts)
    return (text + b"." + _encoded(key.sign(text, PKCS1v15(), SHA256()))).decode()


def _encoded(part: bytes) -> bytes:
    return urlsafe_b64encode(part).rstrip(b"=")
