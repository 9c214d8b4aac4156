"""What has to happen to a sample document to cause an event of a given type.

The document is one that a contract system would have: with versions, a value, dates and a counterparty. It is imported
as a whole, because an import may give it any status, at once.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Struct

from signalpost.domain import body
from signalpost.domain.documents import document
from signalpost.domain.documents.bodies import Snapshot
from signalpost.domain.event import BY_WIRE, Event, EventType, build, event_id
from signalpost.domain.timestamps import DAY, format_timestamp

SOURCE_APP = "signalpost trigger"
"""The `sourceApp` of sample documents, by which people can tell them from real ones."""
_LINK = "https://files.example.com/service-agreement"


class ScenarioStep(Struct, frozen=True):
    """One call for a document: its import or its deletion."""

    method: Literal["PUT", "DELETE"]
    snapshot: Mapping[str, Any] | None = None


def scenario(event_type: str, changes: Mapping[str, Any], now: int) -> tuple[ScenarioStep, ...]:
    """The steps after which an event of this type is the newest one of the document. `changes` are attributes as on the
    wire (C7); `now` is in µs. Raises Invalid, which names every bad attribute, so that no step is taken in vain."""
    wanted = EventType(BY_WIRE[event_type])
    if wanted is EventType.UPDATED and not changes:
        changes = {"status": "executed"}
    executed = {"executedAt": format_timestamp(now)} if changes.get("status") == "executed" else {}
    last = {**_sample(now), **executed, **changes}
    body.read(Snapshot, last)
    if wanted is EventType.CREATED:
        return (ScenarioStep("PUT", last),)
    if wanted is EventType.DELETED:
        return ScenarioStep("PUT", last), ScenarioStep("DELETE")
    # An import that changes nothing makes no event, so the first state has another status than the second.
    first = {**_sample(now), "status": "awaitingReview" if last["status"] == "created" else "created"}
    return ScenarioStep("PUT", first), ScenarioStep("PUT", last)


def event(event_type: str, changes: Mapping[str, Any], now: int, random_bits: Callable[[int], int]) -> Event:
    """The last event of a scenario, without a gateway. Raises Invalid, which names every bad attribute."""
    wanted = EventType(BY_WIRE[event_type])
    snapshot = [step.snapshot for step in scenario(event_type, changes, now) if step.snapshot is not None][-1]
    if wanted is EventType.DELETED:
        snapshot = {**snapshot, "status": "other"}  # as C6 says
    external_id, identity = event_id(now, random_bits(62)), event_id(now, random_bits(62))
    encoded = document.encode(document.snapshot(body.read(Snapshot, dict(snapshot)), external_id))
    made = build(wanted, now, identity, encoded)
    return Event(tenant_id=0, sequence=1, at=now, id=identity, type=wanted, document_id=external_id, body=made)


def _sample(now: int) -> dict[str, Any]:
    return {
        "type": "Service Agreement",
        "title": "Service Agreement for Company A",
        "status": "created",
        "createdAt": format_timestamp(now - 3 * DAY),
        "sourceApp": SOURCE_APP,
        "startDate": format_timestamp(now)[:10],
        "executedAt": None,
        "expiryDate": format_timestamp(now + 365 * DAY)[:10],
        "ownerEmail": "owner@example.com",
        "authorEmail": "author@example.com",
        "referenceId": "PO-4711",
        "contractValue": 1500.0,
        "latestVersion": {"number": "1.1", "downloadUrl": f"{_LINK}/1.1.docx"},
        "additionalFacts": {"currency": "AUD", "region": "Köln"},
        "counterpartyName": "Company A",
        "publishedVersion": {"number": "1.0", "downloadUrl": f"{_LINK}/1.0.docx"},
    }
