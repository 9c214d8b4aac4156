"""Events and answers with which a kind of destination is tried: usual ones, and every kind of strange one."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from signalpost.destinations.calls import Reply
from signalpost.destinations.destination import Context
from signalpost.domain.event import BY_WIRE, EventType

DOCUMENT: Final[Mapping[str, Any]] = {
    "type": "Service Agreement",
    "title": "Mutual NDA",
    "status": "executed",
    "createdAt": "2026-01-02T03:04:05.000000+00:00",
    "sourceApp": "Signalpost",
    "startDate": "2026-02-01",
    "executedAt": "2026-01-15T09:30:00.000000+00:00",
    "expiryDate": "2027-01-31",
    "externalId": "0198f2a0-0000-7000-8000-000000000002",
    "ownerEmail": "owner@example.com",
    "authorEmail": "author@example.com",
    "referenceId": "00Q5g00000ABCDE",
    "contractValue": 12000.5,
    "latestVersion": {"number": "2.0", "downloadUrl": "https://signalpost.example/files/2"},
    "additionalFacts": {"currency": "AUD"},
    "counterpartyName": "Smith & Sons",
    "publishedVersion": {"number": "2.0", "downloadUrl": "https://signalpost.example/files/2"},
}
"""A document with a value for each attribute (C7)."""
_NEVER_NULL: Final = ("type", "title", "status", "createdAt", "sourceApp", "externalId", "ownerEmail", "authorEmail")
_NEXT_TO_NOTHING: Final[Mapping[str, Any]] = {name: None for name in DOCUMENT if name not in _NEVER_NULL}
KEY: Final = "0123456789abcdef" * 2
SLOT: Final = "fedcba9876543210" * 2
MAX_TEXT: Final = 512
"""Characters that a title can have."""


def context(
    event_type: str = "documentUpdated",
    *,
    before: Mapping[str, Any] | None = None,
    made: Mapping[str, str] | None = None,
    account: Mapping[str, str] | None = None,
    attempt: int = 1,
    **document: Any,
) -> Context:
    """An event on its way, as `prepare` gets it. Further arguments are attributes of the document under their names on
    the wire, such as `title="NDA"`; the rest is that of `DOCUMENT`. Raises TypeError for a name that no document
    has."""
    if unknown := document.keys() - DOCUMENT.keys():
        raise TypeError(f"No document has the attribute {min(unknown)}.")
    return Context(
        event={
            "id": "0198f2a0-0000-7000-8000-000000000001",
            "type": event_type,
            "createdAt": "2026-01-15T09:30:00.000000+00:00",
            "data": {"document": {**DOCUMENT, **document}},
        },
        before=before or {},
        made=made or {},
        account=account or {},
        key=KEY,
        slot=SLOT,
        attempt=attempt,
    )


def reply(status: int, body: Any = b"", **headers: str) -> Reply:
    """What a vendor answers. A body that is no bytes is written as JSON. Headers are texts; an underscore in the name
    of one is a hyphen: `reply(429, {"error": "slow down"}, retry_after="5")`. Raises TypeError for any other header."""
    for name, value in headers.items():
        if not isinstance(value, str):
            raise TypeError(f"Give each header by its name, as a text: {name.lower()}='…'.")
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    shown = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return Reply(status=status, body=raw, headers=shown)


# --- Every kind of strange one ----------------------------------------------------------------------------------------


def contexts() -> Iterator[Context]:
    """An event of each type, of documents that have everything, next to nothing, and texts that break things."""
    for event_type in BY_WIRE:
        before = {} if event_type == EventType.CREATED.wire else {"status": "awaitingSignature"}
        yield context(event_type, before=before)
        yield context(event_type, **_NEXT_TO_NOTHING)
    for text in STRANGE_TEXTS:
        yield context(
            title=text, type=text, referenceId=text, counterpartyName=text, additionalFacts={"currency": text, text: 1}
        )
    yield context(contractValue=0, additionalFacts={})
    yield context(contractValue=-1e300, additionalFacts={"currency": True})


STRANGE_TEXTS: Final = (
    " ",
    "\"'`<b>&amp;</b> {{ document.title }} *_~|[x](https://evil.example)",
    "\r\nx-evil: 1\r\n\r\n\x01\x1b[2J\x7f\u2028",
    "../..//?a=b&c#d%00%2e",
    "\u202egnp.\u0661\u0662 Ünïcödé 契約 🖋️",
    "=" * MAX_TEXT,
    "🖋" * MAX_TEXT,
)
"""Texts that a person can give a document, and that are trouble in markup, headers, addresses and lengths."""

STATUSES: Final = (
    200, 201, 202, 204, 299, 301, 304, 400, 401, 403, 404, 408, 409, 410, 422, 429, 500, 502, 503, 599
)  # fmt: skip
BODIES: Final = (
    b"",
    b"ok",
    b"<html><h1>502 Bad Gateway</h1></html>",
    b"null",
    b"true",
    b"-1e999",
    b'"text"',
    b"[]",
    b"[null]",
    b"{}",
    b'{"ok": {}, "error": [1], "errors": "no", "id": 7, "status": null, "message": {"a": []}}',
    b'{"errors": [{"reason": 5}, 1, null], "error": {"errors": 5, "code": "x"}, "results": [[]], "id": null}',
    b"[" * 5_000,
    b'{"message": "\xff\xfe' + b"x" * 60_000,
)


class StrangeHeaders(dict[str, str]):
    """Headers among which every name is found, with a value that no program expects."""

    VALUE: Final = "\x7f, 1e999 or nan"

    def __contains__(self, _name: object) -> bool:
        return True

    def __missing__(self, _name: str) -> str:
        return self.VALUE

    def get(self, _name: str, _default: object = None) -> str:
        """The value that no program expects."""
        return self.VALUE


HEADERS: Final[tuple[Mapping[str, str], ...]] = (
    {},
    StrangeHeaders(),
    {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "content-type": "text/html", "location": "//evil.example"},
    {"retry-after": "-99999999999999999999", "content-type": "", "x-rate-limit-problem": "\x7f" * 9_000},
)


def replies() -> Iterator[Reply]:
    """Answers that a vendor, a proxy or another server's error page may give: every status with every body."""
    for number, (status, body) in enumerate((status, body) for status in STATUSES for body in BODIES):
        yield Reply(status=status, body=body, headers=HEADERS[number % len(HEADERS)])
