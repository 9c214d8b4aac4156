"""For tests of programs that receive: deliveries as the gateway makes them.

body, headers = delivery("documentUpdated", secret="a secret of mine", status="executed")
response = client.post("/webhooks", content=body, headers=headers)
"""

from __future__ import annotations

import time
import uuid
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, NamedTuple

from .decoding import encode
from .envelope import parse
from .errors import PayloadError, UsageError
from .event import DOCUMENT_KEYS
from .sign import ATTEMPT, PAGE_SIGNATURE, SEQUENCE, STANDARD_ID, STANDARD_SIGNATURE, STANDARD_TIMESTAMP, TEST, Signer


class Delivery(NamedTuple):
    """A signed request: what to POST."""

    body: bytes
    headers: dict[str, str]


def delivery(
    event_type: str = "documentUpdated",
    *,
    secret: str,
    event_id: str | None = None,
    now: float | None = None,
    is_test: bool = False,
    **attributes: Any,
) -> Delivery:
    """A delivery of an event that happened at `now` (seconds since the epoch; this moment if left out).

    `attributes` are the document's, in the names of the body: `status="executed", contractValue=Decimal("1500.00")`.
    Each call is another event of another document, unless `event_id` and `externalId` say which. `is_test` makes it
    a sample.

    Raises UsageError for an attribute that no document has or that cannot be so, and ConfigError for the secret.
    """
    now = time.time() if now is None else now
    event_id = str(uuid.uuid4()) if event_id is None else event_id
    unknown = sorted(attributes.keys() - set(DOCUMENT_KEYS))
    if unknown:
        raise UsageError(f"a document has no {unknown[0]}; it has {', '.join(DOCUMENT_KEYS)}")
    document: Any = {**_DOCUMENT, "createdAt": _stamp(now), "externalId": str(uuid.uuid4()), **attributes}
    event: Any = {"id": event_id, "type": event_type, "createdAt": _stamp(now), "data": {"document": document}}
    try:
        body = encode(event)
        parse(body)
    except (TypeError, ValueError, PayloadError) as error:
        raise UsageError(f"that is no event: {error}") from None
    signer = Signer(secret)
    headers = {
        "content-type": "application/json",
        PAGE_SIGNATURE: signer.page_signature(body),
        STANDARD_ID: event_id,
        STANDARD_TIMESTAMP: str(int(now)),
        STANDARD_SIGNATURE: signer.standard_signature(event_id, int(now), body),
        SEQUENCE: "0" if is_test else "1",
        ATTEMPT: "1",
    }
    return Delivery(body, {**headers, TEST: "true"} if is_test else headers)


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="microseconds")


_DOCUMENT = {
    "type": "Service Agreement",
    "title": "Service Agreement for Company A",
    "status": "created",
    "createdAt": "",
    "sourceApp": "A test",
    "startDate": "2026-07-01",
    "executedAt": None,
    "expiryDate": None,
    "externalId": "",
    "ownerEmail": "owner@example.com",
    "authorEmail": "author@example.com",
    "referenceId": None,
    "contractValue": Decimal("1250.50"),
    "latestVersion": {"number": "0.1", "downloadUrl": "https://files.example.com/service-agreement"},
    "additionalFacts": {"currency": "AUD"},
    "counterpartyName": "Company A",
    "publishedVersion": None,
}
"""A document's attributes in the order of the body (C7)."""
