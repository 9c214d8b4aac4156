"""One request, ready to be written: what a destination prepares and a transport sends."""

from msgspec import Struct


class EndpointTls(Struct, frozen=True, array_like=True):
    """How one subscription speaks TLS with its endpoint. Whatever is kept by target is kept apart by this, too: no
    connection or session of one subscription is another's."""

    subscription: str
    """The id of the subscription."""
    chain: bytes = b""
    """The certificate that is offered to the endpoint, with what leads to its root, as PEM; empty for none."""
    key: bytes = b""
    """The private key of that, as PEM."""
    authorities: bytes = b""
    """Who is trusted, in place of all others, as PEM; empty for whom all subscriptions trust."""

    def __repr__(self) -> str:
        """Shows no private key, because tools that print a traceback's variables call this."""
        return f"EndpointTls({self.subscription}, …)"


class Target(Struct, frozen=True, array_like=True):
    """Scheme, host and port to which requests of an endpoint go. Connections are pooled by target."""

    scheme: str
    """`https`, or `http` if `ALLOW_TARGETS` says so; of a mail server `smtps` or `smtp`."""
    host: str
    """Lower case, IDNA-encoded; an IPv6 address without its brackets."""
    port: int
    tls: EndpointTls | None = None
    """None to speak TLS as with every endpoint."""


class OutgoingRequest(Struct, frozen=True, gc=False, array_like=True):
    """One request, ready to be written as it is."""

    target: Target
    head: bytes
    """Request line and headers with the empty line that ends them."""
    body: bytes
    keeps: bool = False
    """Whether the head of the answer is wanted, and its body as far as it is read, for more than people to look at."""
    traced: bool = False
    """Whether what went over the wire is wanted although the attempt may deliver."""
    holder: int = 0
    """For whom it is sent: look-ups of names are shared between these. The number of a tenant; 0 if it is for no
    tenant."""
    seconds: float | None = None
    """How long the attempt may take; None for as long as any (C15)."""


class OutgoingMail(Struct, frozen=True):
    """One mail, ready to be handed to a mail server as it is."""

    target: Target
    login: tuple[str, str] | None
    """User name and password; None if the server wants none."""
    sender: str
    recipients: tuple[str, ...]
    """Without any, nothing is sent: the gateway signs in and leaves."""
    message: bytes
    """The headers and the text."""
    seconds: float
    """How long all of it may take."""
    holder: int
    """For whom it is sent; see `OutgoingRequest`."""

    def __repr__(self) -> str:
        """Shows where it goes and no more: it holds a password and what people wrote."""
        return f"OutgoingMail({self.target!r}, …)"
