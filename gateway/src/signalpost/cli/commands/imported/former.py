"""An endpoint as another system has it, in the words that all of them have in common."""

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from signalpost.domain.oauth import CredentialsIn
from signalpost.domain.old_signature import Algorithm, Encoding

Rate: TypeAlias = Annotated[int, Meta(ge=0, le=1_000_000_000)]
"""A number of requests, or the seconds in which they are made, as other systems say it."""


class FormerSignature(Struct, frozen=True, kw_only=True):
    """A signature that receivers of that system verify, and that `signAlso` can make."""

    header: str
    secret: str
    algorithm: Algorithm = Algorithm.SHA256
    encoding: Encoding = "hex"
    over: str = "{body}"
    prefix: str = ""

    def __repr__(self) -> str:
        """Shows no secret, because tools that print a traceback's variables call this."""
        return f"FormerSignature({self.header})"


class FormerClient(Struct, frozen=True, kw_only=True):
    """The client as which that system asks for tokens that the endpoint wants."""

    token_url: str
    client_id: str
    secret: str | None
    """None if the other system does not show it."""
    scope: str = ""
    credentials_in: CredentialsIn = "header"

    def __repr__(self) -> str:
        """Shows no secret, because tools that print a traceback's variables call this."""
        return f"FormerClient({self.client_id})"


class FormerCertificate(Struct, frozen=True, kw_only=True):
    """The certificate that is offered to the endpoint, and its key, both as PEM."""

    certificate: str
    key: str

    def __repr__(self) -> str:
        """Shows no private key, because tools that print a traceback's variables call this."""
        return "FormerCertificate(…)"


class FormerEndpoint(Struct, frozen=True, kw_only=True):
    """An endpoint that is to become a subscription."""

    id: str
    name: str
    """What people call it; may be empty."""
    url: str | None
    """None if it is no webhook."""
    types: Sequence[str] | None = None
    """The names of the types of events that it gets, in which a * stands for any characters; None for all."""
    secret: str | None = None
    """The secret of Standard Webhooks, which signs here as it did there."""
    signature: FormerSignature | None = None
    headers: Mapping[str, str | None] = {}
    """Additional headers; None is a value that the other system does not show."""
    oauth: FormerClient | None = None
    certificate: FormerCertificate | None = None
    rate_limit: float | None = None
    """Requests a second; None if there is no limit."""
    lost: Sequence[str] = ()
    """What of it there is no counterpart for, in sentences."""

    def __repr__(self) -> str:
        """Shows no secret, because tools that print a traceback's variables call this."""
        return f"FormerEndpoint({self.id})"
