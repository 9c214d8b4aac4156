"""Sample events for testing an endpoint. They look like real events and are in no log."""

from collections.abc import Callable

from signalpost.domain.documents import document
from signalpost.domain.documents.document import Document, Version
from signalpost.domain.event import Event, EventType, build, event_id
from signalpost.domain.operations import notices
from signalpost.domain.timestamps import format_timestamp

SEQUENCE = 0
"""The sequence of sample events, which no event of a log has."""


def event(event_type: EventType, tenant_id: int, now: int, random_bits: Callable[[int], int]) -> Event:
    """A sample event of a type, created at `now` in µs."""
    if event_type is EventType.NOTICE:
        return notices.sample(tenant_id, SEQUENCE, now, random_bits)
    return event_of(event_type, document_of(event_type, now, random_bits), tenant_id, now, random_bits)


def document_of(event_type: EventType, now: int, random_bits: Callable[[int], int]) -> Document:
    """The document of a sample event of a type."""
    link = "https://example.com/sample.docx"
    return Document(
        type="Service Agreement",
        title="Sample: a test of your endpoint",
        status="other" if event_type is EventType.DELETED else "created",
        created_at=format_timestamp(now),
        source_app="Signalpost",
        start_date="2021-11-25",
        expiry_date="2021-11-27T13:00:00+00:00",
        external_id=event_id(now, random_bits(62)),
        owner_email="owner@example.com",
        author_email="author@example.com",
        contract_value=0.0,
        latest_version=Version("7.1", link),
        additional_facts={"currency": "AUD"},
        counterparty_name="Company A",
        published_version=Version("7.0", link),
    )


def event_of(
    event_type: EventType, shown: Document, tenant_id: int, now: int, random_bits: Callable[[int], int]
) -> Event:
    """An event of a document, created at `now` in µs."""
    identity = event_id(now, random_bits(62))
    body = build(event_type, now, identity, document.encode(shown))
    return Event(tenant_id, SEQUENCE, now, identity, int(event_type), shown.external_id, body)
