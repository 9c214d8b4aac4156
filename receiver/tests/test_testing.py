from decimal import Decimal
from typing import Any

import pytest

from signalpost_receiver import ConfigError, DocumentEvent, Event, EventType, Outcome, Receiver, TooOld, UsageError
from signalpost_receiver.testing import delivery

SECRET = "a secret of mine"
NOW = 1_780_000_000.25


def verified(**options: Any) -> Event:
    return Receiver(secrets=SECRET, clock=lambda: NOW).verify(*delivery(secret=SECRET, now=NOW, **options))


@pytest.mark.parametrize("event_type", ["documentCreated", "documentUpdated", "documentDeleted", "folderMoved"])
def test_a_delivery_is_one_that_a_receiver_takes(event_type: str) -> None:
    event = verified(event_type=event_type)
    assert (event.type, event.sequence, event.attempt, event.is_test) == (event_type, 1, 1, False)
    assert event.created_at.timestamp() == NOW


def test_it_happens_now_by_default() -> None:
    Receiver(secrets=SECRET).verify(*delivery(secret=SECRET))


def test_the_page_s_signature_alone_fits_too() -> None:
    body, headers = delivery(secret=SECRET, now=NOW)
    del headers["webhook-signature"]
    Receiver(secrets=SECRET, clock=lambda: NOW).verify(body, headers)


def test_attributes_are_given_in_the_names_of_the_body() -> None:
    document = verified(status="executed", contractValue=Decimal("9999999999999.99"), title="Señor").document
    assert document is not None
    assert (document.status, document.contract_value, document.title) == (
        "executed",
        Decimal("9999999999999.99"),
        "Señor",
    )


def test_each_delivery_is_another_event_of_another_document_unless_it_is_said_which() -> None:
    one, other = verified(), verified()
    assert one.id != other.id
    assert one.document is not None
    assert other.document is not None
    assert one.document.external_id != other.document.external_id
    same = verified(event_id=one.id, externalId="a-document")
    assert same.id == one.id
    assert same.document is not None
    assert same.document.external_id == "a-document"


def test_a_sample_is_marked_as_the_gateway_marks_it() -> None:
    receiver = Receiver(secrets=SECRET)
    result = receiver.receive(*delivery(secret=SECRET, is_test=True))
    assert (result.outcome, result.event.sequence) == (Outcome.TEST, 0)


def test_a_handler_of_known_types_gets_events_whose_document_is_there() -> None:
    """The type says so: mypy checks this test."""
    receiver, titles = Receiver(secrets=SECRET), list[str]()

    @receiver.on("documentCreated", EventType.DOCUMENT_UPDATED)
    def keep(event: DocumentEvent) -> None:
        titles.append(event.document.title)

    receiver.on_test(keep)
    receiver.on()(lambda event: titles.append(str(event.document and event.document.title)))
    for event_type, is_test in [("documentCreated", False), ("documentUpdated", True), ("documentArchived", False)]:
        receiver.receive(*delivery(event_type, secret=SECRET, is_test=is_test, title=event_type))
    assert titles == ["documentCreated", "documentUpdated", "documentArchived"]
    assert DocumentEvent is Event


def test_an_old_delivery_is_refused_as_any_other() -> None:
    with pytest.raises(TooOld):
        Receiver(secrets=SECRET).verify(*delivery(secret=SECRET, now=NOW - 10 * 365 * 86400))


@pytest.mark.parametrize(
    ("attributes", "named"),
    [
        ({"contract_value": 1}, "contract_value"),
        ({"title": None}, "title"),
        ({"contractValue": float("nan")}, "number"),
    ],
)
def test_what_is_no_document_is_refused_and_named(attributes: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        delivery(secret=SECRET, **attributes)


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ConfigError):
        delivery(secret="")
