"""What can go wrong with a call.

    SignalpostError
    ├── Problem              the gateway says what is wrong (RFC 9457); a class for each status
    │   ├── BadRequest           400   it cannot be read
    │   ├── Unauthorized         401   no valid key
    │   ├── Forbidden            403   the key's role does not allow it
    │   ├── NotFound             404   there is no such thing
    │   │   └── UnknownCall      404   the gateway is older than this client, and has no such call
    │   ├── MethodNotAllowed     405
    │   ├── Conflict             409   the state does not allow it
    │   ├── Gone                 410   it is no longer kept; `oldest` is
    │   ├── PreconditionFailed   412   it changed since it was read (`if_match`)
    │   ├── TooLarge             413
    │   ├── UnsupportedMedia     415
    │   ├── RangeNotSatisfiable  416
    │   ├── Invalid              422   bad fields; `errors` names every one
    │   ├── TooManyRequests      429   for longer than the deadline
    │   └── Unavailable          503   for longer than the deadline
    ├── NoAnswer             the connection could not be made, or it was lost, for longer than the deadline
    │   └── DeadlinePassed       the answer did not come in time
    └── UnexpectedAnswer     something answered, but not as a gateway of this release does

No message has a key in it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class SignalpostError(Exception):
    """The root of what a call raises."""


class BadField(NamedTuple):
    """One bad field: a JSON pointer into the body or `?name` in the query, a stable code, a sentence."""

    pointer: str
    code: str
    detail: str


class Problem(SignalpostError):
    """The gateway refused the call, and says why."""

    def __init__(self, status: int, document: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.code = str(document["code"])
        """Stable: it does not change between releases."""
        self.title = str(document.get("title", ""))
        self.detail = str(document.get("detail", ""))
        self.request_id: str | None = document.get("requestId")
        """Under which the gateway's log has the request."""
        self.errors: Sequence[BadField] = [
            BadField(str(each.get("pointer", "")), str(each.get("code", "")), str(each.get("detail", "")))
            for each in document.get("errors", ())
        ]
        self.retry_after = retry_after
        """Seconds after which the gateway wants to be asked again."""
        self.members = document
        """The whole problem as the gateway sent it."""
        fields = [f"{each.pointer or 'the body'}: {each.detail}" for each in self.errors]
        super().__init__(f"{status} {self.code}: {'; '.join(fields) or self.detail}")


class BadRequest(Problem):
    """400: the request cannot be read."""


class Unauthorized(Problem):
    """401: no valid key."""


class Forbidden(Problem):
    """403: the key's role does not allow this."""


class NotFound(Problem):
    """404: there is no such thing, as far as this key may know."""


class UnknownCall(NotFound):
    """The gateway has no such call. Most likely it is older than this client."""


class MethodNotAllowed(Problem):
    """405: the gateway knows the path, and not this method of it."""


class Conflict(Problem):
    """409: the state does not allow this. For a workflow, `members` has the actions that are `allowed`."""


class Gone(Problem):
    """410: it is no longer kept."""

    @property
    def oldest(self) -> int | None:
        """The sequence of the oldest event that is kept."""
        return self.members.get("oldest")


class PreconditionFailed(Problem):
    """412: it changed since the version that `if_match` names."""


class TooLarge(Problem):
    """413: the body is larger than the limit."""


class UnsupportedMedia(Problem):
    """415: the body is of a type that is not taken."""


class RangeNotSatisfiable(Problem):
    """416: the range lies outside the file."""


class Invalid(Problem):
    """422: some fields are wrong, and `errors` names them."""


class TooManyRequests(Problem):
    """429: there were too many requests until the deadline."""


class Unavailable(Problem):
    """503: the gateway could not carry it out until the deadline."""


class NoAnswer(SignalpostError):
    """The connection could not be made, or was lost before the answer."""

    def __init__(self, message: str, *, outcome_unknown: bool, idempotency_key: str | None) -> None:
        super().__init__(message)
        self.outcome_unknown = outcome_unknown
        """Whether the change may have been made."""
        self.idempotency_key = idempotency_key
        """With which the call can be repeated later, so that it is made once."""


class DeadlinePassed(NoAnswer):
    """The answer did not come before the deadline."""


class UnexpectedAnswer(SignalpostError):
    """Something answered, but not as a gateway of this release does."""


BY_STATUS: Mapping[int, type[Problem]] = {
    400: BadRequest, 401: Unauthorized, 403: Forbidden, 404: NotFound, 405: MethodNotAllowed, 409: Conflict, 410: Gone,
    412: PreconditionFailed, 413: TooLarge, 415: UnsupportedMedia, 416: RangeNotSatisfiable, 422: Invalid,
    429: TooManyRequests, 503: Unavailable,
}  # fmt: skip


def problem_of(status: int, document: Mapping[str, Any], retry_after: float | None = None) -> Problem:
    """The error that tells of a problem document."""
    kind = UnknownCall if document["code"] == "no_such_path" else BY_STATUS.get(status, Problem)
    return kind(status, document, retry_after)
