"""Errors as clients see them: RFC 9457 problem documents. Every error reaches a client in this form."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from signalpost.api.guards.principals import EndedKey
from signalpost.api.http.response import CONTENT_TYPE, Response
from signalpost.domain.errors import (
    CallerError,
    Conflict,
    Forbidden,
    Gone,
    HeadTooLarge,
    Invalid,
    LinkRefused,
    MethodNotAllowed,
    NoSuchRange,
    NotFound,
    PreconditionFailed,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
    Unparseable,
    UnsupportedMedia,
)

MEDIA_TYPE = "application/problem+json"
HEADERS = {401: ("www-authenticate",), 416: ("content-range",), 429: ("retry-after",), 503: ("retry-after",)}
"""The headers that every problem with this status has."""


class ProblemType(NamedTuple):
    """The status and the title that all errors of one class have."""

    status: int
    title: str


CALLER_PROBLEMS: Final[Mapping[type[CallerError], ProblemType]] = {
    Unparseable: ProblemType(400, "Bad request"),
    Unauthenticated: ProblemType(401, "Unauthorized"),
    EndedKey: ProblemType(401, "Unauthorized"),
    Forbidden: ProblemType(403, "Forbidden"),
    LinkRefused: ProblemType(403, "Invalid or expired link"),
    NotFound: ProblemType(404, "Not found"),
    MethodNotAllowed: ProblemType(405, "Method not allowed"),
    Conflict: ProblemType(409, "Conflict"),
    Gone: ProblemType(410, "Gone"),
    PreconditionFailed: ProblemType(412, "Precondition failed"),
    TooLarge: ProblemType(413, "Content too large"),
    UnsupportedMedia: ProblemType(415, "Unsupported media type"),
    NoSuchRange: ProblemType(416, "Range not satisfiable"),
    Invalid: ProblemType(422, "Invalid fields"),
    TooMany: ProblemType(429, "Too many requests"),
    HeadTooLarge: ProblemType(431, "Request header fields too large"),
}
UNAVAILABLE: Final = ProblemType(503, "Service unavailable")
DEFECT: Final = ProblemType(500, "Internal error")


def status_of(error: CallerError | Unavailable) -> int:
    """The status with which the API answers this error. A program that has the gateway inside can answer alike."""
    return UNAVAILABLE.status if isinstance(error, Unavailable) else CALLER_PROBLEMS[type(error)].status


def problem_document(error: BaseException, request_id: str) -> dict[str, Any]:
    """The problem that tells a client of this error. Of a defect the client learns nothing but the id of the request,
    under which it is logged."""
    if isinstance(error, CallerError):
        return _document(CALLER_PROBLEMS[type(error)], error.code, error.detail, request_id, **error.members)
    if isinstance(error, Unavailable):
        return _document(UNAVAILABLE, error.code, error.detail, request_id)
    detail = "The gateway failed to handle this request. Give its operator the requestId."
    return _document(DEFECT, "internal_error", detail, request_id)


def problem(error: BaseException, request_id: str) -> Response:
    """The response that says what went wrong."""
    document = problem_document(error, request_id)
    headers = ((CONTENT_TYPE, MEDIA_TYPE), *_headers(error))
    return Response(document["status"], msgspec.json.encode(document), headers)


def _headers(error: BaseException) -> tuple[tuple[str, str], ...]:
    match error:
        case Unauthenticated():
            return (("www-authenticate", "Bearer"),)
        case TooMany() | Unavailable():
            return (("retry-after", str(error.retry_after)),)
        case NoSuchRange():
            return (("content-range", f"bytes */{error.size}"),)
        case MethodNotAllowed():
            return (("allow", ", ".join(error.allow)),)
    return ()


def _document(kind: ProblemType, code: str, detail: str, request_id: str, **members: Any) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": code,
        "requestId": request_id,
        **members,
    }
