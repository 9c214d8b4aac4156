"""What can go wrong, typed by whose fault it is.

    SignalpostError
    ├── CallerError            the request: nothing was changed
    │   ├── Unparseable        it cannot be read
    │   ├── Unauthenticated    no key, or none that is known
    │   ├── Forbidden          a key that may not do this
    │   ├── LinkRefused        a download link that does not work
    │   ├── NotFound           nothing is there
    │   ├── MethodNotAllowed   something is there, but it does not take this method
    │   ├── Conflict           the state of what is there does not allow it
    │   ├── Gone               it was there, and is no longer kept
    │   ├── PreconditionFailed it has changed since the caller read it
    │   ├── TooLarge           a body above the limit
    │   ├── UnsupportedMedia   a body of another type
    │   ├── NoSuchRange        a range outside of what is there
    │   ├── Invalid            bad fields, with every one of them
    │   ├── TooMany            too many requests, with when to come again
    │   └── HeadTooLarge       a request head above the limit
    ├── Unavailable            us, for now; repeating the request is safe
    │   ├── Stopping           this process takes no more requests
    │   ├── TooManyConnections the request was not read
    │   ├── DiskNearlyFull     nothing was changed
    │   └── OutcomeUnknown     the change may or may not have been made
    └── StartError             the operator's: a data directory in use, a database of another program
        └── WrongSetting       a setting whose value cannot be meant

Messages tell the reader what to do; none carries a secret. How an error is told over HTTP is up to the API
(`api/http/problems.py`).
"""

from collections.abc import Sequence

from msgspec import Struct


class FieldError(Struct, frozen=True):
    """One bad field: a JSON pointer (RFC 6901) into the body or `?name` in the query, a stable code, a sentence."""

    pointer: str
    code: str
    detail: str


class SignalpostError(Exception):
    """Anything that Signalpost reports on purpose."""


class CallerError(SignalpostError):
    """The request cannot be done as it is. `code` is stable; `detail` is for people."""

    def __init__(self, code: str, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.members = members
        """Further members of the problem document, such as `oldest` or `errors`."""


class Unparseable(CallerError):
    """The request is malformed or broke off: it cannot be read."""


class Unauthenticated(CallerError):
    """The request carries no key, or one that is not known."""


class Forbidden(CallerError):
    """The key's role does not allow this."""


class LinkRefused(CallerError):
    """The same whatever is wrong with the link: it tells nothing of what there is."""

    def __init__(self) -> None:
        super().__init__(
            "link_refused",
            "Download links work for 15 minutes, and only as they are. Ask for a new one where it came from.",
        )


class NotFound(CallerError):
    """There is nothing under this name, as far as the caller may know."""


class MethodNotAllowed(CallerError):
    """`allow` are the methods that the path takes."""

    def __init__(self, allow: Sequence[str]) -> None:
        super().__init__("method_not_allowed", f"This path takes {', '.join(allow)}.", allow=list(allow))
        self.allow = tuple(allow)


class Conflict(CallerError):
    """The state of what is there does not allow this."""


class Gone(CallerError):
    """It was there once and is no longer kept."""


class PreconditionFailed(CallerError):
    """It changed since the caller read it (`If-Match`)."""


class TooLarge(CallerError):
    """The body is larger than the limit."""


class UnsupportedMedia(CallerError):
    """The body is of a type that is not taken here."""


class NoSuchRange(CallerError):
    """`size` is what the whole has."""

    def __init__(self, size: int) -> None:
        super().__init__("no_such_range", f"It has {size} bytes; none of them are in this range.")
        self.size = size


class Invalid(CallerError):
    """Parsed, but some fields are wrong; names every one of them, up to a number that a person can read."""

    MAX_NAMED = 100

    def __init__(self, errors: Sequence[FieldError], code: str = "invalid_fields") -> None:
        named = ", ".join(error.pointer or "the body" for error in errors[:5])
        super().__init__(code, f"Invalid: {named}. See `errors`.", errors=list(errors[: self.MAX_NAMED]))
        self.errors = tuple(errors)


class TooMany(CallerError):
    """`retry_after` is in seconds."""

    def __init__(self, code: str, detail: str, retry_after: int) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class HeadTooLarge(CallerError):
    """The head of the request is larger than the limit."""


class Unavailable(SignalpostError):
    """Signalpost cannot do it now. `retry_after` is in seconds."""

    code = "unavailable"

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class Stopping(Unavailable):
    """This gateway takes nothing any more; another, or the same one later, will."""

    code = "stopping"

    def __init__(self) -> None:
        super().__init__("Signalpost is stopping. Repeat the request in a moment.")


class TooManyConnections(Unavailable):
    """Every connection that there may be is taken."""

    code = "too_many_connections"

    def __init__(self) -> None:
        super().__init__("Signalpost has as many connections as it takes. Close some, or come again later.")


class DiskNearlyFull(Unavailable):
    """What would make the log grow is refused until there is space again."""

    code = "disk_nearly_full"

    def __init__(self) -> None:
        super().__init__(
            "Signalpost's disk is nearly full: nothing was changed. Repeat the request later; its operator must free "
            "some space.",
            retry_after=30,
        )


class OutcomeUnknown(Unavailable):
    """The commit may or may not have taken place: repeat with the same `Idempotency-Key`."""

    code = "outcome_unknown"


class StartError(SignalpostError):
    """Signalpost cannot start as it was told to; the message says what to change."""


class WrongSetting(StartError):
    """Settings cannot have the values that they were given; the message names each, and what it can have."""
