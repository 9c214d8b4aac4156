"""How a kind's calls are authorised, what a vendor gave for that, and how it is taken back."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from signalpost.destinations.calls import Call


class Fixed(Struct, frozen=True):
    """The same header on every call, for as long as the connection says so."""

    authorization: str
    """The value of the header `authorization`, such as `Bearer xoxb-…`."""

    def __repr__(self) -> str:
        return "Fixed(…)"


class Grant(Struct, frozen=True, kw_only=True):
    """A token is asked for at `url` with a form, and renewed in time (RFC 6749, 4.4; RFC 7523)."""

    url: str
    form: Mapping[str, str]
    """The fields, `grant_type` among them."""
    basic: tuple[str, str] | None = None
    """Client id and secret, if they go into the header."""
    claims: Mapping[str, Any] | None = None
    """What a signed assertion says; the engine adds `iat` and `exp`, signs it and adds it as the field `assertion`."""
    signing_key: str | None = None
    """The private RSA key in PEM that signs the claims."""

    def __repr__(self) -> str:
        return f"Grant({self.url}, …)"


def client_grant(url: str, client_id: str, client_secret: str, scope: str, *, in_header: bool) -> Grant:
    """The grant of a client as itself (RFC 6749, 4.4), whose id and secret go in the header or in the form."""
    form = {"grant_type": "client_credentials"}
    if scope:
        form["scope"] = scope
    if in_header:
        return Grant(url=url, form=form, basic=(client_id, client_secret))
    return Grant(url=url, form=form | {"client_id": client_id, "client_secret": client_secret})


class RequestToSign(Struct, frozen=True):
    """A request as it is about to go out, for what signs it."""

    method: str
    target: str
    """The path with its query, as the request line says it."""
    headers: Mapping[str, str]
    """The host, and what the call itself has, by names in lower case."""
    body: bytes

    def __repr__(self) -> str:
        return f"RequestToSign({self.method}, …)"


class Signer(Struct, frozen=True):
    """Signs each request as it goes out, retries too, with the time at which it does. A kind derives its own from
    this; what it knows must be among the connection's secrets."""

    def sign(self, request: RequestToSign, now: int) -> Mapping[str, str]:
        """The headers that prove who asks; `now` is in seconds since the epoch."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class Consent(Struct, frozen=True, kw_only=True):
    """A person gives consent at `authorize_url` (RFC 6749, 4.1, with PKCE). What the vendor grants is kept with the
    connection and renewed at `token_url` with its refresh token, which the vendor may replace each time."""

    authorize_url: str
    token_url: str
    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    issuer: str = ""
    """What the vendor calls itself in the redirect's `iss`, exactly as it documents it (RFC 9207); without it, the
    origin of `authorize_url`."""
    more: Mapping[str, str] = {}
    """Further parameters of the authorisation request."""

    def __repr__(self) -> str:
        return f"Consent({self.authorize_url}, …)"


Access: TypeAlias = Fixed | Grant | Consent | Signer | None
"""How calls are authorised; None if they need nothing, or the URL is the secret."""


class Held(Struct, frozen=True, kw_only=True):
    """The credentials that a vendor gave, in addition to those in the connection."""

    access_token: str = ""
    """Empty if there is none, or the connection itself has the credentials."""
    refresh_token: str = ""
    """From a person's consent; otherwise empty."""
    account: Mapping[str, str] = {}
    """What `discovered` kept of the vendor's account."""

    def __repr__(self) -> str:
        return "Held(…)"


class Revocation(Struct, frozen=True, kw_only=True):
    """A call that revokes the gateway's credentials at the vendor."""

    call: Call
    basic: tuple[str, str] | None = None
    """Client id and secret that go into the header in place of what `access` says."""

    def __repr__(self) -> str:
        return f"Revocation({self.call!r})"
