"""Whether an event meets a condition (`docs/guides/conditions-and-placeholders.md`)."""

import json
import re
from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from typing import Any

_NAME = re.compile(r"(document|before)\.(?:additionalFacts(?:\.(\w+)|\[\"(.*)\"\])|(\w+))")
_ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {"atLeast": ge, "above": gt, "atMost": le, "below": lt}


def is_met(condition: Mapping[str, Any] | None, document: Mapping[str, Any], before: Mapping[str, Any] | None) -> bool:
    """Whether an event with this document is wanted. `before` is the document as it was before the event, None if the
    event created it."""
    if condition is None:
        return True
    if "all" in condition:
        return all(is_met(each, document, before) for each in condition["all"])
    if "any" in condition:
        return any(is_met(each, document, before) for each in condition["any"])
    if "not" in condition:
        return not is_met(condition["not"], document, before)
    operator, operand = next((name, value) for name, value in condition.items() if name != "field")
    where, name, is_fact = _read(condition["field"])
    now, was = _value(document, name, is_fact), _value(before or {}, name, is_fact)
    if where == "before":
        now = was
    return _holds(operator, operand, now, was, is_fact)


def _holds(operator: str, operand: Any, now: Any, was: Any, is_fact: bool) -> bool:
    match operator:
        case "is":
            return _equals(now, operand, is_fact)
        case "isNot":
            return not _equals(now, operand, is_fact)
        case "in":
            return any(_equals(now, each, is_fact) for each in operand)
        case "notIn":
            return not any(_equals(now, each, is_fact) for each in operand)
        case "exists":
            return _is_empty(now) is not operand
        case "contains":
            return not _is_empty(now) and operand in _as(operand, now, is_fact)
        case "startsWith":
            return not _is_empty(now) and _as(operand, now, is_fact).startswith(operand)
        case "changed":
            return _changed(now, was) is operand
        case "changedTo":
            return _changed(now, was) and _equals(now, operand, is_fact)
        case "changedFrom":
            return _changed(now, was) and _equals(was, operand, is_fact)
    read = None if _is_empty(now) else _as(operand, now, is_fact)
    return read is not None and _ORDERED[operator](read, operand)


def _read(field: str) -> tuple[str, str, bool]:
    found = _NAME.fullmatch(field)
    assert found is not None, field
    where, plain, quoted, attribute = found.groups()
    fact = plain or quoted
    return where, fact or attribute, fact is not None


def _value(document: Mapping[str, Any], name: str, is_fact: bool) -> Any:
    return (document.get("additionalFacts", {}) if is_fact else document).get(name)


def _is_empty(value: Any) -> bool:
    """Null, missing values, empty texts and objects without a member are empty."""
    return value is None or value == "" or value == {}


def _changed(now: Any, was: Any) -> bool:
    if _is_empty(now) and _is_empty(was):
        return False
    return encoded(now) != encoded(was)


def _equals(value: Any, operand: Any, is_fact: bool) -> bool:
    if _is_empty(value):
        return False
    read = _as(operand, value, is_fact)
    return read is not None and bool(read == operand)


def _as(operand: Any, value: Any, is_fact: bool) -> Any:
    """A value, read as what it is compared with; None if it cannot be. Only facts are read as something else."""
    if isinstance(operand, bool):
        return value if isinstance(value, bool) else None
    if isinstance(operand, str):
        if isinstance(value, str):
            return value
        return encoded(value) if is_fact and not isinstance(value, bool) else None
    if not isinstance(value, str):
        return None if isinstance(value, bool) else value
    try:
        return float(value) if is_fact else None
    except ValueError:
        return None


def encoded(value: Any) -> str:
    """A value as JSON has it: `1` and `true` differ there, which Python calls equal."""
    return json.dumps(value, sort_keys=True)
