"""Decodes JSON that another program may have made to confuse its readers.

`json.loads` alone takes NaN, reads UTF-16, keeps the last of two equal names without a word, rounds money, and lets
half a character through that no file or database takes afterwards. Finding that out costs more than decoding, so
`usual_body` first looks whether a body can have such a thing at all.
"""

from __future__ import annotations

import json
from decimal import Decimal, DecimalException
from typing import NoReturn

from .errors import InvalidJSON, TooDeep
from .event import Json

MAX_DEPTH = 32
"""How deeply arrays and objects may be nested, the body's own included. An event's are nested 4 deep."""


def decode(body: bytes) -> Json:
    """The value of the body, in which the last of equal names counts. Raises InvalidJSON or TooDeep."""
    value, _ = decode_noting_repeated(body)
    return value


def decode_noting_repeated(body: bytes) -> tuple[Json, list[dict[str, Json]]]:
    """The value of the body as `decode` gives it, and those of its objects that have a name twice."""
    repeated: list[dict[str, Json]] = []

    def noted(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        values = dict(pairs)
        if len(values) != len(pairs):
            repeated.append(values)
        return values

    decoder = json.JSONDecoder(object_pairs_hook=noted, parse_float=Decimal, parse_constant=_refuse_constant)
    value = _decode(decoder, _text(body))
    _check_depth(value)
    if b"\\" in body:  # UTF-8 itself has no half characters
        _check_characters(value)
    return value, repeated


def decode_flat(text: str) -> dict[str, Json] | None:
    """The value of an object in which no other is, and no array; None if the text is not JSON."""
    try:
        value, end = _FLAT.raw_decode(text)
    except (ValueError, DecimalException):
        return None
    return value if end == len(text) else None


def _text(body: bytes) -> str:
    try:
        # Decoded here because `json.loads` of bytes would guess UTF-16 and UTF-32 as well.
        return body.decode()
    except UnicodeDecodeError:
        raise InvalidJSON("the body is not UTF-8") from None


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


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError  # NaN and Infinity, which Python would read although they are not JSON


_FLAT = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


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
