"""Parses JSON bodies, and says where a malformed one is wrong.

The fast decoder names no field when it fails, so a small body that it refuses is read once more, slowly, to find the
place. Of a large one only the line and the column are told: to find the field takes Python half a second a megabyte.
A number of more digits than a double keeps, or with an exponent, becomes a `Decimal`: no digit of it is lost before it
is checked.
"""

import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any

import msgspec

from signalpost.api.http.broken_json import TOKENS_IN_A_ROW, break_in
from signalpost.api.http.crowded_body import MAX_DEPTH, MAX_VALUES, crowded_at, nests_too_deep
from signalpost.domain.checks import Check, pointer
from signalpost.domain.errors import FieldError, Invalid, Unparseable
from signalpost.domain.quick_body import NotQuick, reader_of
from signalpost.sharing.resting_turns import Rest, no_rest

MAX_BODY_BYTES = 1024 * 1024
LARGE_BODY_BYTES = 16 * 1024
"""Above this size a body is read off the event loop, and of a bad one the field is not looked for."""
SMALL_BODY_BYTES = 1024
"""Up to this size also a bad body is read on the event loop: to find what is wrong takes less than another thread."""
MAX_DIGITS = 4300
"""The most digits of a whole number: as many as Python reads by default."""
SHORT_NUMBER_CHARACTERS = 16
"""Up to this many characters, including the point, a number has at most 15 digits. A double keeps them all, and takes a
fifth of the time of a `Decimal`."""
MAX_PLACES_CHARACTERS = 64 * 1024
"""The total length of the places that one problem names. Without a bound a long name would be repeated for everything
below it."""
NOT_A_NUMBER = "NaN, infinities and numbers beyond a double's range are not JSON numbers."
_AT_BYTE = re.compile(r"JSON is malformed: (.*) \(byte (\d+)\)")
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[{}\[\]:,]', re.DOTALL)


def _exactly(spelled: str) -> float | Decimal:
    """A number as it is written. Raises ValueError for one that no double comes near."""
    if len(spelled) <= SHORT_NUMBER_CHARACTERS and "e" not in spelled and "E" not in spelled:
        return float(spelled)
    try:
        number = Decimal(spelled)
    except InvalidOperation:
        raise ValueError(spelled) from None
    # Only what is written with a power of ten as high as a double's highest can lie beyond it.
    if number.adjusted() >= sys.float_info.max_10_exp and not math.isfinite(float(spelled)):
        raise ValueError(spelled)
    return number


_decode = msgspec.json.Decoder(float_hook=_exactly).decode


def read_typed(kind: Any, body: bytes, also: Mapping[str, Check]) -> Any:
    """A body of this kind from its JSON; None if something may be wrong with it, or another thread has to read it.
    `also` is that of `domain.body.read`."""
    reader = reader_of(kind, _exactly) if len(body) <= LARGE_BODY_BYTES else None
    if reader is None or nests_too_deep(body):
        return None
    try:
        return reader(body, also)
    except NotQuick:
        return None


class DecoderRefused(ValueError):
    """The fast decoder refuses a body; `read_json` says why."""


class _TooDeep(ValueError):
    """A body has too many levels. How many the decoder itself stands depends on Python's version."""


class _Crowded(ValueError):
    """A large body has too many values."""

    def __init__(self, at: int) -> None:
        """`at` is the position of the first one too many."""
        super().__init__(at)
        self.at = at


def read_quickly(body: bytes, rest: Rest = no_rest) -> Any:
    """The decoded body. Raises DecoderRefused."""
    try:
        if len(body) > LARGE_BODY_BYTES and (at := crowded_at(body, rest)) is not None:
            raise _Crowded(at)
        if nests_too_deep(body):
            raise _TooDeep
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, _Crowded, _TooDeep) as error:
        raise DecoderRefused from error


def read_json(body: bytes, rest: Rest = no_rest) -> Any:
    """The decoded body. Raises Unparseable, naming the field if it can. A lone surrogate in a small body passes
    here: the checks of the fields name each of them, together with all other faults. Finding a fault takes up to 15 ms,
    in which `rest` is called again and again."""
    try:
        return read_quickly(body, rest)
    except DecoderRefused as refused:
        if len(body) > LARGE_BODY_BYTES:
            raise _fault_of_large(body, _text(body), refused.__cause__, rest) from None
        return read_slowly(body, rest)


def _text(body: bytes) -> str:
    """Raises Unparseable."""
    if not body.strip():
        raise _problem("empty_body", "The body is empty; send a JSON object.", "")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        place = body[: error.start].decode("utf-8")
        raise _unparseable("invalid_utf8", "The body must be UTF-8", place + "?", len(place), no_rest) from None
    if text.startswith("\ufeff"):
        raise _problem("byte_order_mark", "Send the body without a byte-order mark at its beginning.", "")
    return text


def _fault_of_large(body: bytes, text: str, error: BaseException | None, rest: Rest) -> Unparseable:
    """What the fast decoder's error says, without a step of Python for each value."""
    if isinstance(error, _Crowded):
        if (deep := _too_deep(text[:LARGE_BODY_BYTES], rest)) is not None:
            return _too_deep_at(text, deep, rest)
        before = body[: error.at].decode("utf-8", "ignore")
        detail = f"A body of more than {LARGE_BODY_BYTES // 1024} KiB can have at most {MAX_VALUES:,} values and names."
        return _problem("too_many_values", detail, _pointer_at(before, len(before), rest))
    if isinstance(error, _TooDeep):
        return _too_deep_at(text, _too_deep(text[:LARGE_BODY_BYTES], rest), rest)
    if isinstance(error, msgspec.ValidationError):
        return _problem("not_a_number", NOT_A_NUMBER, "")
    told = _AT_BYTE.fullmatch(str(error))
    if told is None:
        return _problem("invalid_json", "This is not JSON: it ends too early, or has a lone surrogate.", "")
    # Of what follows the value, the decoder tells the byte after the first.
    at = int(told[2]) - (told[1] == "trailing characters")
    position = len(body[:at].decode("utf-8", "ignore"))
    if text.startswith(("NaN", "Infinity"), position):
        return _unparseable("not_a_number", "This is not a JSON number", text, position, rest)
    return _unparseable("invalid_json", f"This is not JSON: {told[1]}", text, position, rest)


def read_slowly(body: bytes, rest: Rest = no_rest) -> Any:
    """See `read_json`: a small body that the fast decoder has refused."""
    text = _text(body)
    deep = _too_deep(text, rest)
    if deep is not None:
        raise _too_deep_at(text, deep, rest)
    strange: list[str] = []

    def not_a_number(spelled: str) -> float:
        strange.append(spelled)
        return math.nan

    def number(spelled: str) -> Decimal | float:
        try:
            return _exactly(spelled)
        except ValueError:
            return not_a_number(spelled)

    def whole_number(digits: str) -> int | float:
        return int(digits) if len(digits) <= MAX_DIGITS else not_a_number(digits)

    try:
        value = json.loads(text, parse_float=number, parse_int=whole_number, parse_constant=not_a_number)
    except json.JSONDecodeError:
        broken = break_in(text, rest)
        raise _unparseable("invalid_json", f"This is not JSON: {broken.what}", text, broken.position, rest) from None
    if strange:
        found = list(islice(_not_numbers(value, ()), Invalid.MAX_NAMED))
        if sum(len(name) for where in found for name in where) > MAX_PLACES_CHARACTERS:
            found = []
        # A name that is repeated hides the earlier value: then, too, the body as a whole is named.
        errors = [FieldError(pointer(*where), "not_a_number", NOT_A_NUMBER) for where in found or [()]]
        raise Unparseable("not_a_number", NOT_A_NUMBER, errors=errors)
    return value


def _too_deep_at(text: str, position: int | None, rest: Rest) -> Unparseable:
    what = f"At most {MAX_DEPTH} levels of nesting are read"
    if position is None:
        return _problem("nested_too_deep", f"{what}.", "")
    return _unparseable("nested_too_deep", what, text, position, rest)


def _unparseable(code: str, what: str, text: str, position: int, rest: Rest) -> Unparseable:
    before = text[:position]
    line, column = before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1
    where = _pointer_at(text, position, rest) if position <= LARGE_BODY_BYTES else ""
    return _problem(code, f"{what} (line {line}, column {column}).", where)


def _problem(code: str, detail: str, where: str) -> Unparseable:
    return Unparseable(code, detail, errors=[FieldError(where, code, detail)])


def _tokens(text: str, end: int, rest: Rest) -> Iterator[re.Match[str]]:
    """The tokens up to a position."""
    tokens = _TOKEN.finditer(text, 0, end)
    while some := tuple(islice(tokens, TOKENS_IN_A_ROW)):
        yield from some
        rest()


def _too_deep(text: str, rest: Rest) -> int | None:
    depth = 0
    for match in _tokens(text, len(text), rest):
        if match[0] in "{[":
            depth += 1
            if depth > MAX_DEPTH:
                return match.start()
        elif match[0] in "}]":
            depth -= 1
    return None


def _pointer_at(text: str, position: int, rest: Rest) -> str:
    """The JSON pointer of the value at a position, as far as the text before it can be understood (two levels)."""
    path: list[str | int | None] = []
    """Of an object None while no name was read."""
    name = ""
    for match in _tokens(text, position, rest):
        mark = match[0]
        if mark == "{":
            path.append(None)
        elif mark == "[":
            path.append(0)
        elif mark in "}]" and path:
            path.pop()
        elif mark == "," and path:
            path[-1] = path[-1] + 1 if isinstance(path[-1], int) else None
        elif mark == ":" and path:
            path[-1] = name
        elif mark[0] == '"':
            name = _name(mark)
    return pointer(*[str(step) for step in path if step is not None][:2])


def _name(quoted: str) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted.strip('"')


def _not_numbers(value: Any, where: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _not_numbers(below, (*where, name))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _not_numbers(below, (*where, str(index)))
    elif isinstance(value, float):
        yield where
