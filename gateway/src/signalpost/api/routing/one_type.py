"""Schemas of OpenAPI in the form that generators of clients make one type of.

msgspec describes what may be one of several scalars as a choice between schemas, of which generators make `str | str |
None`, or a class for each. The same is said by one schema with a list of types: a keyword such as `maxLength` counts
for the values of its type alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

_KEYWORDS_OF_ALL: Final = {"type", "description"}
"""Keywords that several of the schemas may have, and that are put together."""
_UNLIKE_A_TYPE: Final = {"$ref", "allOf", "anyOf", "const", "default", "enum", "examples", "oneOf"}


def with_one_type(part: Any) -> Any:
    """A part of the description in which every choice between types is one schema, as far as one can say it."""
    if isinstance(part, list):
        return [with_one_type(each) for each in part]
    if not isinstance(part, dict):
        return part
    plain = {key: with_one_type(value) for key, value in part.items()}
    return _merged(plain) if isinstance(plain.get("anyOf"), list) else plain


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    outer = {key: value for key, value in schema.items() if key != "anyOf"}
    choices = _without_what_others_allow(schema["anyOf"])
    types = [kind for each in choices for kind in _types(each)]
    said = [key for each in (outer, *choices) for key in each if key not in _KEYWORDS_OF_ALL]
    if not _can_be_one(choices, types, said) or "type" in outer:
        return schema
    sentences = [each["description"] for each in (outer, *choices) if "description" in each]
    merged = {key: value for each in (outer, *choices) for key, value in each.items() if key not in _KEYWORDS_OF_ALL}
    about = {"description": " ".join(sentences)} if sentences else {}
    return {**about, "type": types[0] if len(types) == 1 else types, **merged}


def _can_be_one(choices: Sequence[Mapping[str, Any]], types: Sequence[str], said: Sequence[str]) -> bool:
    """Whether no two of them say something of the same type, or with the same word."""
    each_has_types = all("type" in each and not _UNLIKE_A_TYPE & each.keys() for each in choices)
    return each_has_types and len({*types}) == len(types) and len({*said}) == len(said)


def _without_what_others_allow(choices: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Every whole number is a number."""
    return [each for each in choices if each != {"type": "integer"} or {"type": "number"} not in choices]


def _types(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("type", [])
    return kind if isinstance(kind, list) else [kind]
