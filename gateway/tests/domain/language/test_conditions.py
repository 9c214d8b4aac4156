"""Which events a condition wants, and how it says why not."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from gateway.tests.domain.language.subjects import DOCUMENT, json_of, subject, subjects
from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.body import check_of
from signalpost.domain.checks import Bad, Several
from signalpost.domain.event import Event, PastEvent
from signalpost.domain.language import names
from signalpost.domain.language.condition_reader import (
    MAX_DEPTH,
    MAX_LEAVES,
    OPERATORS,
    When,
    operators_of,
    read_condition,
)
from signalpost.domain.language.names import NoSuchName
from signalpost.domain.language.subject import reader_of, subject_of

SEATS = 'document.additionalFacts["seats"]'
CENTRE = 'document.additionalFacts["cost centre"]'


def why_not(condition: Any, *, to: names.Subject | None = None) -> str | None:
    return read_condition(condition).why_not(to or subject())


def leaf(field: str, operator: str, value: Any) -> dict[str, Any]:
    return {"field": field, operator: value}


def errors_of(condition: Any) -> list[tuple[str, str, str]]:
    try:
        read_condition(condition)
    except (Bad, Several) as error:
        bads = error.bads if isinstance(error, Several) else [error]
    else:
        pytest.fail("It was taken.")
    assert all(bad.detail.endswith((".", "?")) for bad in bads)
    return [("/".join(("", *bad.below)), bad.code, bad.detail) for bad in bads]


HOLD = [
    ("document.title", "is", "Service Agreement for Company A"),
    ("document.title", "isNot", "service agreement for company a"),
    ("document.title", "in", ["x", "Service Agreement for Company A"]),
    ("document.title", "notIn", ["x", "y"]),
    ("document.title", "contains", "Company A"),
    ("document.title", "startsWith", "Service"),
    ("document.title", "exists", True),
    ("document.referenceId", "exists", False),
    ("document.referenceId", "isNot", "x"),
    ("document.status", "is", "approved"),
    ("document.status", "in", ["approved", "executed"]),
    ("document.status", "notIn", ["paused"]),
    ("document.contractValue", "is", 12500.5),
    ("document.contractValue", "is", Decimal("12500.50")),
    ("document.contractValue", "in", [1, Decimal("12500.5")]),
    ("document.contractValue", "atLeast", 12500.5),
    ("document.contractValue", "above", 12500),
    ("document.contractValue", "atMost", 12501),
    ("document.contractValue", "below", Decimal("12500.51")),
    ("document.startDate", "is", "2026-02-01"),
    ("document.startDate", "is", "2026-02-01T01:00:00+01:00"),
    ("document.startDate", "above", "2026-01-31"),
    ("document.startDate", "atMost", "2026-02-01T00:00:00+00:00"),
    ("document.expiryDate", "is", "2027-01-31"),
    ("document.expiryDate", "atMost", "2027-01-31"),
    ("document.expiryDate", "above", "2027-01-31T12:59:59.999999Z"),
    ("document.expiryDate", "is", "2027-01-31T14:00:00.0+01:00"),
    ("document.expiryDate", "in", ["2020-01-01", "2027-01-31"]),
    ("document.latestVersion", "exists", True),
    ("document.publishedVersion", "exists", False),
    ("document.latestVersion.number", "is", "7.1"),
    ("document.latestVersion.downloadUrl", "exists", True),
    ("document.additionalFacts", "exists", True),
    ("document.additionalFacts.seats", "is", 120),
    (SEATS, "is", "120"),
    (SEATS, "in", ["x", 120]),
    (SEATS, "startsWith", "12"),
    (SEATS, "above", 119.5),
    (CENTRE, "is", 42),
    (CENTRE, "is", "42"),
    (CENTRE, "below", 43),
    (CENTRE, "isNot", "042"),
    ("document.additionalFacts['cost centre']", "exists", True),
    ("document.additionalFacts.renews", "is", True),
    ("document.additionalFacts.renews", "is", "true"),
    ("document.additionalFacts.share", "is", Decimal("0.25")),
    ("document.additionalFacts.note", "exists", False),
    ("document.additionalFacts.nothing", "exists", False),
    ("document.additionalFacts.day", "below", "2026-03-02"),
    ("document.additionalFacts.day", "atLeast", "2026-03-01T00:00:00Z"),
    ("before.status", "is", "approved"),
    ("event.type", "is", "documentUpdated"),
    ("event.createdAt", "atLeast", "2026-01-15"),
]


@pytest.mark.parametrize(("field", "operator", "value"), HOLD)
def test_what_a_comparison_says_holds_and_its_opposite_does_not(field: str, operator: str, value: Any) -> None:
    assert why_not(leaf(field, operator, value)) is None
    why = why_not({"not": leaf(field, operator, value)})
    assert why is not None
    assert why.startswith(field.replace("'", '"').replace('["seats"]', ".seats"))
    assert why.endswith(".")


@pytest.mark.parametrize(
    "operator",
    ["is", "in", "atLeast", "above", "atMost", "below"],
)
def test_nothing_compares_with_what_is_empty_or_of_another_type(operator: str) -> None:
    value: Any = [7] if operator == "in" else 7
    assert why_not(leaf("document.contractValue", operator, value), to=subject(contract_value=None)) is not None
    for name in ("nothing", "note", "day", "renews"):
        assert why_not(leaf(f"document.additionalFacts.{name}", operator, value)) is not None


EQUAL, ORDER, PART, CHANGE = (
    "is isNot in notIn exists".split(), "atLeast above atMost below".split(), "contains startsWith".split(),
    "changed changedTo changedFrom".split(),
)  # fmt: skip


@pytest.mark.parametrize(
    ("field", "taken"),
    [
        ("document.title", EQUAL + PART + CHANGE),
        ("document.latestVersion.number", EQUAL + PART + CHANGE),
        ("document.status", EQUAL + CHANGE),
        ("document.contractValue", EQUAL + ORDER + CHANGE),
        ("document.startDate", EQUAL + ORDER + CHANGE),
        (SEATS, EQUAL + ORDER + PART + CHANGE),
        ("document.additionalFacts", ["exists", "changed"]),
        ("document.publishedVersion", ["exists", "changed"]),
        ("document.latestVersion.downloadUrl", ["exists"]),
        ("before.title", EQUAL + PART),
        ("before.contractValue", EQUAL + ORDER),
        ("before.additionalFacts", ["exists"]),
        ("event.id", EQUAL + PART),
        ("event.type", EQUAL),
        ("event.createdAt", EQUAL + ORDER),
    ],
)
def test_which_operators_a_field_takes_follows_from_its_type(field: str, taken: list[str]) -> None:
    for operator in OPERATORS:
        refused = [code for pointer, code, _ in errors_of(leaf(field, operator, {})) if pointer == f"/{operator}"]
        assert (refused != ["wrong_operator"]) == (operator in taken), operator


# --- Change -----------------------------------------------------------------------------------------------------------

EXECUTED = leaf("document.status", "changedTo", "executed")


def test_a_change_is_seen_by_what_was_before() -> None:
    executed = subject(status="executed", before={"status": "awaitingSignature"})
    assert why_not(EXECUTED, to=executed) is None
    assert why_not(leaf("document.status", "changed", True), to=executed) is None
    assert why_not(leaf("document.status", "changedFrom", "awaitingSignature"), to=executed) is None
    assert why_not(leaf("before.status", "is", "awaitingSignature"), to=executed) is None
    assert why_not(leaf("document.status", "changed", False), to=executed) == ("document.status changed.")
    assert why_not(leaf("document.status", "changedFrom", "approved"), to=executed) == (
        "document.status changed from 'awaitingSignature', not from 'approved'."
    )
    assert why_not({"not": EXECUTED}, to=executed) == "document.status changed to 'executed'."


def test_what_stays_as_it_was_did_not_change() -> None:
    renamed = subject(status="executed", before={"title": "Draft"})
    assert why_not(EXECUTED, to=renamed) == "document.status did not change; it is 'executed'."
    assert why_not(leaf("document.status", "changed", False), to=renamed) is None
    assert why_not(leaf("before.status", "is", "executed"), to=renamed) is None


@pytest.mark.parametrize(("was", "now"), [(1, True), (False, 0), (1, 1.0), (0.0, -0.0), ("1", 1), (None, 0)])
def test_values_that_are_written_otherwise_in_json_are_others(was: Any, now: Any) -> None:
    changed = subject(additional_facts={"seats": now}, before={"additionalFacts": {"seats": was}})
    for field in ('document.additionalFacts["seats"]', "document.additionalFacts"):
        assert why_not(leaf(field, "changed", True), to=changed) is None
        assert why_not(leaf(field, "changed", False), to=changed) is not None


def test_facts_in_another_order_are_the_same() -> None:
    sorted_anew = subject(additional_facts={"a": 1, "b": 2}, before={"additionalFacts": {"b": 2, "a": 1}})
    assert why_not(leaf("document.additionalFacts", "changed", False), to=sorted_anew) is None


def test_a_document_changes_to_what_it_is_created_with() -> None:
    created = subject("documentCreated", status="executed")
    assert why_not(EXECUTED, to=created) is None
    assert why_not(leaf("document.contractValue", "changed", True), to=created) is None
    assert why_not(leaf("document.referenceId", "changed", True), to=created) == (
        "document.referenceId did not change; it is empty."
    )
    assert why_not(leaf("document.status", "changedFrom", "created"), to=created) == (
        "document.status changed from nothing, not from 'created'."
    )
    assert why_not(leaf("before.status", "exists", False), to=created) is None


def test_what_a_document_is_created_without_did_not_change() -> None:
    changed = leaf("document.additionalFacts", "changed", True)
    created = subject("documentCreated", additional_facts={})
    assert why_not(changed, to=created) == "document.additionalFacts did not change; it is empty."
    assert why_not({"not": changed}, to=created) is None
    assert why_not(changed, to=subject("documentCreated", additional_facts={"a": 1})) is None


def test_a_fact_changed_only_if_it_is_another() -> None:
    changed = subject(before={"additionalFacts": {**DOCUMENT.additional_facts, "seats": 100}})
    assert why_not(leaf(SEATS, "changed", True), to=changed) is None
    assert why_not(leaf(SEATS, "changedFrom", 100), to=changed) is None
    assert why_not(leaf(CENTRE, "changed", True), to=changed) is not None
    assert why_not(leaf("document.additionalFacts", "changed", True), to=changed) is None


def test_of_an_event_without_former_values_nothing_is_known_to_have_changed() -> None:
    for operator, value in (("changed", True), ("changedTo", "approved"), ("changedFrom", "approved")):
        assert why_not(leaf("document.status", operator, value)) is not None


# --- Sentences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        (leaf("document.status", "is", "executed"), "document.status is 'approved', not 'executed'."),
        (leaf("document.status", "isNot", "approved"), "document.status is 'approved', which is excluded."),
        (
            leaf("document.status", "in", ["paused", "other"]),
            "document.status is 'approved', none of 'paused', 'other'.",
        ),
        (leaf("document.referenceId", "exists", True), "document.referenceId is empty."),
        (leaf("document.title", "exists", False), "document.title is 'Service Agreement for Company A', not empty."),
        (leaf("document.contractValue", "atLeast", 20000), "document.contractValue is 12500.5, not at least 20000."),
        (
            leaf("document.startDate", "below", "2026-01-01"),
            "document.startDate is '2026-02-01', not below 2026-01-01.",
        ),
        (leaf("document.executedAt", "above", "2026-01-01"), "document.executedAt is empty, not above 2026-01-01."),
        (
            leaf("document.title", "contains", "NDA"),
            "document.title is 'Service Agreement for Company A', which does not contain 'NDA'.",
        ),
        (leaf(CENTRE, "is", 7), "document.additionalFacts[\"cost centre\"] is '42', not 7."),
        (
            {"any": [leaf("document.status", "is", "executed"), leaf("document.contractValue", "above", 1e6)]},
            (
                "None of 2 alternatives is met: document.status is 'approved', not 'executed'; "
                "document.contractValue is 12500.5, not above 1000000."
            ),
        ),
        ({"any": [leaf("document.status", "is", "executed")]}, "document.status is 'approved', not 'executed'."),
        (
            {"all": [leaf("document.title", "exists", True), leaf("document.status", "is", "executed")]},
            "document.status is 'approved', not 'executed'.",
        ),
        (
            {"not": {"all": [leaf("document.status", "is", "approved"), leaf("document.title", "exists", True)]}},
            (
                "None of 2 alternatives is met: document.status is 'approved', which is excluded; "
                "document.title is 'Service Agreement for Company A', not empty."
            ),
        ),
    ],
)
def test_a_sentence_says_why_an_event_is_not_wanted(condition: Any, sentence: str) -> None:
    assert why_not(condition) == sentence


# --- What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "pointer", "code", "detail"),
    [
        ([], "", "wrong_type", "A condition is a JSON object"),
        ({}, "", "required", 'Write "all", "any" or "not", or a "field" with one operator.'),
        ({"is": 1}, "", "required", "Write"),
        ({"field": "document.status"}, "", "required", "exactly one operator: is, isNot"),
        ({"field": "document.contractValue", "above": 1, "below": 2}, "", "required", "exactly one operator"),
        ({"field": 7, "is": 1}, "/field", "wrong_type", "This must be a string."),
        (leaf("document.titel", "is", "x"), "/field", "unknown_name", "no document.titel; did you mean title?"),
        (leaf("document.externalID", "is", "x"), "/field", "unknown_name", "did you mean externalId?"),
        (leaf("status", "is", "x"), "/field", "unknown_name", "There is no status; did you mean document.status?"),
        (leaf("documents.status", "is", "x"), "/field", "unknown_name", "did you mean document?"),
        (leaf("document", "exists", True), "/field", "unknown_name", "Conditions look at members"),
        (leaf("made.url", "exists", True), "/field", "unknown_name", "Conditions look at members"),
        (leaf("before", "exists", True), "/field", "unknown_name", "Say which one after before, as in before.status."),
        (leaf("document.title.x", "is", "x"), "/field", "unknown_name", "There is nothing below document.title."),
        (leaf("document.latestVersion.nr", "is", "x"), "/field", "unknown_name", "no document.latestVersion.nr"),
        (leaf("before.latestVersion.downloadUrl", "exists", True), "/field", "unknown_name", "There is no before"),
        (leaf("document.status ", "is", "paused"), "/field", "unknown_name", "After document.status, at character 16,"),
        (leaf("document.additionalFacts[x]", "is", "x"), "/field", "unknown_name", "Write .word"),
        (leaf("", "is", "x"), "/field", "wrong_length", ""),
        (leaf("document.status", "equals", "x"), "/equals", "unknown_field", "There is no operator equals."),
        (leaf("document.status", "isnt", "x"), "/isnt", "unknown_field", "did you mean isNot?"),
        (leaf("document.status", "atleast", 1), "/atleast", "unknown_field", "did you mean atLeast?"),
        (leaf("document.status", "atLeast", 1), "/atLeast", "wrong_operator", "is a status and takes is"),
        (leaf("document.title", "above", "x"), "/above", "wrong_operator", "document.title is a text and takes"),
        (leaf("document.contractValue", "contains", "1"), "/contains", "wrong_operator", "is a number and takes"),
        (leaf("before.status", "changedTo", "paused"), "/changedTo", "wrong_operator", "before.status is a status"),
        (leaf("document.additionalFacts", "is", {}), "/is", "wrong_operator", "takes exists, changed."),
        (leaf("document.status", "is", "exceuted"), "/is", "not_allowed", "'exceuted'; did you mean executed?"),
        (leaf("document.status", "in", ["paused", "x"]), "/in/1", "not_allowed", "There is no status 'x'."),
        (leaf("event.type", "is", "documentCreate"), "/is", "not_allowed", "did you mean documentCreated?"),
        (leaf("document.status", "in", []), "/in", "wrong_length", ""),
        (leaf("document.status", "in", "paused"), "/in", "wrong_type", "This must be a list."),
        (leaf("document.contractValue", "is", "1"), "/is", "wrong_type", "This must be a number."),
        (leaf("document.contractValue", "atLeast", True), "/atLeast", "wrong_type", ""),
        (leaf("document.contractValue", "atLeast", 1e16), "/atLeast", "out_of_range", ""),
        (leaf("document.title", "is", 1), "/is", "wrong_type", "This must be a string."),
        (leaf("document.title", "is", ""), "/is", "wrong_length", ""),
        (leaf("document.title", "exists", "yes"), "/exists", "wrong_type", "This must be true or false."),
        (leaf("document.title", "changed", None), "/changed", "wrong_type", ""),
        (leaf("document.startDate", "above", "31.01.2026"), "/above", "not_a_date", "Write a date (2026-01-31)"),
        (leaf("document.startDate", "above", "2026-02-30"), "/above", "not_a_date", ""),
        (leaf("document.additionalFacts.x", "above", "many"), "/above", "not_a_date", ""),
        (leaf("document.additionalFacts.x", "is", None), "/is", "wrong_type", "A fact is compared with"),
        ({"all": []}, "/all", "wrong_length", ""),
        ({"all": {}}, "/all", "wrong_type", ""),
        ({"not": []}, "/not", "wrong_type", "A condition is a JSON object"),
        ({"not": EXECUTED, "field": "document.title"}, "", "not_alone", '"not" must be alone in its object'),
        ({"not": {"not": {"not": {"not": EXECUTED}}}}, "/not/not/not/not", "too_deep", "nested 4 deep"),
        ({"all": [EXECUTED] * 33}, "/all", "wrong_length", ""),
        ({"all": [{"any": [EXECUTED] * 20}] * 2}, "", "too_many", "at most 32 comparisons"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_where_it_is(condition: Any, pointer: str, code: str, detail: str) -> None:
    [error] = errors_of(condition)
    assert error[:2] == (pointer, code)
    assert detail in error[2]


def test_everything_that_is_wrong_is_named_at_once() -> None:
    found = errors_of({"all": [leaf("document.titel", "is", "x"), EXECUTED, {"not": leaf("document.status", "is", 1)}]})
    assert [pointer for pointer, _, _ in found] == ["/all/0/field", "/all/2/not/is"]


def test_the_bounds_are_what_still_passes() -> None:
    deep = EXECUTED
    for _ in range(MAX_DEPTH - 1):
        deep = {"not": deep}
    assert why_not(deep) is None
    assert why_not({"any": [EXECUTED] * MAX_LEAVES}) is not None


def test_a_condition_is_kept_as_json_with_doubles() -> None:
    given = {"all": [leaf("document.contractValue", "in", [Decimal("0.07"), 1])]}
    kept = check_of(When)(given)
    assert kept == {"all": [leaf("document.contractValue", "in", [0.07, 1])]}
    assert msgspec.json.decode(msgspec.json.encode(kept)) == kept


def test_every_attribute_of_a_document_has_a_name() -> None:
    for attribute, value in json_of(DOCUMENT).items():
        assert names.find(("document", attribute)).read(subject()) == value
        assert names.find(("before", attribute)).read(subject()) == value


# --- Laws -------------------------------------------------------------------------------------------------------------

FIELDS = [
    "document.title", "document.status", "document.contractValue", "document.expiryDate", "document.referenceId",
    "document.latestVersion.number", "document.additionalFacts", SEATS, CENTRE, "before.title", "before.expiryDate",
    "before.contractValue", "event.type", "before.additionalFacts.seats",
]  # fmt: skip
VALUES = {
    names.Type.TEXT: st.text(st.characters(exclude_characters="\x00"), min_size=1, max_size=3)
    | st.sampled_from(["a", "7", "8.0"]),
    names.Type.NUMBER: st.integers(-9, 9) | st.decimals(-9, 9, places=2),
    names.Type.MOMENT: st.sampled_from(["2026-01-31", "2026-01-31T10:00:00Z", "2020-01-01"]),
    names.Type.STATUS: st.sampled_from(["approved", "executed", "paused"]),
    names.Type.EVENT_TYPE: st.sampled_from(["documentCreated", "documentUpdated"]),
}
FACT_VALUES = st.booleans() | VALUES[names.Type.NUMBER] | st.sampled_from(["a", "7", "true"])


@st.composite
def leaves(draw: st.DrawFn) -> dict[str, Any]:
    field = draw(st.sampled_from(FIELDS))
    name, _ = names.scan(field, 0)
    operator = draw(st.sampled_from(operators_of(name)))
    value: st.SearchStrategy[Any] = VALUES.get(name.type, FACT_VALUES)
    if operator in ("atLeast", "above", "atMost", "below") and name.type is names.Type.ANY:
        value = VALUES[names.Type.NUMBER] | VALUES[names.Type.MOMENT]
    if operator in ("contains", "startsWith"):
        value = VALUES[names.Type.TEXT]
    if operator in ("in", "notIn"):
        value = st.lists(value, min_size=1, max_size=3)
    if operator in ("exists", "changed"):
        value = st.booleans()
    return leaf(field, operator, draw(value))


CONDITIONS = st.recursive(
    leaves(),
    lambda inner: (
        st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda part: {"not": part}, inner)
    ),
    max_leaves=4,
)


def is_deeper_than(condition: Any, most: int) -> bool:
    if most == 0:
        return True
    parts = condition.get("all") or condition.get("any") or [condition[name] for name in ("not",) if name in condition]
    return any(is_deeper_than(part, most - 1) for part in parts)


@given(CONDITIONS.filter(lambda found: not is_deeper_than(found, MAX_DEPTH - 1)), subjects())
def test_an_event_is_wanted_by_a_condition_or_by_its_opposite(condition: Any, to: names.Subject) -> None:
    """Whatever the condition and the event, an answer comes, and it is a sentence."""
    whys = [why_not(condition, to=to), why_not({"not": condition}, to=to)]
    [why] = [why for why in whys if why is not None]
    assert why.endswith(".")
    assert len(why) < 2000


@given(CONDITIONS, subjects())
def test_who_reads_only_what_a_condition_looks_at_comes_to_the_same_answer(condition: Any, to: names.Subject) -> None:
    try:
        read = read_condition(condition)
    except (Bad, Several):
        return  # it is too deep, or too large
    event = Event(1, 1, 0, "", 1, "", msgspec.json.encode(to.event), msgspec.json.encode(to.before))
    past = PastEvent(event.sequence, event.type, body=event.body, before=event.before)
    seen = reader_of(read.names())(past, {})
    why = read.why_not(seen)
    assert why == read.why_not(subject_of(event))
    assert read.is_met(seen) is (why is None)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(FIELDS),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["all", "any", "not", "field", *OPERATORS]) | st.text(max_size=3), inner)
        ),
        max_leaves=12,
    )
)
def test_whatever_is_sent_as_a_condition_is_taken_or_refused(condition: Any) -> None:
    with suppress(Bad, Several):
        read_condition(condition)


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=1))
def test_a_fact_of_any_name_can_be_written(fact: list[str]) -> None:
    path = ("document", "additionalFacts", *fact)
    name = names.find(path)
    found, end = names.scan(name.text + " |", 0)
    if name.text.isprintable() and "�" not in name.text:
        assert (found.path, end) == (path, len(name.text))


@given(st.text(alphabet="dbefmore.[]\"'\\ cument", max_size=30))
def test_whatever_is_written_as_a_name_is_found_or_not(text: str) -> None:
    with suppress(NoSuchName):
        _, end = names.scan(text, 0)
        assert 0 < end <= len(text)
