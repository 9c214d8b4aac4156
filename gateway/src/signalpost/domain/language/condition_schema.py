"""The JSON Schema of conditions, made of what the reader knows: names, their types, and the operators that each takes.

It says all of the grammar but how deep conditions nest and how many comparisons there are in all, which no schema can
count. A name that is written with a needless backslash is the one thing that it forbids and the reader takes.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from signalpost.domain.checks import MAX_TEXT_CHARACTERS, NO_NUL
from signalpost.domain.documents.workflow import STATUSES
from signalpost.domain.event import BY_WIRE
from signalpost.domain.fields import MOMENT_SCHEMA
from signalpost.domain.language.condition_reader import (
    MAX_ALTERNATIVES,
    MAX_DEPTH,
    MAX_LEAVES,
    MAX_NUMBER,
    SCHEMA,
    operators_of,
)
from signalpost.domain.language.names import WORD, Name, Type, all_names
from signalpost.domain.operations.kinds import KINDS, SEVERITIES

_A_FACT: Final = "any"
_QUOTED: Final = r"""(?:"(?:[^"\\\u0000]|\\[^\u0000])*"|'(?:[^'\\\u0000]|\\[^\u0000])*')"""
_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_CHARACTERS, "pattern": NO_NUL}
_NUMBER: Final = {"type": "number", "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER}
_TRUTH: Final = {"type": "boolean"}
_EQUAL: Final[Mapping[Type, Mapping[str, Any]]] = {
    Type.TEXT: _TEXT,
    Type.NUMBER: _NUMBER,
    Type.MOMENT: MOMENT_SCHEMA,
    Type.STATUS: {"type": "string", "enum": list(STATUSES)},
    Type.EVENT_TYPE: {"type": "string", "enum": list(BY_WIRE)},
    Type.NOTICE_KIND: {"type": "string", "enum": list(KINDS)},
    Type.SEVERITY: {"type": "string", "enum": list(SEVERITIES)},
    Type.ANY: {"anyOf": [_TEXT, _NUMBER, _TRUTH]},
}
"""What a value of a type can be equal to."""
_ORDERED: Final[Mapping[Type, Mapping[str, Any]]] = {
    Type.NUMBER: _NUMBER,
    Type.MOMENT: MOMENT_SCHEMA,
    Type.ANY: {"anyOf": [_NUMBER, MOMENT_SCHEMA]},
}
"""What a value of a type can lie above or below."""


def condition_schema() -> dict[str, Any]:
    """The schema, for where `SCHEMA` leads."""
    within = {"$ref": SCHEMA}
    several = {"type": "array", "items": within, "minItems": 1, "maxItems": MAX_LEAVES}
    groups = {"all": several, "any": several, "not": within}
    comparisons = list(_comparisons())
    operators = sorted({name for each in comparisons for name in each["properties"]} - {"field"})
    return {
        "description": "`all`, `any` or `not` with conditions, or a `field` with one operator. Conditions nest "
        f"{MAX_DEPTH} deep, the comparison counted, and have {MAX_LEAVES} comparisons at most.",
        # One object with every member, and rules for which go together: generators of clients make nothing of a choice
        # between objects that contain the choice.
        "type": "object",
        "properties": {**groups, "field": {"type": "string"}, **{operator: {} for operator in operators}},
        "minProperties": 1,
        "additionalProperties": False,
        "dependentRequired": {operator: ["field"] for operator in operators},
        "dependentSchemas": {**{group: {"maxProperties": 1} for group in groups}, "field": {"anyOf": comparisons}},
    }


def _comparisons() -> Iterator[dict[str, Any]]:
    """One for all names that take the same operators with the same values."""

    def grammar(name: Name) -> tuple[str, tuple[str, ...]]:
        return name.type.name, operators_of(name)

    for (_, operators), names in groupby(sorted(all_names(_A_FACT), key=grammar), key=grammar):
        alike = list(names)
        yield {
            "type": "object",
            "properties": {
                "field": {"type": "string", "maxLength": MAX_TEXT_CHARACTERS, "pattern": _pattern(alike)},
                **{operator: _value(operator, alike[0].type) for operator in operators},
            },
            "required": ["field"],
            "minProperties": 2,
            "maxProperties": 2,
            "additionalProperties": False,
        }


def _value(operator: str, kind: Type) -> Mapping[str, Any]:
    """What an operator takes if the field is of a type."""
    match operator:
        case "exists" | "changed":
            return _TRUTH
        case "in" | "notIn":
            return {"type": "array", "items": _EQUAL[kind], "minItems": 1, "maxItems": MAX_ALTERNATIVES}
        case "contains" | "startsWith":
            return _TEXT
        case "is" | "isNot" | "changedTo" | "changedFrom":
            return _EQUAL[kind]
    return _ORDERED[kind]


def _pattern(names: Iterable[Name]) -> str:
    """Every spelling of these names: a step is a word after a point, or a text in brackets and quotes."""
    return f"^(?:{'|'.join(_spelt(name) for name in names)})$"


def _spelt(name: Name) -> str:
    root, *steps = name.path
    return root + "".join(rf"(?:\.{WORD}|\[{_QUOTED}\])" if step == _A_FACT else _step(step) for step in steps)


def _step(word: str) -> str:
    return rf"""(?:\.{word}|\["{word}"\]|\['{word}'\])"""
