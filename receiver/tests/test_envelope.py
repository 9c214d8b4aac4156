import copy
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receiver.tests.requests import compact

from signalpost_receiver import (
    DOCUMENT_KEYS,
    ENVELOPE_KEYS,
    VERSION_KEYS,
    Document,
    DocumentStatus,
    DuplicateKey,
    Event,
    EventType,
    InvalidJSON,
    PayloadError,
    Schema,
    TooDeep,
    Version,
    parse,
)

EXAMPLES = Path(__file__).parent / "examples"
LINKS_END = datetime(2021, 11, 11, 22, 54, 59, 250174, UTC)
EXAMPLE: dict[str, Any] = json.loads((EXAMPLES / "documentCreated.json").read_text())


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The page's first example after `change`."""
    event = copy.deepcopy(EXAMPLE)
    change(event)
    return compact(event)


def with_attribute(name: str, value: object) -> bytes:
    return changed(lambda event: event["data"]["document"].update({name: value}))


def document_of(body: bytes) -> Document:
    document = parse(body).document
    assert document is not None
    return document


@pytest.mark.parametrize(
    ("name", "status"),
    [("documentCreated", "created"), ("documentUpdated", "awaitingReview"), ("documentDeleted", "other")],
)
def test_c1_to_c12_the_pages_examples_are_read_in_full(name: str, status: str) -> None:
    body = (EXAMPLES / f"{name}.json").read_bytes()
    files = "https://legalgateway-local.s3.amazonaws.com:443/media/documents/2499/"
    assert parse(body) == Event(
        id="8cfa669c-41cc-412c-858d-0374e2c007fc",
        type=EventType(name),
        created_at=datetime(2021, 11, 11, 22, 39, 59, 250174, UTC),
        document=Document(
            type="Service Agreement",
            title="Service Agreement for Company A",
            status=DocumentStatus(status),
            created_at=datetime(2021, 9, 2, 4, 37, 56, 812919, UTC),
            source_app="Approve and eSign",
            start_date=date(2021, 11, 25),
            executed_at=None,
            expiry_date=datetime(2021, 11, 27, 13, tzinfo=UTC),
            external_id="d24c0644-1d31-47fa-960e-b0cc8b4f136c",
            owner_email="owner@example.com",
            author_email="author@example.com",
            reference_id=None,
            contract_value=Decimal("0.0"),
            latest_version=Version(
                number="7.1", download_url=files + "Contract_2JS9d2q.docx?...", expires_at=LINKS_END
            ),
            additional_facts={"customFact1": "123", "currency": "AUD"},
            counterparty_name="Company A",
            published_version=Version(
                number="7.0", download_url=files + "Contract_4JF72sf.docx?...", expires_at=LINKS_END
            ),
        ),
        data=json.loads(body, parse_float=Decimal)["data"],
    )


def test_c1_c7_c9_the_names_stand_in_the_pages_order() -> None:
    assert tuple(EXAMPLE) == ENVELOPE_KEYS
    assert tuple(EXAMPLE["data"]["document"]) == DOCUMENT_KEYS
    assert tuple(EXAMPLE["data"]["document"]["latestVersion"]) == VERSION_KEYS


def test_c7_every_attribute_has_its_field() -> None:
    def camel(name: str) -> str:
        head, *tail = name.split("_")
        return head + "".join(part.capitalize() for part in tail)

    assert tuple(camel(item.name) for item in fields(Document)) == (*DOCUMENT_KEYS, "extra")


def test_c3_c12_the_closed_lists() -> None:
    assert list(EventType) == ["documentCreated", "documentUpdated", "documentDeleted"]
    assert list(DocumentStatus) == [
        "created",
        "awaitingReview",
        "reviewApproved",
        "reviewRejected",
        "awaitingApproval",
        "approved",
        "approvalRejected",
        "awaitingSignature",
        "signedByClient",
        "signatureRejected",
        "signatureRequestExpired",
        "executed",
        "paused",
        "cancelled",
        "other",
    ]


@pytest.mark.parametrize("data", [{}, {"document": None}, {"document": "an id"}, {"folder": {"name": "A"}}])
def test_c3_an_unknown_type_passes_with_its_data(data: dict[str, Any]) -> None:
    event = parse(changed(lambda event: event.update(type="folderMoved", data=data)))
    assert (event.type, event.document, event.data) == ("folderMoved", None, data)
    assert not isinstance(event.type, EventType)


def test_c3_an_unknown_type_with_a_document_is_read_as_usual() -> None:
    event = parse(changed(lambda event: event.update(type="documentArchived")))
    assert event.document is not None
    assert event.document.title == "Service Agreement for Company A"


def test_c12_an_unknown_status_passes() -> None:
    status = document_of(with_attribute("status", "awaitingMoonrise")).status
    assert status == "awaitingMoonrise"
    assert not isinstance(status, DocumentStatus)


def test_c1_c7_c9_unknown_attributes_are_kept() -> None:
    def add(event: dict[str, Any]) -> None:
        event["region"] = "au"
        event["data"]["document"]["colour"] = {"red": 0.5}
        event["data"]["document"]["latestVersion"]["pages"] = 3

    event = parse(changed(add))
    assert event.extra == {"region": "au"}
    assert event.document is not None
    assert event.document.extra == {"colour": {"red": Decimal("0.5")}}
    assert event.document.latest_version is not None
    assert event.document.latest_version.extra == {"pages": 3}


@pytest.mark.parametrize(
    "text", ["0.0", "9999999999999.99", "10000000000000.00", "12", "1e3", "0.10", "12345678901234567890.01"]
)
def test_c8_contract_value_is_exact(text: str) -> None:
    body = with_attribute("contractValue", "HERE").replace(b'"HERE"', text.encode())
    assert document_of(body).contract_value == Decimal(text)


@pytest.mark.parametrize(
    "name",
    [
        "executedAt",
        "counterpartyName",
        "referenceId",
        "startDate",
        "expiryDate",
        "contractValue",
        "latestVersion",
        "publishedVersion",
    ],
)
def test_c8_these_may_be_null(name: str) -> None:
    document_of(with_attribute(name, None))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2021-11-27T13:00:00+00:00", datetime(2021, 11, 27, 13, tzinfo=UTC)),
        ("2021-11-27T13:00:00Z", datetime(2021, 11, 27, 13, tzinfo=UTC)),
        ("2021-11-27T13:00:00.5+10:30", datetime(2021, 11, 27, 2, 30, 0, 500000, UTC)),
        ("2021-11-25", date(2021, 11, 25)),
    ],
)
def test_c4_a_date_stays_a_date_and_a_timestamp_becomes_utc(text: str, expected: date) -> None:
    value = document_of(with_attribute("startDate", text)).start_date
    assert value == expected
    assert type(value) is type(expected)
    if isinstance(value, datetime):
        assert value.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "2021-02-30",
        "2021-W47-4",
        "20211125",
        "2021-11-25T13:00:00",
        "2021-11-25 13:00:00Z",
        "2021-11-25T13:00Z",
        "2021-11-25T25:00:00Z",
        "2021-11-25T13:00:00.1234567Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "٢٠٢١-11-25",
        "2021-11-25\n",
        "",
        "tomorrow",
    ],
)
def test_c4_other_forms_of_time_are_refused(text: str) -> None:
    with pytest.raises(Schema, match=r"document\.startDate"):
        parse(with_attribute("startDate", text))


@pytest.mark.parametrize("name", DOCUMENT_KEYS)
@pytest.mark.parametrize("value", [["wrong"], True, 7.5])
def test_c7_an_attribute_of_the_wrong_kind_is_named_and_its_value_is_not(name: str, value: object) -> None:
    if name == "contractValue" and value == 7.5:
        return
    with pytest.raises(Schema, match=rf"^event\.data\.document\.{name}\b") as caught:
        parse(with_attribute(name, value))
    assert "wrong" not in str(caught.value)
    assert caught.value.status == 400


@pytest.mark.parametrize("name", DOCUMENT_KEYS)
def test_c7_a_missing_attribute_is_named(name: str) -> None:
    with pytest.raises(Schema, match=rf"^event\.data\.document\.{name} is missing$"):
        parse(changed(lambda event: event["data"]["document"].pop(name)))


@pytest.mark.parametrize("name", ENVELOPE_KEYS)
def test_c1_a_missing_envelope_attribute_is_named(name: str) -> None:
    with pytest.raises(Schema, match=rf"^event\.{name} is missing$"):
        parse(changed(lambda event: event.pop(name)))


def test_c6_a_known_type_needs_its_document() -> None:
    with pytest.raises(Schema, match=r"^event\.data\.document is not an object$"):
        parse(changed(lambda event: event["data"].clear()))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",  # a byte-order mark
        '{"id": "x"}'.encode("utf-16"),
        b"{",
        b"{} {}",
        b"{'id': 1}",
        b"[NaN]",
        b"[-Infinity]",
        b"[" + b"9" * 10_000 + b"]",
        b"[1e99999999999999999999]",
    ],
)
def test_c13_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidJSON) as caught:
        parse(body)
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 200_000, b"[" * 33 + b"]" * 33])
def test_c13_deep_nesting_is_refused(body: bytes) -> None:
    with pytest.raises(TooDeep) as caught:
        parse(body)
    assert caught.value.status == 400


@pytest.mark.parametrize("exponent", ["e999999999", "e-999999999", "e101"])
def test_c8_a_number_that_no_arithmetic_survives_is_refused(exponent: str) -> None:
    body = with_attribute("contractValue", "HERE").replace(b'"HERE"', b"1" + exponent.encode())
    with pytest.raises(Schema, match="contractValue"):
        parse(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(ENVELOPE_KEYS), inner),
    max_leaves=8,
)


@given(st.binary())
def test_parse_is_total_on_bytes(body: bytes) -> None:
    with pytest.raises(PayloadError):
        parse(body)


@given(JSON)
def test_parse_is_total_on_json(value: object) -> None:
    with pytest.raises(PayloadError):
        parse(json.dumps(value).encode())


@given(name=st.sampled_from(DOCUMENT_KEYS + ENVELOPE_KEYS), value=JSON)
def test_parse_is_total_on_nearly_events(name: str, value: object) -> None:
    def replace(event: dict[str, Any]) -> None:
        (event if name in ENVELOPE_KEYS else event["data"]["document"])[name] = value

    with suppress(PayloadError):
        parse(changed(replace))


@given(
    name=st.sampled_from([name for name in ENVELOPE_KEYS + DOCUMENT_KEYS + VERSION_KEYS if name != "additionalFacts"]),
    value=JSON.filter(lambda value: "Infinity" not in json.dumps(value)),
    colon=st.sampled_from([":", " :", ": ", "\n:"]),
)
def test_a_name_that_comes_twice_is_always_refused_whatever_the_value_that_is_hidden(
    name: str, value: object, colon: str
) -> None:
    body = compact(EXAMPLE).decode()
    twice = body.replace(f'"{name}":', f'"{name}"{colon}{json.dumps(value, ensure_ascii=False)},"{name}":', 1)
    with pytest.raises(DuplicateKey):
        parse(twice.encode())


def test_events_can_be_hashed_copied_and_compared() -> None:
    event = parse(changed(lambda event: None))
    assert copy.deepcopy(event) == event
    assert {event: 1}[parse(changed(lambda event: None))] == 1
