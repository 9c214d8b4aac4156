"""Decodes JSON that another program may have made to confuse its readers.

`json.loads` alone takes NaN, reads UTF-16, keeps the last of two equal names without a word, rounds money, and lets
half a character through that no file or database takes afterwards. Nearly every body has nothing of that, so it is
decoded once by a decoder that stops at the first such thing; only then is it decoded again, to find out more.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from typing import NoReturn

from .errors import InvalidJSON, TooDeep
from .event import Json

MAX_DEPTH = 32
"""How deeply arrays and objects may be nested, the body's own included. An event's are nested 4 deep."""

_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Repeated:
    """An object that has a name more than once, with the last value of each."""

    values: dict[str, Json]


def decode(body: bytes) -> tuple[Json, list[Repeated]]:
    """The value of the body, and those of its objects that have a name twice. Raises InvalidJSON or TooDeep."""
    try:
        # Decoded here because `json.loads` of bytes would guess UTF-16 and UTF-32 as well.
        text = body.decode()
    except UnicodeDecodeError:
        raise InvalidJSON("the body is not UTF-8") from None
    repeated: list[Repeated] = []
    try:
        value = _decode(_STRICT, text)
    except _NameTwice:
        value = _decode(_lenient(repeated), text)
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _check_depth(value)
    if b"\\" in body and _HALF_CHARACTER.search(body):
        _check_characters(value)
    return value, repeated


def _decode(decoder: json.JSONDecoder, text: str) -> Json:
    try:
        value: Json = decoder.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidJSON(f"the body is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise TooDeep(f"the body is nested more than {MAX_DEPTH} deep") from None
    except (ValueError, DecimalException):
        raise InvalidJSON("the body has a number that cannot be read") from None
    return value


def encode(value: Json) -> bytes:
    """The bytes of a value that was decoded here, with every digit of its numbers."""
    return _encoded(value).encode()


def _encoded(value: Json) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{_encoded(name)}:{_encoded(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_encoded, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


class _NameTwice(Exception):
    """Stops the strict decoder."""


def _each_name_once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _NameTwice
    return values


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError  # NaN and Infinity, which Python would read although they are not JSON


def _lenient(repeated: list[Repeated]) -> json.JSONDecoder:
    """A decoder that puts the objects with a name twice into `repeated`."""

    def noted(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        values = dict(pairs)
        if len(values) != len(pairs):
            repeated.append(Repeated(values))
        return values

    return json.JSONDecoder(object_pairs_hook=noted, parse_float=Decimal, parse_constant=_refuse_constant)


_STRICT = json.JSONDecoder(object_pairs_hook=_each_name_once, parse_float=Decimal, parse_constant=_refuse_constant)


def _check_depth(value: Json) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, (dict, list))]
    if level:
        raise TooDeep(f"the body is nested more than {MAX_DEPTH} deep")


def _check_characters(value: Json) -> None:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str) and not _is_whole(each):
            raise InvalidJSON("the body has half of a surrogate pair in a string")
        if isinstance(each, dict):
            waiting.extend(each)
        waiting.extend(_inside(each))


def _inside(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
