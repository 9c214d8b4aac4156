"""Subjects for tests of conditions and placeholders: an event with a document, and what it was before."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from hypothesis import strategies as st

from signalpost.domain.documents import document as documents
from signalpost.domain.documents.document import Document, Version
from signalpost.domain.documents.workflow import STATUSES
from signalpost.domain.language.names import Subject

DOCUMENT: Final = Document(
    type="Service Agreement",
    title="Service Agreement for Company A",
    status="approved",
    created_at="2026-01-15T09:30:00.250174+00:00",
    source_app="Approve and eSign",
    start_date="2026-02-01",
    expiry_date="2027-01-31T13:00:00+00:00",
    external_id="d24c0644-1d31-47fa-960e-b0cc8b4f136c",
    owner_email="owner@example.com",
    author_email="author@example.com",
    contract_value=12500.5,
    latest_version=Version("7.1", "https://example.com/7.1"),
    additional_facts={
        "cost centre": "42",
        "seats": 120,
        "renews": True,
        "share": 0.25,
        "note": "",
        "day": "2026-03-01",
    },
    counterparty_name="Company <A> & Sons",
)


def json_of(document: Document) -> dict[str, Any]:
    """A document as it is in an event."""
    found: dict[str, Any] = msgspec.json.decode(documents.encode(document))
    return found


def subject(
    event_type: str = "documentUpdated",
    before: Mapping[str, Any] | None = None,
    made: Mapping[str, str] | None = None,
    **changes: Any,
) -> Subject:
    """`DOCUMENT` with some attributes changed, in an event that changed what `before` has."""
    document = msgspec.structs.replace(DOCUMENT, **changes)
    event = {
        "id": "8cfa669c-41cc-412c-858d-0374e2c007fc",
        "type": event_type,
        "createdAt": "2026-01-15T10:00:00.000000+00:00",
        "data": {"document": json_of(document)},
    }
    return Subject(event=event, before=before or {}, made=made or {})


def notice(**changes: Any) -> Subject:
    """An event of the tenant `operations`: a notice, with some members changed."""
    shown = {
        "sentence": "Nothing reaches the endpoint of Acme <A>.",
        "what": "opened",
        "kind": "subscriptionDisabled",
        "severity": "critical",
        "action": "trigger",
        "tenant": "acme",
        "count": 1,
        "subjects": [{"type": "subscription", "id": "1", "name": "Acme <A>", "tenant": "acme"}],
        "since": "2026-01-15T09:58:00.000000+00:00",
        "url": "https://gateway.example.com/console/t/acme/subscriptions?a=1&b=2",
    }
    event = {
        "id": "8cfa669c-41cc-412c-858d-0374e2c007fc",
        "type": "notice",
        "createdAt": "2026-01-15T10:00:00.000000+00:00",
        "data": {"notice": {**shown, **changes}},
    }
    return Subject(event=event)


_TEXTS = st.sampled_from(["", "a", "A", "7", "2026-01-31", "true", "{{", "é𝄞\n"]) | st.text(max_size=8)
_MOMENTS = st.sampled_from(["2026-01-31", "2026-01-31T10:00:00+00:00", "2026-01-31T10:00:00.5+00:00", "0001-01-01"])
_FACTS = st.dictionaries(
    st.sampled_from(["seats", "cost centre", "día"]), _TEXTS | st.integers(-9, 9) | st.floats(-9, 9) | st.booleans()
)
_CHANGES = {
    "title": _TEXTS,
    "status": st.sampled_from(STATUSES),
    "expiry_date": st.none() | _MOMENTS,
    "executed_at": st.none() | _MOMENTS,
    "contract_value": st.none() | st.floats(-1e13, 1e13).map(lambda value: round(value, 2)),
    "latest_version": st.none() | st.just(Version("8.0", "")),
    "reference_id": st.none() | _TEXTS,
    "additional_facts": _FACTS,
}
_DOCUMENTS = st.fixed_dictionaries({}, optional=_CHANGES).map(lambda some: msgspec.structs.replace(DOCUMENT, **some))


@st.composite
def subjects(draw: st.DrawFn) -> Subject:
    """Any subject: a creation, a deletion, or an update of one document to another."""
    event_type = draw(st.sampled_from(["documentCreated", "documentUpdated", "documentDeleted"]))
    now, was = draw(_DOCUMENTS), json_of(draw(_DOCUMENTS))
    found = subject(event_type, made=draw(st.sampled_from([{}, {"url": "https://example.com"}])))
    found.event["data"]["document"].update(json_of(now))
    if event_type == "documentCreated":
        return found
    changed = {name: value for name, value in was.items() if value != found.document[name]}
    return msgspec.structs.replace(found, before=changed)
