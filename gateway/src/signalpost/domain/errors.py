"""What can go wrong, typed by whose fault it is.

    SignalpostError
    ├── CallerError            the request: nothing was changed
    │   ├── Unparseable        it cannot be read
    │   ├── Unauthenticated    no key, or none that is known
    │   ├── Forbidden          a key that may not do this
    │   ├── LinkRefused        a download link that does not work
    │   ├── NotFound           there is no such resource
    │   ├── MethodNotAllowed   the resource does not take this method
    │   ├── Conflict           the resource's state does not allow the change
    │   ├── Gone               the resource is no longer kept
    │   ├── PreconditionFailed the resource has changed since the caller read it
    │   ├── TooLarge           a body above the limit
    │   ├── UnsupportedMedia   a body of another type
    │   ├── NoSuchRange        a range outside the file
    │   ├── Invalid            bad fields; it names every one of them
    │   ├── TooMany            too many requests; it says when to retry
    │   └── HeadTooLarge       a request head above the limit
    ├── Unavailable            the gateway, for now; repeating the request is safe
    │   ├── Stopping           the gateway is shutting down
    │   ├── TooManyConnections the request was not read
    │   ├── DiskNearlyFull     nothing was changed
    │   ├── DatabaseReadOnly   nothing was changed
    │   └── OutcomeUnknown     the change may or may not have been made
    └── StartError             the operator: a data directory in use, a database of another program
        └── WrongSetting       a setting with an invalid value

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


MAX_POINTER_CHARACTERS = 1_024


def first_of(errors: Sequence[FieldError], characters: int) -> list[FieldError]:
    """The first of these errors, as many as have room in so many characters. A pointer of more than 1,024 is cut; no
    name that is known is as long."""
    found: list[FieldError] = []
    for error in errors:
        cut = error
        if len(error.pointer) > MAX_POINTER_CHARACTERS:
            cut = FieldError(f"{error.pointer[:MAX_POINTER_CHARACTERS]}…", error.code, error.detail)
        characters -= len(cut.pointer) + len(cut.detail)
        if characters < 0 and found:
            break
        found.append(cut)
    return found


class SignalpostError(Exception):
    """The root of every error that Signalpost reports on purpose."""


class CallerError(SignalpostError):
    """The request cannot be carried out as it is. `code` is stable; `detail` tells people what to change."""

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
    """A download link is malformed, expired or leads nowhere.

    The answer is the same in all three cases, so that guessing links reveals nothing."""

    def __init__(self) -> None:
        super().__init__(
            "link_refused",
            "A download link works for 15 minutes and only unchanged. Get a new one where this one came from.",
        )


class NotFound(CallerError):
    """There is no such resource, as far as the caller may know."""


class MethodNotAllowed(CallerError):
    """The path does not take this method. `allow` lists the methods that it takes."""

    def __init__(self, allow: Sequence[str]) -> None:
        super().__init__("method_not_allowed", f"This path takes {', '.join(allow)}.", allow=list(allow))
        self.allow = tuple(allow)


class Conflict(CallerError):
    """The resource's state does not allow the change."""


class Gone(CallerError):
    """The resource existed and is no longer kept."""


class PreconditionFailed(CallerError):
    """The resource changed since the caller read it (`If-Match`)."""


class TooLarge(CallerError):
    """The body is larger than the limit."""


class UnsupportedMedia(CallerError):
    """The body is of a type that is not taken here."""


class NoSuchRange(CallerError):
    """No byte of the requested range exists. `size` is the size of the whole file in bytes."""

    def __init__(self, size: int) -> None:
        super().__init__("no_such_range", f"The file has {size} bytes; this range lies outside them.")
        self.size = size


class Invalid(CallerError):
    """The request was parsed, but some fields are wrong. Names every bad field, up to `MAX_NAMED`, as far as its answer
    may have room for them: a name may be as long as a body."""

    MAX_NAMED = 100
    MAX_CHARACTERS = 64 * 1024

    def __init__(self, errors: Sequence[FieldError], code: str = "invalid_fields", **members: object) -> None:
        shown = first_of(errors[: self.MAX_NAMED], self.MAX_CHARACTERS)
        named = ", ".join(error.pointer or "the body" for error in shown[:5])
        super().__init__(code, f"Invalid: {named}. See `errors`.", errors=shown, **members)
        self.errors = tuple(errors)


class TooMany(CallerError):
    """Too many requests are waiting already. `retry_after` is in seconds."""

    def __init__(self, code: str, detail: str, retry_after: int) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class HeadTooLarge(CallerError):
    """The head of the request is larger than the limit."""


class Unavailable(SignalpostError):
    """The gateway cannot carry out the request now. `retry_after` is in seconds."""

    code = "unavailable"

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class Stopping(Unavailable):
    """The gateway is shutting down and accepts no more requests."""

    code = "stopping"

    def __init__(self) -> None:
        super().__init__("Signalpost is stopping. Repeat the request in a moment.")


class TooManyConnections(Unavailable):
    """The gateway has reached `MAX_CONNECTIONS`."""

    code = "too_many_connections"

    def __init__(self) -> None:
        super().__init__("Too many connections. Close idle ones or retry later.")


class DiskNearlyFull(Unavailable):
    """Changes that would make the log grow are refused until there is disk space again."""

    code = "disk_nearly_full"

    def __init__(self) -> None:
        super().__init__(
            "The gateway's disk is nearly full: nothing was changed. Its operator must free space. Retry later.",
            retry_after=30,
        )


class DatabaseReadOnly(Unavailable):
    """The PostgreSQL server takes no changes. `detail` is for clients; as a string it tells an operator what to do."""

    def __init__(self) -> None:
        super().__init__("The database takes no changes now: nothing was changed. Repeat the request in a moment.")

    def __str__(self) -> str:
        return (
            "The PostgreSQL server is read-only: it is a standby, or was restored and not promoted yet, or has "
            "default_transaction_read_only on. Promote it (SELECT pg_promote()), or have DATABASE_URL name the server "
            "that takes changes. Of several servers, target_session_attrs=read-write in the URL finds that one."
        )


class OutcomeUnknown(Unavailable):
    """The commit may or may not have taken place. Repeating with the same `Idempotency-Key` is safe."""

    code = "outcome_unknown"


class StartError(SignalpostError):
    """The gateway cannot start as configured. The message says what to change."""


class WrongSetting(StartError):
    """Settings have invalid values. The message names each of them and the values that it accepts."""
