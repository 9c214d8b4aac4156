"""Everything that this package raises.

    ReceiverError
    ├── ConfigError               500  the receiver itself is set up wrongly (raised at construction)
    ├── VerificationError         401  the request does not prove that it comes from the gateway
    │   ├── MissingHeader              a header that is needed is not there
    │   ├── MalformedSignature         a header is there more than once, or cannot be what the gateway sends
    │   └── Mismatch                   no signature fits the body and any of the tokens
    ├── PayloadError              400  the body is not an event
    │   ├── TooLarge              413  longer than the cap; it was not even hashed
    │   ├── InvalidJSON                not UTF-8, not JSON, or JSON beyond what can be read
    │   └── Schema                     JSON, but an attribute is missing or of the wrong kind
    └── ReplayError               400  genuine, but sent at another time
        ├── TooOld
        └── InFuture

Messages name headers and attributes, never a secret, a signature, or a value out of the body: they are safe
to log.
"""

from typing import ClassVar


class ReceiverError(Exception):
    """The root. `status` is the HTTP status code to answer with."""

    status: ClassVar[int] = 500


class ConfigError(ReceiverError):
    """A token or an option that can never work, such as an empty token."""


class VerificationError(ReceiverError):
    """The request does not prove that it comes from the gateway."""

    status = 401


class MissingHeader(VerificationError):
    """A header that the check needs is not there."""


class MalformedSignature(VerificationError):
    """A header of the signature is repeated, or cannot be what the gateway sends."""


class Mismatch(VerificationError):
    """The signatures are well formed, but none fits this body and any of the tokens."""


class PayloadError(ReceiverError):
    """The body is not an event."""

    status = 400


class TooLarge(PayloadError):
    """The body is longer than the cap."""

    status = 413


class InvalidJSON(PayloadError):
    """The body is not UTF-8, not JSON, or nested or numbered beyond what can be read."""


class Schema(PayloadError):
    """The body is JSON, but not an event; the message names the attribute."""


class ReplayError(ReceiverError):
    """The request is genuine, but was signed at a time that is not now."""

    status = 400


class TooOld(ReplayError):
    """Signed longer ago than `max_age`."""


class InFuture(ReplayError):
    """Signed further ahead of this machine's clock than `skew`."""
