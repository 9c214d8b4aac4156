"""The result of one delivery attempt, in words that a person understands."""

from enum import StrEnum

from msgspec import Struct

from signalpost.domain.delivery.exchange import Trace

ANSWER_KEPT_BYTES = 1024
"""How much of an endpoint's answer is kept for people to read."""


class Failure(StrEnum):
    """Why an attempt did not deliver: a closed list. Each value is shown as it is in the API, logs and metrics."""

    DNS = "dns"
    """The host name has no address, or the name server did not answer."""
    ADDRESS_REFUSED = "address_refused"
    """The host resolves to an address that is not public, and `ALLOW_TARGETS` does not name it."""
    CONNECT = "connect"
    """Nothing accepted the TCP connection."""
    PROXY = "proxy"
    """The operator's egress proxy made no connection. This says nothing about the endpoint."""
    TLS_UNTRUSTED = "tls_untrusted"
    """The certificate does not chain to a trusted authority (self-signed ones included)."""
    TLS_EXPIRED = "tls_expired"
    """The certificate is past its validity, or not yet in it."""
    TLS_HOSTNAME = "tls_hostname"
    """The certificate is for another host name."""
    TLS_HANDSHAKE = "tls_handshake"
    """TLS could not be agreed on: an old version, no common cipher, or no TLS at all."""
    TIMEOUT = "timeout"
    """The whole answer had not arrived within the attempt's time (C15)."""
    RESET = "reset"
    """The endpoint closed the connection before its answer was complete."""
    PROTOCOL = "protocol"
    """The answer is not HTTP/1.1 that can be understood, or exceeds the caps on its head."""
    REDIRECT = "redirect"
    """A 3xx answer; redirects are not followed (C15)."""
    STATUS = "status"
    """Any other answer that is not 2xx."""
    TOKEN = "token"  # noqa: S105 - a name
    """No token came for the endpoint that wants one, so nothing was sent: the token endpoint is away, or refuses the
    client."""
    INTERRUPTED = "cut"
    """Signalpost cut the attempt short to shut down, lost the process that made it, or could not make a test's call; it
    does not count (C16)."""

    # The following come from kinds of destinations other than the signed webhook; UNAUTHORISED from both.
    SKIPPED = "skipped"
    """There was nothing to send: the subscription's conditions are not met, or its kind makes nothing of the event.
    That settles the delivery."""
    REJECTED = "rejected"
    """The vendor refuses this event, and would do so again: the delivery is given up at once. The vendor itself
    works."""
    THROTTLED = "throttled"
    """The vendor limits our calls. The delivery waits as long as the vendor asks, and the attempt does not count."""
    UNAUTHORISED = "unauthorised"
    """The vendor, or an endpoint that wants tokens, no longer accepts the token. The delivery waits for another one,
    and the attempt does not count."""
    CONNECTOR = "connector"
    """The code of the kind of destination failed: it raised an error, or asked for something impossible."""


UNCOUNTED = frozenset({Failure.INTERRUPTED, Failure.SKIPPED, Failure.THROTTLED, Failure.UNAUTHORISED})
"""Attempts that end like this do not count (C16), and say nothing about the endpoint's health."""


class Outcome(Struct, frozen=True, gc=False, kw_only=True, array_like=True):
    """One attempt's result. It delivered exactly if `failure` is None."""

    failure: Failure | None = None
    status: int | None = None
    """The final answer's status code, as far as its head arrived."""
    detail: str = ""
    """One sentence for people: what was seen, never a secret or a header's value."""
    quotes: bool = False
    """Whether `detail` may repeat something of the event, or of what a vendor said of it."""
    retry_after: str | None = None
    """The answer's `retry-after` header as it came, on 429 and 503 only."""
    wait: int = 0
    """Seconds for which a vendor wants no calls, with `Failure.THROTTLED` only."""
    answer: bytes = b""
    """The first `ANSWER_KEPT_BYTES` of the answer's body; all that was read of it if the request asked to keep it."""
    head: bytes = b""
    """The answer's status line and headers, if the request asked to keep them."""
    started_at: int = 0
    """Wall clock at the start of name resolution, µs since the epoch."""
    elapsed_us: int = 0
    """From there to the answer's last byte or the failure."""
    trace: Trace | None = None
    """What went over the wire, if the attempt failed or its request asked for that."""
    certificate_ends: int | None = None
    """When the endpoint's certificate ends, µs since the epoch, if this attempt was the first on a connection on which
    it was checked."""

    @property
    def own_words(self) -> str:
        """A sentence about a failure that is kept where no erasure of a document looks for it, such as in the log."""
        if not self.quotes:
            return self.detail or str(self.failure)
        return f"It failed: {self.failure}." if self.status is None else f"The vendor answered {self.status}."
