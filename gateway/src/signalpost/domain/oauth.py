"""The client as which the gateway asks for tokens for one webhook, whose endpoint wants one with each request (`oauth`;
OAuth 2, client credentials: RFC 6749, 4.4)."""

from collections.abc import Iterable
from typing import Annotated, Final, Literal
from urllib.parse import quote_plus

from msgspec import Meta, Struct

from signalpost.domain.body import Body
from signalpost.domain.endpoint import EndpointUrl, origin_of
from signalpost.domain.errors import FieldError, Invalid
from signalpost.domain.shown_url import shown_url

HEADER: Final = "authorization"
_PRINTABLE: Final = "^[ -~]*$"
CredentialsIn = Literal["header", "form"]


class OAuthClient(Body, frozen=True, kw_only=True):
    """Where tokens are asked for, and as which client."""

    token_url: Annotated[EndpointUrl, Meta(description="The URL of the token endpoint, under the rules of `url`.")]
    client_id: Annotated[str, Meta(min_length=1, max_length=512, pattern="^[!-~]+$")]
    client_secret: Annotated[
        str, Meta(min_length=1, max_length=4096, pattern=_PRINTABLE, description="It is never shown.")
    ]
    scope: Annotated[
        str, Meta(max_length=1024, pattern=_PRINTABLE, description="What to ask for; empty if that need not be said.")
    ] = ""
    credentials_in: Annotated[
        CredentialsIn,
        Meta(description="Whether id and secret go in the header `authorization` or as fields of the form."),
    ] = "header"

    def __repr__(self) -> str:
        """Shows no secret, because tools that print a traceback's variables call this."""
        return f"OAuthClient({self.client_id})"

    @property
    def shown(self) -> "OAuthClientShown":
        return OAuthClientShown(shown_url(self.token_url), self.client_id, self.scope, self.credentials_in)

    @property
    def token_origin(self) -> str:
        return origin_of(self.token_url) or ""


class OAuthClientShown(Struct, frozen=True, rename="camel"):
    """A client without its secret."""

    token_url: str
    client_id: str
    scope: str
    credentials_in: CredentialsIn


OAuthGiven = Annotated[
    OAuthClient,
    Meta(
        description="The gateway asks for a token as this client, and sends it with each request: `authorization: "
        "Bearer …`. If the scheme, host or port of the URL changes, give it again."
    ),
]


def in_header(credential: str) -> str:
    """The id or secret of a client as it goes into a header: encoded as in a form first (RFC 6749, 2.3.1)."""
    return quote_plus(credential)


def check_apart(client: OAuthClient | None, headers: Iterable[str]) -> None:
    """Raises Invalid if one of the headers is that of the token. `headers` are all that are sent beside the gateway's
    own."""
    if client is not None and any(name.lower() == HEADER for name in headers):
        detail = "The token goes in the header authorization, which headers or signAlso have already. Leave one out."
        raise Invalid([FieldError("/oauth", "header_taken", detail)])
