"""A sample event that a subscription's conditions want, for a preview if no event of the log was wanted yet.

A condition is met leaf by leaf: each says what the document has to be, or what it was before the event. That is a
guess, because leaves may contradict one another: the condition itself is asked whether it wants the sample.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from signalpost.domain.documents import sample
from signalpost.domain.documents.workflow import STATUSES
from signalpost.domain.event import Event, EventType, build
from signalpost.domain.language.condition_reader import read_condition
from signalpost.domain.language.names import Type, scan
from signalpost.domain.language.subject import subject_of

_OPPOSITE: Final[Mapping[str, str]] = {
    "is": "isNot",
    "in": "notIn",
    "atLeast": "below",
    "above": "atMost",
    "contains": "notIn",
    "startsWith": "notIn",
    "changedTo": "isNot",
    "changedFrom": "is",
}
"""An operator that holds where the other one does not."""
_OPPOSITES: Final = {**_OPPOSITE, **{other: one for one, other in [*_OPPOSITE.items()][:4]}}
_ANOTHER: Final[Mapping[Type, Any]] = {
    Type.NUMBER: 1,
    Type.MOMENT: "2030-01-31",
    Type.OBJECT: {"number": "2.0", "downloadUrl": "https://example.com/sample.docx"},
}
"""A value of a type that is none that was named; for any other type it is a text."""


def fitting(
    types: Sequence[EventType],
    conditions: Sequence[Mapping[str, Any]],
    tenant_id: int,
    now: int,
    random_bits: Callable[[int], int],
) -> Event:
    """A sample of one of these types that meets all conditions, if one can be found; else one that does not."""
    tried = [_made(sample.event(each, tenant_id, now, random_bits), conditions) for each in types]
    return next((each for each in tried if _is_wanted(each, conditions)), tried[0])


def _made(event: Event, conditions: Sequence[Mapping[str, Any]]) -> Event:
    document, before = subject_of(event).document, dict[str, Any]()
    meeting = _Meeting(dict(document), before)
    for each in conditions:
        meeting.meet(each, wanted=True)
    body = build(EventType(event.type), event.at, event.id, msgspec.json.encode(meeting.document))
    changed = event.type == EventType.UPDATED and before
    return replace(event, body=body, before=msgspec.json.encode(before) if changed else b"")


def _is_wanted(event: Event, conditions: Sequence[Mapping[str, Any]]) -> bool:
    subject = subject_of(event)
    return all(read_condition(each).why_not(subject) is None for each in conditions)


class _Meeting:
    """A document that becomes what conditions ask for, and the former values of what an event changed of it."""

    def __init__(self, document: dict[str, Any], before: dict[str, Any]) -> None:
        self.document = document
        self._before = before

    def meet(self, condition: Mapping[str, Any], *, wanted: bool) -> None:
        if "not" in condition:
            self.meet(condition["not"], wanted=not wanted)
        elif "field" in condition:
            self._leaf(condition, wanted=wanted)
        else:
            [(join, parts)] = condition.items()
            needs_each = (join == "all") is wanted
            for part in parts if needs_each else parts[:1]:
                self.meet(part, wanted=wanted)

    def _leaf(self, leaf: Mapping[str, Any], *, wanted: bool) -> None:
        [(operator, value)] = [(name, value) for name, value in leaf.items() if name != "field"]
        name, _ = scan(leaf["field"], 0)
        root, *way = name.path
        if operator in ("exists", "changed"):
            value = value is wanted
        elif not wanted:
            if operator in ("contains", "startsWith"):
                value = [_at(self.document, way)]
            operator = _OPPOSITES[operator]
        place = {"document": self.document, "before": self._before}.get(root)
        if place is None:  # of the event, nothing but its type can be chosen
            return
        if operator == "changed":
            if value:
                self._change(way, name.type)
        elif operator == "changedFrom":
            self._change(way, name.type, value)
        else:
            _put(place, way, _fit(operator, value, name.type, _at(place, way)))
            if operator == "changedTo":
                self._change(way, name.type)

    def _change(self, way: Sequence[str], kind: Type, former: Any = None) -> None:
        """Have it changed by the event, from a value or from any other one."""
        now = _at(self.document, way)
        if former is not None and former == now:
            _put(self.document, way, _other_than([former], kind))
        if len(way) > 1:
            self._before.setdefault(way[0], dict(self.document.get(way[0]) or {}))
        _put(self._before, way, _other_than([now], kind) if former is None else former)


def _fit(operator: str, value: Any, kind: Type, now: Any) -> Any:
    """A value that meets a comparison."""
    match operator:
        case "isNot":
            return _other_than([value], kind) if now == value else now
        case "in":
            return value[0]
        case "notIn":
            return _other_than(value, kind) if now in value else now
        case "exists":
            return (now if now is not None else _other_than([], kind)) if value else None
        case "above":
            return _moved(value, 1)
        case "below":
            return _moved(value, -1)
    return value


def _other_than(values: Sequence[Any], kind: Type) -> Any:
    if kind is Type.STATUS:
        return next(each for each in STATUSES if each not in values)
    if kind is Type.MOMENT or isinstance(values[0] if values else None, int | float):
        first = next(iter(values), None)
        return _ANOTHER[kind] if first is None else _moved(first, 1)
    return _ANOTHER.get(kind, "Something else")


def _moved(value: Any, by: int) -> Any:
    """A number or a date that is a little more, or less."""
    if not isinstance(value, str):
        return value + by
    try:
        moment = date.fromisoformat(value) if len(value) == len("2026-01-31") else datetime.fromisoformat(value)
    except ValueError:
        return value
    return (moment + timedelta(days=by)).isoformat()


def _at(place: Mapping[str, Any], way: Sequence[str]) -> Any:
    found: Any = place
    for step in way:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _put(place: dict[str, Any], way: Sequence[str], value: Any) -> None:
    """Set a value; the objects that it is in are made, and not those of another document."""
    for step in way[:-1]:
        place[step] = dict(place.get(step) or {})
        place = place[step]
    place[way[-1]] = value
