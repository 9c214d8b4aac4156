"""From the JSON of a condition to its tree, and everything that is wrong with it.

    {"all": [{"field": "document.status", "changedTo": "executed"},
             {"not": {"field": "document.contractValue", "below": 10000}}]}

A condition is one of `all` and `any` with a list of conditions, `not` with one, and a leaf: a field, one operator, and
the value to compare with. Like is compared with like: which operators a field takes, and what their values may be,
follows from the field's type (`names.py`).
"""

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import islice
from typing import Annotated, Any, Final

from msgspec import Meta

from signalpost.domain.body import checked_by, read_by
from signalpost.domain.checks import Bad, Check, Several, each, number, plain_text, truth
from signalpost.domain.documents.workflow import STATUSES
from signalpost.domain.event import BY_WIRE
from signalpost.domain.language import values
from signalpost.domain.language.conditions import AllOf, AnyOf, Change, Comparison, Condition, Holds
from signalpost.domain.language.names import Name, NoSuchName, Type, did_you_mean, former, scan, shortened
from signalpost.domain.language.values import shown
from signalpost.domain.operations.kinds import KINDS, SEVERITIES

MAX_DEPTH: Final = 4
"""How deep conditions nest, the leaf counted."""
MAX_LEAVES: Final = 32
_MAX_NODES: Final = MAX_LEAVES * MAX_DEPTH
"""No tree within these bounds has more, and no time is spent on one that has."""
MAX_ALTERNATIVES: Final = 32
"""How many values `in` and `notIn` take."""
MAX_NUMBER: Final = 10**15
_MAX_NAMED: Final = 5

# --- Trees ------------------------------------------------------------------------------------------------------------


def read_condition(value: Any) -> Condition:
    """The tree of a condition's JSON. Raises Bad or Several, which name everything that is wrong."""
    try:
        return _Tree().read(value, 1)
    except _ConditionTooLarge:
        raise Bad("too_many", f"There can be at most {MAX_LEAVES} comparisons in all.") from None


class _ConditionTooLarge(Exception):
    """A tree has too many nodes; the rest is not looked at."""


class _Tree:
    """Counts the nodes while it reads them."""

    def __init__(self) -> None:
        self._nodes = 0
        self._leaves = 0

    def read(self, value: Any, depth: int) -> Condition:
        group = next((name for name in _GROUPS if name in value), None) if isinstance(value, dict) else None
        self._nodes += 1
        self._leaves += group is None
        if self._leaves > MAX_LEAVES or self._nodes > _MAX_NODES:
            raise _ConditionTooLarge
        if depth > MAX_DEPTH:
            raise Bad("too_deep", f"Conditions can be nested {MAX_DEPTH} deep, including the comparison.")
        return _leaf(value) if group is None else self._group(group, value, depth)

    def _group(self, group: str, value: Mapping[str, Any], depth: int) -> Condition:
        if len(value) > 1:
            raise Bad("not_alone", f'"{group}" must be alone in its object. Join conditions with "all" or "any".')
        if group == "not":
            opposite: Condition = _under(group, lambda: self.read(value[group], depth + 1))
            return opposite.negated()
        parts = _under(group, lambda: each(lambda part: self.read(part, depth + 1), 1, MAX_LEAVES)(value[group]))
        return AllOf(parts) if group == "all" else AnyOf(parts)


_GROUPS: Final = ("all", "any", "not")


def _under(name: str, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (Bad, Several) as bad:
        raise Several(bad.under(name)) from None


# --- Leaves -----------------------------------------------------------------------------------------------------------


def _leaf(value: Any) -> Condition:
    if not isinstance(value, dict):
        raise Bad("wrong_type", 'A condition is a JSON object, such as {"field": "document.status", "is": "paused"}.')
    if "field" not in value:
        detail = 'Write "all", "any" or "not", or a "field" with one operator.'
        raise Bad("required", detail)
    name = _under("field", lambda: _field(value["field"]))
    given = [member for member in islice(value, _MAX_NAMED) if member != "field"]
    unknown = [member for member in given if member not in OPERATORS]
    if unknown:
        raise Several([_unknown(member) for member in unknown])
    if len(given) != 1:
        raise Bad("required", f"Give {name.text} exactly one operator: {', '.join(operators_of(name))}.")
    operator_name = given[0]
    if operator_name not in operators_of(name):
        detail = f"{name.text} is {name.type.value} and takes {', '.join(operators_of(name))}."
        raise Bad("wrong_operator", detail, (operator_name,))
    make: Condition = _under(operator_name, lambda: OPERATORS[operator_name](name, value[operator_name]))
    return make


def _unknown(member: str) -> Bad:
    detail = f"There is no operator {shortened(member)}{did_you_mean(member, OPERATORS)}"
    return Bad("unknown_field", detail, (member,))


def _field(value: Any) -> Name:
    text = plain_text(value)
    try:
        name, end = scan(text, 0)
    except NoSuchName as error:
        raise Bad("unknown_name", error.detail) from None
    if end < len(text):
        raise Bad(
            "unknown_name", f"After {name.text}, at character {end + 1}, there is something that is not part of a name."
        )
    if name.path[0] == "made" or len(name.path) == 1:
        raise Bad("unknown_name", "Conditions look at members of document, before and event, such as document.status.")
    return name


# --- Operators --------------------------------------------------------------------------------------------------------


def _is(name: Name, value: Any) -> Condition:
    return Comparison(name, _equals(name, value), f", not {shown(value)}", ", which is excluded")


def _in(name: Name, value: Any) -> Condition:
    tests = each(lambda one: _equals(name, one), 1, MAX_ALTERNATIVES)(value)
    named = ", ".join(shown(one) for one in value[:_MAX_NAMED]) + (", …" if len(value) > _MAX_NAMED else "")
    return Comparison(
        name, lambda found: any(test(found) for test in tests), f", none of {named}", ", which is excluded"
    )


def _exists(name: Name, value: Any) -> Condition:
    there = Comparison(name, lambda found: not values.is_empty(found), "", ", not empty")
    return there if truth(value) else there.negated()


def _changed(name: Name, value: Any) -> Condition:
    change = Change(name, former(name).read)
    return change if truth(value) else change.negated()


def _changed_to(name: Name, value: Any) -> Condition:
    return Change(name, former(name).read, holds_to=_equals(name, value), to_text=shown(value))


def _changed_from(name: Name, value: Any) -> Condition:
    return Change(name, former(name).read, holds_from=_equals(name, value), from_text=shown(value))


def _order(compare: Callable[[Any, Any], bool], words: str) -> "Operator":
    def make(name: Name, value: Any) -> Condition:
        read, least = _ordered(name, value)

        def holds(found: Any) -> bool:
            known = read(found)
            return known is not None and compare(known, least)

        said = f"{words} {value if isinstance(value, str) else shown(least)}"
        return Comparison(name, holds, f", not {said}", f", which is {said}")

    return make


def _text_test(test: Callable[[str, str], bool], words: tuple[str, str]) -> "Operator":
    def make(name: Name, value: Any) -> Condition:
        part = plain_text(value)

        def holds(found: Any) -> bool:
            text = values.as_text(found)
            return text is not None and test(text, part)

        return Comparison(name, holds, f", which {words[0]} {shown(part)}", f", which {words[1]} {shown(part)}")

    return make


Operator = Callable[[Name, Any], Condition]
"""Makes a leaf of a name and of the value that was given. Raises Bad or Several."""
OPERATORS: Final[Mapping[str, Operator]] = {
    "is": _is,
    "isNot": lambda name, value: _is(name, value).negated(),
    "in": _in,
    "notIn": lambda name, value: _in(name, value).negated(),
    "exists": _exists,
    "atLeast": _order(operator.ge, "at least"),
    "above": _order(operator.gt, "above"),
    "atMost": _order(operator.le, "at most"),
    "below": _order(operator.lt, "below"),
    "contains": _text_test(operator.contains, ("does not contain", "contains")),
    "startsWith": _text_test(str.startswith, ("does not start with", "starts with")),
    "changed": _changed,
    "changedTo": _changed_to,
    "changedFrom": _changed_from,
}
_EQUAL: Final = ("is", "isNot", "in", "notIn", "exists")
_ORDER: Final = ("atLeast", "above", "atMost", "below")
_PART: Final = ("contains", "startsWith")
_CHANGE: Final = ("changed", "changedTo", "changedFrom")
_BY_TYPE: Final[Mapping[Type, tuple[str, ...]]] = {
    Type.TEXT: (*_EQUAL, *_PART, *_CHANGE),
    Type.NUMBER: (*_EQUAL, *_ORDER, *_CHANGE),
    Type.MOMENT: (*_EQUAL, *_ORDER, *_CHANGE),
    Type.STATUS: (*_EQUAL, *_CHANGE),
    Type.EVENT_TYPE: _EQUAL,
    Type.NOTICE_KIND: (*_EQUAL, *_PART),
    Type.SEVERITY: _EQUAL,
    Type.LINK: ("exists",),
    Type.ANY: (*_EQUAL, *_ORDER, *_PART, *_CHANGE),
    Type.OBJECT: ("exists", "changed"),
}


def operators_of(name: Name) -> tuple[str, ...]:
    """The operators that a name takes."""
    return tuple(each for each in _BY_TYPE[name.type] if name.can_change or each not in _CHANGE)


# --- What is compared with ------------------------------------------------------------------------------------------


_given_number = number(-MAX_NUMBER, MAX_NUMBER)


def _equals(name: Name, value: Any) -> Holds:
    """Whether a value is the given one. Raises Bad if it never could be."""
    match name.type:
        case Type.TEXT:
            return _same(lambda found: found, plain_text(value))
        case Type.STATUS:
            return _same(lambda found: found, _one_of("status", STATUSES)(value))
        case Type.EVENT_TYPE:
            return _same(lambda found: found, _one_of("type of event", tuple(BY_WIRE))(value))
        case Type.NOTICE_KIND:
            return _same(lambda found: found, _one_of("kind of notice", tuple(KINDS))(value))
        case Type.SEVERITY:
            return _same(lambda found: found, _one_of("severity", SEVERITIES)(value))
        case Type.NUMBER:
            return _same(values.as_number, _given_number(value))
        case Type.MOMENT:
            return _same(*_moment(name, value))
    return _same(*_fact(value))


def _same(read: Callable[[Any], Any], given: Any) -> Holds:
    return lambda found: read(found) == given


def _one_of(what: str, words: tuple[str, ...]) -> Check:
    def check(value: Any) -> str:
        text = plain_text(value)
        if text not in words:
            raise Bad("not_allowed", f"There is no {what} {shown(text)}{did_you_mean(text, words)}")
        return text

    return check


def _ordered(name: Name, value: Any) -> tuple[Callable[[Any], Any], Any]:
    """How a value is read to be compared, and what it is compared with."""
    if name.type is Type.NUMBER or (name.type is Type.ANY and not isinstance(value, str)):
        return values.as_number, _given_number(value)
    return _moment(name, value)


def _moment(name: Name, value: Any) -> tuple[Callable[[Any], Any], Any]:
    """A date is compared with days, a timestamp with instants."""
    moment = values.as_moment(plain_text(value))
    if moment is None:
        raise Bad("not_a_date", "Write a date (2026-01-31) or a timestamp with its zone (2026-01-31T13:00:00+00:00).")
    if len(moment) > values.DAY_CHARACTERS:
        return values.as_instant, values.as_instant(moment)
    return values.day_of if name.type is Type.MOMENT else values.as_day, moment


def _fact(value: Any) -> tuple[Callable[[Any], Any], Any]:
    """A fact is read as what it is compared with."""
    if isinstance(value, bool):
        return values.as_truth, value
    if isinstance(value, str):
        return values.as_text, plain_text(value)
    if isinstance(value, int | float | Decimal):
        return values.as_number, _given_number(value)
    raise Bad("wrong_type", "A fact is compared with a string, a number, or true or false.")


# --- The member of a body ---------------------------------------------------------------------------------------------


def _checked(value: Any) -> Any:
    """The condition as it is kept and shown: its JSON. Raises Bad or Several."""
    read_condition(value)
    return values.kept(value)


SCHEMA: Final = "#/components/schemas/Condition"
"""Where the API's description has the schema of conditions (`condition_schema.py`), which refers to itself there."""
When = Annotated[
    dict[str, Any],
    Meta(
        extra_json_schema={"$ref": SCHEMA},
        description="Which events are wanted, depending on the document and what changed: `all`, `any` or `not` with "
        "conditions, "
        "or a `field` with one operator.",
        examples=[{"field": "document.status", "changedTo": "executed"}],
        extra=read_by(_checked),
    ),
]
"""The condition of a subscription, as stored; `read_condition` makes a tree from it."""


def _without_changes(value: Any) -> Any:
    """Raises Bad or Several if a condition asks what an event changed."""
    group = next((name for name in _GROUPS if name in value), None)
    if group == "not":
        _under(group, lambda: _without_changes(value[group]))
    elif group is not None:
        _under(group, lambda: each(_without_changes, 1, MAX_LEAVES)(value[group]))
    elif value["field"].startswith("before."):
        raise Bad("not_allowed", f"{_NEWEST} Look at document.{value['field'].partition('.')[2]}.", ("field",))
    elif (asked := next((name for name in _CHANGE if name in value), None)) is not None:
        raise Bad("not_allowed", f"{_NEWEST} Compare with is or in.", (asked,))
    return value


_NEWEST: Final = "This is asked of the document's newest event, which may have changed something else."
StillSo = Annotated[
    When,
    Meta(
        description="What must still be true when the delay is over. It cannot look at what changed.",
        extra=checked_by(_without_changes),
    ),
]
"""The condition that a delay asks at its end, of the document as it is then."""
