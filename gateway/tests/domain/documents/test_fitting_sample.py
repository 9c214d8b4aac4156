"""Samples for previews: whatever a condition asks for, an event is made that it wants."""

from collections.abc import Mapping
from typing import Any

import pytest

from signalpost.domain.documents.fitting_sample import fitting
from signalpost.domain.documents.workflow import STATUSES
from signalpost.domain.event import Event, EventType
from signalpost.domain.language.condition_reader import operators_of, read_condition
from signalpost.domain.language.names import Name, Type, all_names
from signalpost.domain.language.subject import subject_of

NOW = 1_795_000_000_000_000
TYPES = (EventType.CREATED, EventType.UPDATED, EventType.DELETED)
VALUES: Mapping[Type, Any] = {Type.NUMBER: 5, Type.MOMENT: "2027-01-31", Type.STATUS: "executed"}
NAMES = [each for each in all_names("cost centre") if each.path[0] in ("document", "before")]
LEAVES = [(name, operator) for name in NAMES for operator in operators_of(name)]


def made(*conditions: Mapping[str, Any], types: tuple[EventType, ...] = TYPES) -> Event:
    return fitting(types, conditions, 1, NOW, lambda bits: 5)


def why_not(event: Event, condition: Mapping[str, Any]) -> str | None:
    return read_condition(condition).why_not(subject_of(event))


def leaf_of(name: Name, operator: str) -> dict[str, Any]:
    value = VALUES.get(name.type, "a text" if operator not in ("atLeast", "above", "atMost", "below") else 5)
    if operator in ("exists", "changed"):
        value = True
    return {"field": name.text, operator: [value] if operator in ("in", "notIn") else value}


@pytest.mark.parametrize(("name", "operator"), LEAVES, ids=[f"{name.text} {operator}" for name, operator in LEAVES])
def test_a_sample_meets_each_comparison_and_its_opposite(name: Name, operator: str) -> None:
    leaf = leaf_of(name, operator)
    assert why_not(made(leaf), leaf) is None
    assert why_not(made({"not": leaf}), {"not": leaf}) is None


@pytest.mark.parametrize("status", STATUSES)
def test_a_sample_changes_to_each_status_and_from_it(status: str) -> None:
    for operator in ("changedTo", "changedFrom", "is", "isNot"):
        leaf = {"field": "document.status", operator: status}
        assert why_not(made(leaf, types=(EventType.UPDATED,)), leaf) is None


def test_a_sample_meets_conditions_that_are_joined_and_what_must_still_be_so_later() -> None:
    when = {
        "all": [
            {"field": "document.status", "changedTo": "approved"},
            {"field": "document.contractValue", "above": 10_000},
            {"not": {"any": [{"field": "document.title", "contains": part} for part in ("Sample", "test")]}},
            {"field": 'document.additionalFacts["cost centre"]', "in": ["A", "B"]},
        ]
    }
    still = {"field": "document.ownerEmail", "startsWith": "legal@"}
    event = made(when, still, types=(EventType.UPDATED,))
    assert (why_not(event, when), why_not(event, still)) == (None, None)


def test_what_contradicts_itself_gets_a_sample_that_it_does_not_want() -> None:
    when = {"all": [{"field": "document.title", "is": "a"}, {"field": "document.title", "is": "b"}]}
    assert why_not(made(when), when) is not None


def test_a_sample_without_conditions_is_of_the_first_type() -> None:
    assert made(types=(EventType.DELETED, EventType.CREATED)).type == EventType.DELETED
