"""The schema of conditions and their reader agree: what one takes, the other does."""

from datetime import date, timedelta, timezone
from itertools import product
from typing import Any

import jsonschema_rs
from hypothesis import example, given
from hypothesis import strategies as st

from signalpost.domain.checks import Bad, Several
from signalpost.domain.documents.workflow import STATUSES
from signalpost.domain.event import BY_WIRE
from signalpost.domain.language.condition_reader import MAX_ALTERNATIVES, MAX_LEAVES, OPERATORS, SCHEMA, read_condition
from signalpost.domain.language.condition_schema import condition_schema
from signalpost.domain.language.names import all_names

BEYOND = {"too_deep", "too_many"}
"""Refusals for a number that no schema counts."""
VALIDATOR = jsonschema_rs.Draft202012Validator(
    {"$ref": SCHEMA, "components": {"schemas": {"Condition": condition_schema()}}}, validate_formats=True
)

VALUES: list[Any] = [
    True, None, 0, -1.5, 10**15, 10**15 + 1, "", "x", "x" * 512, "x" * 513, "\x00", "executed", "documentDeleted",
    "2026-01-31", "2026-02-31", "2026-01-31T13:00:00Z", "2026-01-31T13:00:00", [], {}, ["x"], [1, "x"], ["executed"],
    ["2026-01-31"], [True], ["documentCreated"] * MAX_ALTERNATIVES, [1] * (MAX_ALTERNATIVES + 1),
]  # fmt: skip
facts = st.sampled_from(["seats", "cost centre", 'a "quoted" one', "line\nbreak", ""])
names = st.sampled_from([name.text for name in all_names("seats")])
spelt = st.sampled_from(
    [
        'document["status"]', "document['additionalFacts']['cost centre']", 'document.additionalFacts["a \\"b\\""]',
        "document.titel", "before", "made.url", "document.title.x", "document.title ", "document..title", "", "x",
        'document["title', "document.latestVersion.downloadUrl", "before.latestVersion.downloadUrl", "title",
        "document.additionalFacts.seats.more", "event.data", "document.title\n", 'document.additionalFacts["\x00"]',
    ]
)  # fmt: skip
moments = st.dates(date(1900, 1, 1)).map(date.isoformat) | st.datetimes(
    timezones=st.integers(-720, 720).map(lambda minutes: timezone(timedelta(minutes=minutes)))
).filter(lambda at: at.year > 1900).map(lambda at: at.isoformat())
texts = st.text(max_size=8) | st.sampled_from(["", "x" * 512, "x" * 513, "\x00", "2026-13-01", "2026-01-31T25:00:00Z"])
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([10**15, 10**15 + 1])
scalars = st.one_of(
    texts, moments, numbers, st.booleans(), st.none(), st.sampled_from(STATUSES), st.sampled_from(list(BY_WIRE))
)
values: st.SearchStrategy[Any] = scalars | st.lists(scalars, max_size=3) | st.just({})
right = st.sampled_from(["is", "in", "exists", "changed", "changedTo", "atLeast", "contains"])


@st.composite
def leaves(draw: st.DrawFn) -> Any:
    """A comparison that often is right, or nearly."""
    operators = draw(st.lists(st.sampled_from([*OPERATORS, "si", "field"]), min_size=1, max_size=2) | right.map(_alone))
    condition: dict[str, Any] = {operator: draw(values) for operator in operators}
    if draw(st.integers(0, 9)):
        condition["field"] = draw(names | spelt)
    return condition


def _alone(operator: str) -> list[str]:
    return [operator]


@st.composite
def conditions(draw: st.DrawFn, depth: int = 4) -> Any:
    if depth == 1 or draw(st.booleans()):
        return draw(leaves() | values)
    group = draw(st.sampled_from(["all", "any", "not", "none"]))
    within = conditions(depth - 1)
    made: dict[str, Any] = {group: draw(within if group == "not" else st.lists(within, max_size=3) | leaves())}
    if not draw(st.integers(0, 9)):
        made |= draw(leaves())
    return made


def refusals(condition: Any) -> set[str]:
    """The codes with which the reader refuses a condition; none if it takes it."""
    try:
        read_condition(condition)
    except (Bad, Several) as error:
        return {bad.code for bad in (error.bads if isinstance(error, Several) else [error])}
    return set()


def agree(condition: Any) -> bool:
    codes = refusals(condition)
    return VALIDATOR.is_valid(condition) == (not codes) or codes <= BEYOND


@given(conditions())
@example({"field": "document.status", "changedTo": "executed"})
@example({"field": "document.status", "is": "executed", "isNot": "executed"})
@example({"field": "document.title", "in": ["x"] * (MAX_ALTERNATIVES + 1)})
@example({"all": [{"field": "document.title", "is": "x"}] * (MAX_LEAVES + 1)})
@example({"not": [{"field": "document.title", "is": "x"}]})
@example({"all": [], "any": []})
def test_the_schema_takes_what_the_reader_takes_and_nothing_else(condition: Any) -> None:
    assert agree(condition), refusals(condition)


def test_they_agree_of_every_name_with_every_operator() -> None:
    for name, operator, value in product(all_names("seats"), OPERATORS, VALUES):
        condition = {"field": name.text, operator: value}
        assert agree(condition), (condition, refusals(condition))


@given(facts)
def test_they_agree_of_facts_of_any_name(fact: str) -> None:
    quoted = fact.replace("\\", "\\\\").replace('"', '\\"')
    assert agree({"field": f'document.additionalFacts["{quoted}"]', "exists": True})


def test_every_operator_is_in_the_schema() -> None:
    comparisons = condition_schema()["dependentSchemas"]["field"]["anyOf"]
    said = {member for each in comparisons for member in each["properties"]}
    assert said == {*OPERATORS, "field"}
    assert condition_schema()["properties"].keys() == said | {"all", "any", "not"}


def test_only_a_needless_backslash_is_forbidden_and_taken() -> None:
    condition = {"field": 'document["ti\\tle"]', "is": "x"}
    assert not refusals(condition)
    assert not VALIDATOR.is_valid(condition)
