"""C7 to C12: a document's attributes, the rules for each, and how one state follows another."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from signalpost.domain.body import read
from signalpost.domain.documents import document as rules
from signalpost.domain.documents.bodies import DocumentPatch, NewDocument, Snapshot
from signalpost.domain.documents.document import Document, Version
from signalpost.domain.documents.workflow import STATUSES
from signalpost.domain.errors import Invalid

PAGE = {
    path.stem: json.loads(path.read_bytes())["data"]["document"]
    for path in sorted((Path(__file__).parents[4] / "examples" / "page").glob("*.json"))
}
ORDER = [
    "type", "title", "status", "createdAt", "sourceApp", "startDate", "executedAt", "expiryDate", "externalId",
    "ownerEmail", "authorEmail", "referenceId", "contractValue", "latestVersion", "additionalFacts",
    "counterpartyName", "publishedVersion",
]  # fmt: skip
"""C7, as the page has it."""
EXTERNAL_ID = "d24c0644-1d31-47fa-960e-b0cc8b4f136c"
NOW = "2024-01-02T03:04:05.000006+00:00"
REQUIRED = {
    "type": "NDA",
    "title": "NDA with A",
    "ownerEmail": "owner@example.com",
    "authorEmail": "author@example.com",
}
SNAPSHOT = {**REQUIRED, "status": "created", "createdAt": NOW, "sourceApp": "CRM"}

TEXTS = st.text(min_size=1, max_size=20).filter(lambda text: "\x00" not in text)
FACTS = st.one_of(
    st.text(max_size=20).filter(lambda text: "\x00" not in text),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
FACT_OBJECTS = st.dictionaries(TEXTS, FACTS, max_size=5)
DAYS = st.dates().map(str)
MONEY = st.integers(-(10**15), 10**15).map(lambda cents: cents / 100)
EMAILS = st.sampled_from(["a@b.c", "ü@example.com", "someone.else@example.org"])
PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "type": TEXTS,
        "title": TEXTS,
        "startDate": st.none() | DAYS,
        "expiryDate": st.none() | DAYS,
        "ownerEmail": EMAILS,
        "authorEmail": EMAILS,
        "referenceId": st.none() | TEXTS,
        "contractValue": st.none() | MONEY,
        "counterpartyName": st.none() | TEXTS,
        "additionalFacts": st.none() | st.dictionaries(TEXTS | st.sampled_from("abc"), st.none() | FACTS, max_size=5),
    },
)
VERSIONS = st.builds(Version, TEXTS, TEXTS)
DOCUMENTS = st.builds(
    Document,
    type=TEXTS,
    title=TEXTS,
    status=st.sampled_from(STATUSES),
    created_at=st.just(NOW),
    source_app=TEXTS,
    start_date=st.none() | DAYS,
    executed_at=st.none() | st.just(NOW),
    expiry_date=st.none() | DAYS,
    external_id=st.uuids().map(str),
    owner_email=EMAILS,
    author_email=EMAILS,
    reference_id=st.none() | TEXTS,
    contract_value=st.none() | MONEY,
    latest_version=st.none() | VERSIONS,
    additional_facts=st.dictionaries(TEXTS | st.sampled_from("abc"), FACTS, max_size=5),
    counterparty_name=st.none() | TEXTS,
    published_version=st.none() | VERSIONS,
)


def new(body: dict[str, Any]) -> Document:
    return rules.created(read(NewDocument, body), EXTERNAL_ID, "the app", NOW)


def imported(body: dict[str, Any]) -> Document:
    return rules.snapshot(read(Snapshot, body), EXTERNAL_ID)


def patch(document: Document, body: dict[str, Any]) -> Document:
    return replace(document, **rules.changes(document, read(DocumentPatch, body)))


def refusals(body: Any, kind: Any) -> set[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        read(kind, body)
    return {(error.pointer, error.code) for error in caught.value.errors}


def shown(document: Document) -> dict[str, Any]:
    return json.loads(rules.encode(document))  # type: ignore[no-any-return]


# --- On the wire ------------------------------------------------------------------------------------------------------


@given(DOCUMENTS)
def test_all_attributes_are_always_there_in_the_order_of_the_page(document: Document) -> None:
    """C7"""
    assert list(shown(document)) == ORDER


@given(DOCUMENTS)
def test_what_was_encoded_decodes_to_the_same_and_encodes_to_the_same_bytes(document: Document) -> None:
    body = rules.encode(document)
    decoded = rules.decode(body)
    assert decoded == document
    assert rules.encode(decoded) == body
    assert [type(value) for value in decoded.additional_facts.values()] == [
        type(value) for value in document.additional_facts.values()
    ]


@given(DOCUMENTS)
def test_a_document_is_utf_8_json_without_a_byte_order_mark(document: Document) -> None:
    """C13"""
    body = rules.encode(document)
    assert body.startswith(b"{")
    assert json.loads(body.decode("utf-8"))["title"] == document.title


def test_a_new_document_is_created_and_null_where_nothing_was_given() -> None:
    """C8, C12: nulls, the id that the gateway makes, the first status."""
    assert shown(new(REQUIRED)) == {
        **REQUIRED,
        "status": "created",
        "createdAt": NOW,
        "sourceApp": "the app",
        "externalId": EXTERNAL_ID,
        "additionalFacts": {},
        **dict.fromkeys(
            ("executedAt", "counterpartyName", "referenceId", "startDate", "expiryDate", "contractValue"),
        ),
        **dict.fromkeys(("latestVersion", "publishedVersion")),
    }


def test_a_new_document_takes_what_may_be_given() -> None:
    given_body = {
        **REQUIRED,
        "sourceApp": "CRM",
        "startDate": "2021-11-25",
        "expiryDate": "2021-11-27T14:00:00+01:00",
        "referenceId": "R-1",
        "contractValue": 12,
        "counterpartyName": "Company A",
        "additionalFacts": {"a": "x", "b": 1, "c": 1.5, "d": True},
    }
    made = shown(new(given_body))
    assert made == {
        **shown(new(REQUIRED)),
        **given_body,
        "expiryDate": "2021-11-27T13:00:00+00:00",
        "contractValue": 12.0,
    }


@pytest.mark.parametrize(
    "name", ["status", "createdAt", "executedAt", "externalId", "latestVersion", "publishedVersion"]
)
def test_what_the_gateway_says_itself_cannot_be_given(name: str) -> None:
    """C8, C9, C12"""
    assert refusals({**REQUIRED, name: None}, NewDocument) == {(f"/{name}", "unknown_field")}
    assert refusals({name: None}, DocumentPatch) == {(f"/{name}", "unknown_field")}


# --- Imports ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(PAGE))
def test_an_import_of_the_pages_document_passes_everything_on(name: str) -> None:
    """C7 to C12: links of other systems included (C10)."""
    document = imported(PAGE[name])
    assert shown(document) == PAGE[name]
    assert list(shown(document)) == ORDER


@pytest.mark.parametrize("status", STATUSES)
def test_an_import_may_have_any_status(status: str) -> None:
    """C12"""
    assert imported({**SNAPSHOT, "status": status}).status == status


def test_the_statuses_are_those_of_the_page() -> None:
    """C12"""
    assert STATUSES == (
        "created", "awaitingReview", "reviewApproved", "reviewRejected", "awaitingApproval", "approved",
        "approvalRejected", "awaitingSignature", "signedByClient", "signatureRejected", "signatureRequestExpired",
        "executed", "paused", "cancelled", "other",
    )  # fmt: skip


@pytest.mark.parametrize("status", ["", "Created", "deleted", None, 1])
def test_an_import_may_have_no_other_status(status: Any) -> None:
    assert refusals({**SNAPSHOT, "status": status}, Snapshot) == {("/status", "not_allowed")}


def test_an_imports_links_and_numbers_are_passed_on_as_they_are() -> None:
    """C9, C10"""
    version = {"number": "7.1", "downloadUrl": "https://x.example:443/a b/?q=%20&sig=ä#f"}
    document = imported({**SNAPSHOT, "latestVersion": version, "publishedVersion": version})
    assert shown(document)["latestVersion"] == version
    assert shown(document)["publishedVersion"] == version


@pytest.mark.parametrize("name", ["createdAt", "executedAt"])
@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("2021-09-02T04:37:56.812919+00:00", "2021-09-02T04:37:56.812919+00:00"),
        ("2021-09-02T06:37:56.8+02:00", "2021-09-02T04:37:56.800000+00:00"),
        ("2021-09-02T04:37:56Z", "2021-09-02T04:37:56.000000+00:00"),
    ],
)
def test_an_imports_own_times_have_the_six_digits_that_receivers_parse(
    name: str, given_text: str, expected: str
) -> None:
    """C4: only `startDate` and `expiryDate` may look otherwise."""
    assert shown(imported({**SNAPSHOT, name: given_text}))[name] == expected


@pytest.mark.parametrize("name", ["createdAt", "executedAt"])
def test_an_imports_own_times_cannot_be_plain_dates(name: str) -> None:
    """C4"""
    assert refusals({**SNAPSHOT, name: "2021-09-02"}, Snapshot) == {(f"/{name}", "not_a_timestamp")}


@pytest.mark.parametrize(
    "name", sorted(field.encode_name for field in msgspec.structs.fields(Snapshot) if field.required)
)
def test_what_an_import_must_have(name: str) -> None:
    body = {key: value for key, value in SNAPSHOT.items() if key != name}
    assert refusals(body, Snapshot) == {(f"/{name}", "required")}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ({}, {("/latestVersion/number", "required"), ("/latestVersion/downloadUrl", "required")}),
        ({"number": 7.1, "downloadUrl": "x"}, {("/latestVersion/number", "wrong_type")}),
        (
            {"number": "", "downloadUrl": ""},
            {("/latestVersion/number", "wrong_length"), ("/latestVersion/downloadUrl", "wrong_length")},
        ),
        ({"number": "1", "downloadUrl": "x", "a/~b": 1}, {("/latestVersion/a~1~0b", "unknown_field")}),
        ("7.1", {("/latestVersion", "wrong_type")}),
    ],
)  # fmt: skip
def test_every_fault_inside_a_version_is_named(version: Any, expected: set[tuple[str, str]]) -> None:
    """C9"""
    assert refusals({**SNAPSHOT, "latestVersion": version}, Snapshot) == expected


# --- Facts and limits -------------------------------------------------------------------------------------------------


@given(FACT_OBJECTS)
def test_facts_are_texts_numbers_and_booleans_as_they_were_given(facts: dict[str, Any]) -> None:
    """C11"""
    document = new({**REQUIRED, "additionalFacts": facts})
    assert list(document.additional_facts.items()) == list(facts.items())
    assert list(shown(document)["additionalFacts"].items()) == list(facts.items())


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"a": None}, {("/additionalFacts/a", "wrong_type")}),
        ({"a": []}, {("/additionalFacts/a", "wrong_type")}),
        ({"a": {}}, {("/additionalFacts/a", "wrong_type")}),
        ({"": "x"}, {("/additionalFacts/", "wrong_length")}),
        ({"n" * 129: "x"}, {("/additionalFacts/" + "n" * 129, "wrong_length")}),
        ({"a\x00": "x"}, {("/additionalFacts/a\x00", "forbidden_character")}),
        ({"a": "\x00"}, {("/additionalFacts/a", "forbidden_character")}),
        ({"a": "\ud800"}, {("/additionalFacts/a", "forbidden_character")}),
        ({"\ud800": "a"}, {("/additionalFacts/\\ud800", "forbidden_character")}),
        ({"a": "x" * 4097}, {("/additionalFacts/a", "wrong_length")}),
        ({"a": "ä" * 2049}, {("/additionalFacts/a", "wrong_length")}),
        (
            {"a": 2**64, "b": -(2**63) - 1},
            {("/additionalFacts/a", "out_of_range"), ("/additionalFacts/b", "out_of_range")},
        ),
        ({"x/y": None, "~": None}, {("/additionalFacts/x~1y", "wrong_type"), ("/additionalFacts/~0", "wrong_type")}),
        ({str(n): "x" for n in range(65)}, {("/additionalFacts", "too_many")}),
        ([], {("/additionalFacts", "wrong_type")}),
        (None, {("/additionalFacts", "wrong_type")}),
    ],
)
def test_facts_beyond_their_limits_are_refused_each_by_its_name(facts: Any, expected: set[tuple[str, str]]) -> None:
    """C11"""
    assert refusals({**REQUIRED, "additionalFacts": facts}, NewDocument) == expected


def test_facts_at_their_limits_are_taken() -> None:
    facts: dict[str, Any] = {f"{n:0128d}": "x" * 4096 for n in range(61)}
    facts |= {"ä" * 128: "ä" * 2048, "empty": "", "number": 2**64 - 1}
    assert new({**REQUIRED, "additionalFacts": facts}).additional_facts == facts


def test_texts_at_their_limits_are_taken_and_one_more_is_not() -> None:
    names = ("type", "title", "referenceId", "counterpartyName")
    assert new({**REQUIRED, **dict.fromkeys(names, "x" * 512)}).title == "x" * 512
    body = {**REQUIRED, **dict.fromkeys(names, "x" * 513)}
    assert refusals(body, NewDocument) == {(f"/{name}", "wrong_length") for name in names}


@pytest.mark.parametrize("bad", ["a\x00b", "\udcff"])
def test_no_text_has_u0000_or_a_lone_surrogate(bad: str) -> None:
    body = dict.fromkeys(("type", "title", "ownerEmail", "authorEmail", "referenceId", "counterpartyName"), bad)
    assert refusals(body, NewDocument) == {(f"/{name}", "forbidden_character") for name in body}


def test_every_bad_field_is_named_at_once() -> None:
    body = {
        "type": "",
        "title": 1,
        "startDate": "2021-02-30",
        "expiryDate": "2021-11-27T13:00:00",
        "ownerEmail": "nobody",
        "contractValue": 0.001,
        "additionalFacts": {"a": [], "b": 2**70},
        "status": "created",
    }
    assert refusals(body, NewDocument) == {
        ("/type", "wrong_length"),
        ("/title", "wrong_type"),
        ("/startDate", "not_a_date"),
        ("/expiryDate", "not_a_date"),
        ("/ownerEmail", "not_an_email"),
        ("/contractValue", "too_many_decimals"),
        ("/additionalFacts/a", "wrong_type"),
        ("/additionalFacts/b", "out_of_range"),
        ("/status", "unknown_field"),
        ("/authorEmail", "required"),
    }


def largest(character: str, facts: int) -> dict[str, Any]:
    """A snapshot in which everything is as long as the limits on single fields allow."""
    text, link = character * 512, character * 4096
    version = {"number": text, "downloadUrl": link}
    return {
        **SNAPSHOT,
        "status": "signatureRequestExpired",
        "type": text,
        "title": text,
        "sourceApp": text,
        "referenceId": text,
        "counterpartyName": text,
        "latestVersion": version,
        "publishedVersion": version,
        "additionalFacts": {f"{n:02d}" + character * 126: character * 4096 for n in range(facts)},
    }


def test_a_document_full_of_control_characters_is_refused_or_fits_into_an_event() -> None:
    """C13: each control character takes six bytes in JSON, so the limits on single fields do not keep to 1 MiB."""
    room = 1024 * 1024 - 1000
    sizes = []
    refusals_of = set()
    for facts in range(0, 65, 4):
        try:
            sizes.append(len(rules.encode(imported(largest("\x01", facts)))))
        except Invalid as invalid:
            refusals_of |= {error.code for error in invalid.errors}
    assert 0 < max(sizes) < room
    assert refusals_of == {"too_large"}


@pytest.mark.parametrize("character", ["a", "\\", '"'])
def test_whatever_takes_two_bytes_or_fewer_in_json_always_fits(character: str) -> None:
    """C13"""
    assert len(rules.encode(imported(largest(character, 64)))) <= rules.MAX_DOCUMENT_BYTES


def test_a_document_that_fits_can_always_be_deleted() -> None:
    """C6: its last event must not be refused for its size."""
    for status in STATUSES:
        document = imported({**SNAPSHOT, "status": status})
        assert len(rules.encode(rules.deleted(document))) <= len(rules.encode(document))


# --- Patches ----------------------------------------------------------------------------------------------------------


def merge_patch(target: Any, change: Any) -> Any:
    """RFC 7396, section 2, word for word."""
    if not isinstance(change, dict):
        return change
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


@given(DOCUMENTS, PATCHES)
def test_a_patch_does_what_rfc_7396_says(document: Document, body: dict[str, Any]) -> None:
    """An attribute that the merge removes is null (C8), facts that it removes are none."""
    merged = merge_patch(shown(document), body)
    expected = {name: merged.get(name) for name in ORDER}
    expected["additionalFacts"] = expected["additionalFacts"] or {}
    assert shown(patch(document, body)) == expected


@given(DOCUMENTS, PATCHES)
def test_a_patch_given_twice_changes_nothing_more(document: Document, body: dict[str, Any]) -> None:
    once = patch(document, body)
    assert rules.encode(patch(once, body)) == rules.encode(once)


@given(DOCUMENTS)
def test_an_empty_patch_changes_nothing(document: Document) -> None:
    assert rules.encode(patch(document, {})) == rules.encode(document)


@given(DOCUMENTS, PATCHES)
def test_a_patch_leaves_alone_what_it_does_not_name(document: Document, body: dict[str, Any]) -> None:
    before, after = shown(document), shown(patch(document, body))
    assert {name for name in ORDER if before[name] != after[name]} <= set(body)


@given(DOCUMENTS, PATCHES)
def test_a_patch_leaves_the_document_before_it_as_it_was(document: Document, body: dict[str, Any]) -> None:
    before = rules.encode(document)
    patch(document, body)
    assert rules.encode(document) == before


def test_a_patch_to_the_value_that_is_there_keeps_every_byte() -> None:
    document = new({**REQUIRED, "contractValue": 3, "additionalFacts": {"b": 1, "a": "x"}, "startDate": "2021-11-25"})
    same = {"contractValue": 3.0, "additionalFacts": {"a": "x"}, "startDate": "2021-11-25", "referenceId": None}
    assert rules.encode(patch(document, same)) == rules.encode(document)


def test_a_patch_adds_replaces_and_removes_single_facts() -> None:
    """C11"""
    document = new({**REQUIRED, "additionalFacts": {"a": 1, "b": 2, "c": 3}})
    changed = patch(document, {"additionalFacts": {"a": None, "b": "two", "d": True, "unknown": None}})
    assert changed.additional_facts == {"b": "two", "c": 3, "d": True}


@pytest.mark.parametrize("name", ["", "x" * 129, "\x00", "\ud800"])
def test_a_patch_cannot_remove_a_fact_by_a_name_that_none_can_have(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(DocumentPatch, {"additionalFacts": {name: None}})
    assert [error.code for error in caught.value.errors] == [
        "forbidden_character" if len(name) == 1 else "wrong_length"
    ]


def test_a_patch_cannot_make_more_facts_than_the_limit() -> None:
    document = new({**REQUIRED, "additionalFacts": {str(n): n for n in range(64)}})
    with pytest.raises(Invalid) as caught:
        patch(document, {"additionalFacts": {"one more": 1}})
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/additionalFacts", "too_many")]
    assert len(patch(document, {"additionalFacts": {"one more": 1, "0": None}}).additional_facts) == 64


@pytest.mark.parametrize("name", ["type", "title", "ownerEmail", "authorEmail"])
def test_a_patch_cannot_remove_what_is_required(name: str) -> None:
    assert refusals({name: None}, DocumentPatch) == {(f"/{name}", "wrong_type")}


@given(DOCUMENTS)
def test_a_deleted_document_keeps_its_last_attributes_with_status_other(document: Document) -> None:
    """C6"""
    assert shown(rules.deleted(document)) == {**shown(document), "status": "other"}


def test_attributes_and_wire_names_are_the_same_set() -> None:
    assert [field.encode_name for field in msgspec.structs.fields(Document)] == ORDER
