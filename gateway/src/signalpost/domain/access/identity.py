"""What an identity provider says about a person (OpenID Connect Core 1.0), and whether to believe it.

A browser that is sent to the provider keeps a random secret in a cookie. The state, the nonce and the verifier of PKCE
follow from it, so nothing is stored meanwhile, and whichever node is asked can tell that the answer came to the browser
that asked (RFC 6749, 10.12; RFC 7636).
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from msgspec import Struct

LEEWAY: Final = 60
"""Seconds by which the provider's clock and this one may be apart."""


class Disbelieved(Exception):
    """What the provider said cannot be believed. The message says why, for the log of an operator."""


class Identity(Struct, frozen=True):
    """A person, as the provider knows them."""

    subject: str
    """Names the person at this provider, for good: `issuer subject`. Addresses are given to others, this is not."""
    email: str
    """In lower case. The provider vouches that it is theirs."""
    authenticated_at: int | None
    """When they last showed the provider who they are (seconds); None if it does not say."""


class Secret:
    """The secret of a browser that was sent to the provider, and what follows from it."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode("ascii", "replace")
        self.state = self._follows("state")
        self.nonce = self._follows("nonce")
        self.verifier = self._follows("verifier")

    @property
    def challenge(self) -> str:
        return _base64(sha256(self.verifier.encode()).digest())

    def is_state(self, state: str) -> bool:
        return hmac.compare_digest(self.state.encode(), state.encode("utf-8", "replace"))

    def _follows(self, what: str) -> str:
        return _base64(hmac.digest(self._secret, b"signalpost oidc " + what.encode(), "sha256"))


def identity_of(claims: Mapping[str, Any], issuer: str, client_id: str, nonce: str, now: int) -> Identity:
    """The person of a token whose signature is good (Core, 3.1.3.7). `now` is in seconds. Raises Disbelieved."""
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    expires, issued, shown = (_seconds(claims.get(name)) for name in ("exp", "iat", "auth_time"))
    subject, email = claims.get("sub"), claims.get("email")
    if claims.get("iss") != issuer:
        raise Disbelieved("The token is of another issuer.")
    if not isinstance(audiences, list) or client_id not in audiences:
        raise Disbelieved("The token is for another client.")
    if claims.get("azp", client_id) != client_id or (len(audiences) > 1 and "azp" not in claims):
        raise Disbelieved("The token was given to another client.")
    if expires is None or expires + LEEWAY <= now:
        raise Disbelieved("The token has expired.")
    if issued is None or issued - LEEWAY > now:
        raise Disbelieved("The token is of the future: set the clocks.")
    if not isinstance(claims.get("nonce"), str) or not hmac.compare_digest(claims["nonce"].encode(), nonce.encode()):
        raise Disbelieved("The token is for another sign-in.")
    if not isinstance(subject, str) or not subject:
        raise Disbelieved("The token names nobody.")
    if not isinstance(email, str) or claims.get("email_verified") is not True:
        raise Disbelieved("The provider does not vouch for an e-mail address: it must give email and email_verified.")
    return Identity(f"{issuer} {subject}", email.lower(), shown)


def _seconds(value: Any) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 0 <= value < 1e12 else None


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
