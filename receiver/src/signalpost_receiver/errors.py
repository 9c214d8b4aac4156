"""Everything that this package raises.

    ReceiverError
    ├── ConfigError               500  the receiver is set up wrongly; raised when it is made
    ├── UsageError                500  the receiver is called wrongly, say with a body that was parsed already
    ├── HandlerError              500  a handler raised something, which is the `__cause__`
    ├── StoreError                503  the store raised something, which is the `__cause__`
    ├── FeedError                 503  the gateway's log could not be read
    └── Refusal                        the request is answered with `status`, and nothing is wrong here:
        ├── VerificationError     401  the request does not prove that it comes from the gateway
        │   ├── MissingHeader          a header that is needed is not there
        │   ├── MalformedSignature     a header occurs more than once, or cannot be what the gateway sends
        │   └── Mismatch               no signature fits the body and any of the secrets
        ├── ReplayError           400  genuine, but of another time
        │   ├── TooOld
        │   └── InFuture
        ├── PayloadError          400  the body is not an event
        │   ├── TooLarge          413  longer than the cap; it was not even hashed
        │   ├── InvalidJSON            not UTF-8, not JSON, or JSON beyond what can be read
        │   ├── TooDeep                JSON, but nested more deeply than any event
        │   ├── DuplicateKey           JSON, but an object has a name twice, so that two readers may differ
        │   └── Schema                 JSON, but an attribute is missing or of the wrong kind
        └── InProgress            503  the same event, or another of its document, is being handled at this moment

Messages name headers and attributes, never a secret, a signature, or a value out of the body: they are safe
to log, and to answer with.
"""

from __future__ import annotations

from typing import ClassVar


class ReceiverError(Exception):
    """The root. `status` is the HTTP status code to answer with."""

    status: ClassVar[int] = 500


class ConfigError(ReceiverError):
    """A secret or an option that can never work or would not be safe, such as an empty secret."""


class UsageError(ReceiverError):
    """An argument that no request can explain: the code that calls the receiver has to change."""


class HandlerError(ReceiverError):
    """A handler raised the exception that is the `__cause__`. The event counts as not handled: a retry is handled."""


class StoreError(ReceiverError):
    """The store raised the exception that is the `__cause__`. The sender tries again."""

    status = 503


class FeedError(ReceiverError):
    """The gateway's log of events could not be read."""

    status = 503


class Refusal(ReceiverError):
    """The request must be answered with `status`. This exception is no fault of this program."""


class VerificationError(Refusal):
    """The request does not prove that it comes from the gateway."""

    status = 401


class MissingHeader(VerificationError):
    """A header that the check needs is missing."""


class MalformedSignature(VerificationError):
    """A header of the signature is repeated, or cannot be what the gateway sends."""


class Mismatch(VerificationError):
    """The signatures are well formed, but none fits this body and any of the secrets."""


class ReplayError(Refusal):
    """The request is genuine, but its signed time is not about now."""

    status = 400


class TooOld(ReplayError):
    """The signed time is longer ago than `max_age`."""


class InFuture(ReplayError):
    """The signed time is further ahead of this machine's clock than `skew`."""


class PayloadError(Refusal):
    """The body is not an event."""

    status = 400


class TooLarge(PayloadError):
    """The body is longer than the cap."""

    status = 413


class InvalidJSON(PayloadError):
    """The body is not UTF-8, not JSON, or has a number or a text that cannot be read."""


class TooDeep(PayloadError):
    """The body is nested more deeply than any event."""


class DuplicateKey(PayloadError):
    """An object in the body has a name twice, so that another reader of the same bytes may see another value."""


class Schema(PayloadError):
    """The body is JSON, but not an event; the message names the attribute."""


class InProgress(Refusal):
    """The event, or another one of its document, is being handled at this moment; the sender tries again."""

    status = 503

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """The whole seconds after which to try again, for the header `retry-after`."""
