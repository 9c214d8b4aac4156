"""What all pages say of an attempt: what was answered, or why nothing was."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, Protocol

from signalpost.domain.delivery.outcome import Failure

WITHOUT_ANSWER: Final[Mapping[Failure, str]] = {
    Failure.DNS: "Host name not found",
    Failure.ADDRESS_REFUSED: "Address not public",
    Failure.CONNECT: "No connection",
    Failure.PROXY: "No connection by our proxy",
    Failure.TLS_UNTRUSTED: "Certificate not trusted",
    Failure.TLS_EXPIRED: "Certificate not valid now",
    Failure.TLS_HOSTNAME: "Certificate for another host",
    Failure.TLS_HANDSHAKE: "TLS failed",
    Failure.TIMEOUT: "No answer in time",
    Failure.RESET: "Connection closed early",
    Failure.PROTOCOL: "Answer is not HTTP",
    Failure.REDIRECT: "Redirect",
    Failure.STATUS: "Refused",
    Failure.TOKEN: "No token for it",
    Failure.INTERRUPTED: "Cut short here",
    Failure.SKIPPED: "Nothing to send",
    Failure.REJECTED: "Refused for good",
    Failure.THROTTLED: "Told to wait",
    Failure.UNAUTHORISED: "Token not accepted",
    Failure.CONNECTOR: "Request not made",
}
"""Why no answer came, or none with a status."""
_STATUS_CODES: Final = frozenset(HTTPStatus)


class AttemptResult(Protocol):
    """An attempt, the result of a test, or a case of a test run."""

    @property
    def status_code(self) -> int | None: ...

    @property
    def error(self) -> Failure | None: ...


def answered(attempt: AttemptResult) -> str:
    """The outcome of an attempt, such as `401 Unauthorized` or `No answer in time`."""
    code = attempt.status_code
    if code is None:
        return "" if attempt.error is None else WITHOUT_ANSWER[attempt.error]
    return f"{code} {HTTPStatus(code).phrase}" if code in _STATUS_CODES else str(code)
