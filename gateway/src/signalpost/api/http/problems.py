"""Errors as clients see them: RFC 9457 problem documents. No error reaches a client in another shape."""

from typing import Any

import msgspec

from signalpost.api.http.asgi import CONTENT_TYPE
from signalpost.commands.overlay import Answer
from signalpost.domain.errors import CallerError, NoSuchRange, TooMany, Unavailable

MEDIA_TYPE = "application/problem+json"
HEADERS = {401: ("www-authenticate",), 416: ("content-range",), 429: ("retry-after",), 503: ("retry-after",)}
"""Those that problems with a status always have."""


def caller_document(error: CallerError, request_id: str) -> dict[str, Any]:
    return _document(error.status, error.title, error.code, error.detail, request_id, **error.members)


def problem(error: CallerError | Unavailable, request_id: str) -> Answer:
    """The answer that says what went wrong."""
    if isinstance(error, Unavailable):
        return _answer(503, unavailable_document(error, request_id), {"retry-after": str(error.retry_after)})
    document = caller_document(error, request_id)
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else {}
    if isinstance(error, TooMany):
        headers["retry-after"] = str(error.retry_after)
    if isinstance(error, NoSuchRange):
        headers["content-range"] = f"bytes */{error.size}"
    allow = error.members.get("allow")
    if isinstance(allow, list):
        headers["allow"] = ", ".join(allow)
    return _answer(error.status, document, headers)


def unavailable_document(error: Unavailable, request_id: str) -> dict[str, Any]:
    return _document(503, "Not available now", error.code, error.detail, request_id)


def defect_document(request_id: str) -> dict[str, Any]:
    """Ours, and logged under the request's id: the client learns nothing of the inside."""
    detail = "Something went wrong on our side. Tell the operator this request's id."
    return _document(500, "An error of ours", "internal_error", detail, request_id)


def defect_problem(request_id: str) -> Answer:
    return _answer(500, defect_document(request_id), {})


def _document(status: int, title: str, code: str, detail: str, request_id: str, **members: Any) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "requestId": request_id,
        **members,
    }


def _answer(status: int, document: dict[str, Any], headers: dict[str, str]) -> Answer:
    return Answer(status, msgspec.json.encode(document), ((CONTENT_TYPE, MEDIA_TYPE), *headers.items()))
