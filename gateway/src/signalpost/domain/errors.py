"""What can go wrong, typed by whose fault it is.

    SignalpostError
    ├── CallerError            the request; answered as a problem, nothing was changed
    │   ├── Unparseable        400
    │   ├── Unauthenticated    401
    │   ├── Forbidden          403
    │   ├── LinkRefused        403
    │   ├── NotFound           404
    │   ├── MethodNotAllowed   405
    │   ├── Conflict           409
    │   ├── Gone               410
    │   ├── PreconditionFailed 412
    │   ├── TooLarge           413
    │   ├── UnsupportedMedia   415
    │   ├── NoSuchRange        416
    │   ├── Invalid            422, with every bad field
    │   ├── TooMany            429, with when to come again
    │   └── HeadTooLarge       431
    ├── Unavailable            503: us, for now; repeating the request is safe
    │   ├── Crowded            503: nothing was looked at
    │   ├── DiskNearlyFull     503: nothing was changed
    │   └── OutcomeUnknown     503: the change may or may not have been made
    └── StartError             the operator's: a data directory in use, a database of another program
        └── WrongSetting       a setting whose value cannot be meant

Messages tell the reader what to do; none carries a secret.
"""

from collections.abc import Sequence
from typing import ClassVar

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

    status: ClassVar[int]
    title: ClassVar[str]

    def __init__(self, code: str, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.members = members
        """Further members of the problem document, such as `oldest` or `errors`."""


class Unparseable(CallerError):
    status, title = 400, "The request cannot be read"


class Unauthenticated(CallerError):
    status, title = 401, "No valid key"


class Forbidden(CallerError):
    status, title = 403, "The key's role does not allow this"


class LinkRefused(CallerError):
    """The same whatever is wrong with the link: it tells nothing of what there is."""

    status, title = 403, "This link does not work"

    def __init__(self) -> None:
        super().__init__(
            "link_refused",
            "Download links work for 15 minutes, and only as they are. Ask for a new one where it came from.",
        )


class NotFound(CallerError):
    status, title = 404, "Not there"


class MethodNotAllowed(CallerError):
    status, title = 405, "Method not allowed"


class Conflict(CallerError):
    status, title = 409, "The state forbids it"


class Gone(CallerError):
    status, title = 410, "No longer kept"


class PreconditionFailed(CallerError):
    status, title = 412, "It has changed since"


class TooLarge(CallerError):
    status, title = 413, "The body is too large"


class UnsupportedMedia(CallerError):
    status, title = 415, "Unsupported media type"


class NoSuchRange(CallerError):
    """`size` is what the whole has."""

    status, title = 416, "Not a range of it"

    def __init__(self, size: int) -> None:
        super().__init__("no_such_range", f"It has {size} bytes; none of them are in this range.")
        self.size = size


class Invalid(CallerError):
    """Parsed, but some fields are wrong; names every one of them, up to a number that a person can read."""

    status, title = 422, "Some fields are invalid"
    MAX_NAMED = 100

    def __init__(self, errors: Sequence[FieldError], code: str = "invalid_fields") -> None:
        named = ", ".join(error.pointer or "the body" for error in errors[:5])
        super().__init__(code, f"Invalid: {named}. See `errors`.", errors=list(errors[: self.MAX_NAMED]))
        self.errors = tuple(errors)


class TooMany(CallerError):
    """`retry_after` is in seconds."""

    status, title = 429, "Too many requests"

    def __init__(self, code: str, detail: str, retry_after: int) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class HeadTooLarge(CallerError):
    status, title = 431, "The head of the request is too large"


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
