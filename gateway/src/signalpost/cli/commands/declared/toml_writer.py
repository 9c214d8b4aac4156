"""Writes TOML: what a file of subscriptions has, and no more. Python's own library only reads it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def write_tables(section: str, tables: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of an array of tables. Members whose value is None are left out: TOML has no null."""
    for table in tables:
        yield f"[[{section}]]"
        for key, value in table.items():
            if value is not None:
                yield f"{_key(key)} = {_value(value)}"
        yield ""


def _key(text: str) -> str:
    return text if _BARE.fullmatch(text) else _text(text)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _text(value)
        case dict():
            members = [f"{_key(key)} = {_value(below)}" for key, below in value.items() if below is not None]
            return f"{{ {', '.join(members)} }}" if members else "{}"
        case list() | tuple():
            return f"[{', '.join(_value(below) for below in value if below is not None)}]"
    raise TypeError(f"TOML has no {type(value).__name__}.")


def _text(text: str) -> str:
    # A text of JSON is one of TOML, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
