"""Bodies for tests, from members under the names that clients use. `eventTypes` may be given as bits."""

from typing import Any

from signalpost.domain.body import read
from signalpost.domain.documents.bodies import DocumentPatch, NewDocument, Snapshot
from signalpost.domain.subscription import names_of
from signalpost.domain.subscription_requests import SubscriptionPatch, SubscriptionRequest
from signalpost.store.walks.replaying import MAX_FED_BYTES

ONE_IN_A_PART = {f"fact {number}": "x" * 4_000 for number in range(MAX_FED_BYTES // 4_000 // 2 + 1)}
"""Facts of documents of which no two have their events in one part of a replay."""


CONVOY = {
    "header": "X-Convoy-Signature",
    "algorithm": "sha256",
    "encoding": "hex",
    "over": "{timestamp},{body}",
    "prefix": "t={timestamp},v1=",
}
"""How Convoy signs, as `signAlso` shows it."""


def new_document(**given: Any) -> NewDocument:
    needed = {"type": "NDA", "title": "A", "ownerEmail": "o@x", "authorEmail": "a@x"}
    body: NewDocument = read(NewDocument, {**needed, **given})
    return body


def document_patch(**given: Any) -> DocumentPatch:
    body: DocumentPatch = read(DocumentPatch, given)
    return body


def snapshot(**given: Any) -> Snapshot:
    needed = {
        "type": "NDA", "title": "A", "ownerEmail": "o@x", "authorEmail": "a@x", "status": "created",
        "createdAt": "2021-09-02T04:37:56.812919+00:00", "sourceApp": "CRM",
    }  # fmt: skip
    body: Snapshot = read(Snapshot, {**needed, **given})
    return body


def subscription_request(**given: Any) -> SubscriptionRequest:
    needed = {"url": "https://example.com/hook", "eventTypes": 7}
    body: SubscriptionRequest = read(SubscriptionRequest, _with_names({**needed, **given}))
    return body


def subscription_patch(**given: Any) -> SubscriptionPatch:
    body: SubscriptionPatch = read(SubscriptionPatch, _with_names(given))
    return body


def _with_names(given: dict[str, Any]) -> dict[str, Any]:
    bits = given.get("eventTypes")
    return {**given, "eventTypes": list(names_of(bits))} if isinstance(bits, int) else given
