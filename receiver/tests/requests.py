"""Requests as the gateway sends them, for the tests of this folder."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from signalpost_receiver import Signer

SECRET = "the receiver's secret"
NOW = 1_780_000_000
DOCUMENT_ID = "d24c0644-1d31-47fa-960e-b0cc8b4f136c"
_EXAMPLE: dict[str, Any] = json.loads((Path(__file__).parent / "examples" / "documentUpdated.json").read_text())


def event_body(number: int = 1, *, document: str = DOCUMENT_ID, event_type: str = "documentUpdated") -> bytes:
    """The event with this number: its id says it, and it was made so many seconds after the others."""
    made = datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=number)
    content = {**_EXAMPLE["data"]["document"], "externalId": document, "title": f"state {number}"}
    event = {
        "id": f"event-{number}",
        "type": event_type,
        "createdAt": made.isoformat(timespec="microseconds"),
        "data": {"document": content},
    }
    return compact(event)


def compact(event: dict[str, Any]) -> bytes:
    """The body as the gateway writes it."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def signed(body: bytes, *, at: float = NOW, secret: str = SECRET, **hints: str) -> dict[str, str]:
    """The headers of a request with this body; `hints` are the values of `signalpost-…`."""
    event_id, signer = str(json.loads(body)["id"]), Signer(secret)
    return {
        "content-type": "application/json",
        "plexus-webhook-signature": signer.page_signature(body),
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": signer.standard_signature(event_id, int(at), body),
        **{f"signalpost-{name}": value for name, value in hints.items()},
    }
