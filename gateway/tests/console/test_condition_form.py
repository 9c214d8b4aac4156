"""Conditions and delays as forms: what is kept becomes rows, and what rows say becomes the same JSON again."""

from typing import Any

import pytest
from msgspec import UNSET

from signalpost.console.condition_form import FormRow, condition_form, fields, operators, typed_condition
from signalpost.console.delay_form import Duration, after_form, duration_of, seconds_of, typed_after
from signalpost.domain.language.condition_reader import OPERATORS, read_condition

VALUE = {"field": "document.contractValue", "atLeast": 10000}
CENTRE = {"field": 'document.additionalFacts["cost \\"centre\\""]', "is": 42}


def typed(*rows: tuple[str, str, str, str], name: str = "when.", join: str = "all") -> dict[str, list[str]]:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
    parts = zip(("field", "fact", "operator", "value"), columns, strict=True)
    return {f"{name}join": [join], **{f"{name}{part}": column for part, column in parts}}


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "document.status", "changedTo": "executed"},
        VALUE,
        {"field": "document.contractValue", "in": [1, 2.5]},
        {"field": "document.referenceId", "exists": False},
        {"field": "document.title", "changed": True},
        {"field": "before.status", "notIn": ["approved", "paused"]},
        {"field": "event.type", "is": "documentCreated"},
        {"field": "document.additionalFacts.seats", "above": 10},
        {"field": "before.additionalFacts.country", "is": "NZ"},
        {"all": [VALUE, {"field": "document.additionalFacts", "changed": False}]},
        {"any": [VALUE, {"field": "document.expiryDate", "below": "2027-01-31"}]},
    ],
)
def test_a_condition_of_rows_comes_back_as_it_is(condition: dict[str, Any]) -> None:
    form = condition_form("when.", "/when", condition, {})
    assert form.json is None
    sent = typed(*((row.field, row.fact, row.operator, row.value) for row in form.rows), join=form.join)
    assert typed_condition("when.", sent) == condition
    read_condition(condition)


@pytest.mark.parametrize(
    "condition",
    [
        {"not": VALUE},
        {"all": [VALUE, {"any": [VALUE, VALUE]}]},
        {"field": "document.type", "in": ["a, b", "c"]},
        {"field": "document.title", "is": " with blanks "},
        {"field": "document.additionalFacts.seats", "is": "120"},
        CENTRE,
    ],
)
def test_what_rows_cannot_say_is_shown_as_json_and_comes_back(condition: dict[str, Any]) -> None:
    form = condition_form("when.", "/when", condition, {})
    assert form.json is not None
    assert typed_condition("when.", {"when.json": [form.json]}) == condition


def test_an_emptied_json_is_no_condition_and_a_broken_one_is_for_the_api_to_refuse() -> None:
    assert typed_condition("when.", {"when.json": [" "]}) is None
    assert typed_condition("when.", {"when.json": ["{"]}) == "{"


def test_rows_without_a_field_are_left_out_and_there_are_always_empty_ones() -> None:
    assert typed_condition("when.", typed(("", "", "is", "left over"))) is None
    assert typed_condition("when.", {}) is None
    form = condition_form("when.", "/when", UNSET, {})
    assert [row for row in form.rows if row != FormRow()] == []
    assert len(form.rows) == 2


def test_a_fact_of_any_name_can_be_typed() -> None:
    sent = typed(("fact:document", 'cost "centre"', "is", "42"))
    assert typed_condition("when.", sent) == CENTRE
    long = typed(("fact:before", "x" * 200, "exists:true", ""))
    assert typed_condition("when.", long) == {"field": f"before.additionalFacts.{'x' * 200}", "exists": True}


def test_each_row_knows_where_the_api_says_what_is_wrong_with_it() -> None:
    one = condition_form("when.", "/when", UNSET, typed(("document.title", "", "above", "5")))
    assert [row.pointer for row in one.rows] == ["/when", "", ""]
    rows = typed(("", "", "is", ""), ("document.title", "", "is", "a"), ("document.type", "", "is", "b"), join="any")
    two = condition_form("when.", "/when", UNSET, rows)
    assert [row.pointer for row in two.rows] == ["/when/any/0", "/when/any/1", "", ""]


def test_every_operator_and_every_field_can_be_chosen() -> None:
    assert {operator.partition(":")[0] for operator, _ in operators()} == set(OPERATORS)
    chosen = [value for options in fields().values() for value, _ in options]
    assert len(chosen) == len(set(chosen))
    assert {"document.status", "before.latestVersion.number", "event.type", "fact:document"} <= set(chosen)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(259_200, ("3", "days")), (5_400, ("90", "minutes")), (7_200, ("2", "hours")), (61, ("61", "seconds"))],
)
def test_a_delay_is_shown_in_the_largest_unit_that_fits(seconds: int, shown: tuple[str, str]) -> None:
    assert duration_of(seconds) == Duration(*shown)
    assert seconds_of(Duration(*shown)) == seconds
    assert duration_of(seconds).said == " ".join(shown)
    assert duration_of(3_600).said == "1 hour"


def test_a_delay_and_what_must_still_be_so_come_back_as_they_are() -> None:
    after = {"seconds": 259_200, "if": {"field": "document.status", "is": "awaitingApproval"}}
    form = after_form(after, {})
    rows = typed(*((row.field, row.fact, row.operator, row.value) for row in form.still.rows), name="still.")
    assert typed_after({"after": [form.wait.count], "after.unit": [form.wait.unit], **rows}) == after
    assert typed_after({"after": [""], "after.unit": ["days"]}) is None
    assert typed_after({"after": ["soon"], "after.unit": ["days"]}) == {"seconds": "soon"}
    alone = typed(("document.status", "", "is", "paused"), name="still.")
    assert typed_after({"after": [""], **alone}) == {"seconds": "", "if": {"field": "document.status", "is": "paused"}}
