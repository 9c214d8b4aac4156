"""Reads JSON bodies, and says where a bad one is bad.

The fast decoder names no field when it fails, so a body that it refuses is read once more, slowly, to find the place.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from signalpost.domain.errors import FieldError, Invalid, Unparseable
from signalpost.domain.fields import pointer

BODY_MAX_BYTES = 1024 * 1024
DEPTH_MAX = 100
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\]:,]', re.DOTALL)
_decode = msgspec.json.Decoder().decode


def read_json(body: bytes) -> Any:
    """The decoded body. Raises Unparseable, or Invalid for a text that is no text, naming the field either way."""
    try:
        value = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _diagnosis(body) from None
    return value


def _diagnosis(body: bytes) -> Unparseable | Invalid:
    if not body.strip():
        return Unparseable("empty_body", "The body is empty; send a JSON object.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        place = body[: error.start].decode("utf-8")
        return _unparseable("invalid_utf8", "The body must be UTF-8", place + "?", error.start)
    deep = _too_deep(text)
    if deep is not None:
        return _unparseable("nested_too_deep", f"At most {DEPTH_MAX} levels of nesting are read", text, deep)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        return _unparseable("invalid_json", f"This is not JSON: {error.msg}", text, error.pos)
    for where, code, detail in _bad_leaves(value, ()):
        if code == "not_a_number":
            return _problem(code, detail, pointer(*where))
        return Invalid([FieldError(pointer(*where), code, detail)])
    return _problem("invalid_json", "This is not JSON that can be read.", "")


def _unparseable(code: str, what: str, text: str, position: int) -> Unparseable:
    before = text[:position]
    line, column = before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1
    return _problem(code, f"{what} (line {line}, column {column}).", _pointer_at(text, position))


def _problem(code: str, detail: str, where: str) -> Unparseable:
    return Unparseable(code, detail, errors=[FieldError(where, code, detail)])


def _too_deep(text: str) -> int | None:
    depth = 0
    for match in _TOKEN.finditer(text):
        if match[0] in "{[":
            depth += 1
            if depth > DEPTH_MAX:
                return match.start()
        elif match[0] in "}]":
            depth -= 1
    return None


def _pointer_at(text: str, position: int) -> str:
    """The JSON pointer of the value at a position, as far as the text before it can be understood (two levels)."""
    path: list[str | int] = []
    name = ""
    for match in _TOKEN.finditer(text, 0, position):
        mark = match[0]
        if mark == "{":
            path.append("")
        elif mark == "[":
            path.append(0)
        elif mark in "}]" and path:
            path.pop()
        elif mark == "," and path and isinstance(path[-1], int):
            path[-1] += 1
        elif mark == ":" and path:
            path[-1] = name
        elif mark[0] == '"':
            name = mark.strip('"')
    return pointer(*[str(step) for step in path if step != ""][:2])


def _bad_leaves(value: Any, where: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """What Python's own reader lets pass: NaN and infinities, and lone surrogates."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _bad_leaves(name, (*where, name))
            yield from _bad_leaves(below, (*where, name))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _bad_leaves(below, (*where, str(index)))
    elif isinstance(value, float) and not math.isfinite(value):
        yield where, "not_a_number", "NaN, infinities and numbers beyond a double's range are not JSON numbers."
    elif isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        yield where, "forbidden_character", "A lone surrogate is not a character."
