"""What became of one attempt to deliver, in words that a person understands."""

from enum import StrEnum

from msgspec import Struct

ANSWER_KEPT_BYTES = 1024
"""How much of an endpoint's answer is kept for people to read."""


class Failure(StrEnum):
    """Why an attempt failed: a closed list. Each value is shown as it is in the API, logs and metrics."""

    DNS = "dns"
    """The host name has no address, or the name server did not answer."""
    ADDRESS_REFUSED = "address_refused"
    """The host resolves to an address that is not public, and `ALLOW_TARGETS` does not name it."""
    CONNECT = "connect"
    """Nothing accepted the TCP connection."""
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
    INTERRUPTED = "cut"
    """Signalpost cut the attempt short to shut down; it does not count (C16)."""


class Outcome(Struct, frozen=True, kw_only=True):
    """One attempt's result. It delivered exactly if `failure` is None."""

    failure: Failure | None = None
    status: int | None = None
    """The final answer's status code, as far as its head arrived."""
    detail: str = ""
    """One sentence for people: what was seen, never a secret or a header's value."""
    retry_after: str | None = None
    """The answer's `retry-after` header as it came, on 429 and 503 only."""
    answer: bytes = b""
    """The first `ANSWER_KEPT_BYTES` of the answer's body."""
    started_at: int = 0
    """Wall clock at the start of name resolution, µs since the epoch."""
    elapsed_us: int = 0
    """From there to the answer's last byte or the failure."""
