"""Checks of decoded JSON values, of which `body.py` makes the checks of whole bodies.

A check takes a value and returns it normalised, or raises `Bad` with a code and a sentence; its caller knows the
field's name. A JSON number of which a double would not keep every digit arrives as a `Decimal`.
"""

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from signalpost.domain.errors import Invalid

Check = Callable[[Any], Any]

MAX_TEXT_CHARACTERS: Final = 512
NO_NUL: Final = r"^[^\u0000]*$"


class Bad(ValueError):
    """A value that fails its check. `below` points deeper into it, as an unescaped JSON pointer's tokens."""

    def __init__(self, code: str, detail: str, below: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.below = below

    def under(self, name: str) -> "list[Bad]":
        """What is wrong, as seen from the value that has this one under a name."""
        return [Bad(self.code, self.detail, (name, *self.below))]


class Several(ValueError):
    """More than one thing is bad inside one value."""

    def __init__(self, bads: list[Bad]) -> None:
        super().__init__(bads)
        self.bads = bads

    def under(self, name: str) -> list[Bad]:
        return [Bad(bad.code, bad.detail, (name, *bad.below)) for bad in self.bads]


def pointer(*tokens: str) -> str:
    """An RFC 6901 JSON pointer. Lone surrogates are shown as escapes, since a problem document must be UTF-8."""
    escaped = (token.replace("~", "~0").replace("/", "~1") for token in tokens)
    return "".join(f"/{token}" for token in escaped).encode("utf-8", "backslashreplace").decode()


# --- Of single values -------------------------------------------------------------------------------------------------


def plain_text(value: Any, most: int = MAX_TEXT_CHARACTERS, least: int = 1) -> str:
    """A text within its length, free of U+0000 and lone surrogates."""
    if not isinstance(value, str):
        raise Bad("wrong_type", "This must be a string.")
    if not least <= len(value) <= most:
        raise Bad("wrong_length", f"This must have {least} to {most} characters; it has {len(value)}.")
    if "\x00" in value:
        raise Bad("forbidden_character", "U+0000 is not allowed.")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise Bad("forbidden_character", "A lone surrogate is not a character.")
    return value


def json_object(value: Any) -> dict[str, Any]:
    """An object; its members are for others to check."""
    if not isinstance(value, dict):
        raise Bad("wrong_type", "This must be a JSON object.")
    return value


def text(least: int, most: int, pattern: str | None = None) -> Check:
    def check(value: Any) -> str:
        if type(value) is str and least <= len(value) <= most and value.isascii() and "\x00" not in value:
            return value  # as nearly all are
        return plain_text(value, most, least)

    if pattern in (None, NO_NUL):  # which every text is held against
        return check
    search = re.compile(pattern).search

    def check_form(value: Any) -> str:
        if not search(check(value)):
            raise Bad("wrong_form", f"This must match {pattern}.")
        return str(value)

    return check_form


_NUMBERS = (int, float, Decimal)


def is_number(value: Any) -> bool:
    return isinstance(value, _NUMBERS) and value is not True and value is not False


def _is_whole(value: float | Decimal) -> bool:
    if isinstance(value, Decimal):
        return value == value.to_integral_value()
    return isinstance(value, int) or value.is_integer()


def number(least: float | None, most: float | None) -> Check:
    bounds = f"This must lie between {least} and {most}."

    def check(value: Any) -> int | float:
        if not is_number(value):
            raise Bad("wrong_type", "This must be a number.")
        if (least is not None and not least <= value) or (most is not None and not value <= most):
            raise Bad("out_of_range", bounds)
        if isinstance(value, int):
            return value
        double = float(value)
        if not math.isfinite(double) or (double == 0 and value != 0):
            raise Bad("out_of_range", "This number is too large or too small for a double.")
        return double

    return check


def whole_number(least: int, most: int) -> Check:
    def check(value: Any) -> int:
        # JSON has one type of number: 10.0 is as whole as 10.
        if not is_number(value) or not _is_whole(value):
            raise Bad("wrong_type", "This must be a whole number.")
        if not least <= value <= most:
            raise Bad("out_of_range", f"This must lie between {least} and {most}.")
        return int(value)

    return check


def truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Bad("wrong_type", "This must be true or false.")
    return value


def scalar(checks: Mapping[type, Check]) -> Check:
    """A value of one of some types, by the Python type that each comes as."""
    words = [word for kind, word in ((str, "a text"), (float, "a number"), (bool, "true or false")) if kind in checks]
    detail = f"This must be {', '.join(words[:-1])}, or {words[-1]}."

    def check(value: Any) -> Any:
        of_type = checks.get(type(value))
        if of_type is None:
            raise Bad("wrong_type", detail)
        return of_type(value)

    return check


def one_of(allowed: tuple[Any, ...]) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise Bad("not_allowed", f"This must be one of {', '.join(allowed)}.")
        return value

    return check


# --- Of other checks --------------------------------------------------------------------------------------------------


def nullable(check: Check) -> Check:
    """`check`, or null."""
    return lambda value: None if value is None else check(value)


def each(check: Check, least: int, most: int) -> Check:
    """A list whose every entry passes `check`; a bad one is named by its index."""

    def check_list(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise Bad("wrong_type", "This must be a list.")
        if not least <= len(value) <= most:
            raise Bad("wrong_length", f"This must have {least} to {most} entries; it has {len(value)}.")
        found: list[Any] = []
        bads: list[Bad] = []
        for index, given in enumerate(value):
            try:
                found.append(check(given))
            except (Bad, Several) as bad:
                bads += bad.under(str(index))
        if bads:
            raise Several(bads)
        return tuple(found)

    return check_list


def pairs(check_name: Check, check_value: Check, most: int | None) -> Check:
    """A JSON object of names and values that pass their checks; a bad pair is named by its name."""

    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Bad("wrong_type", "This must be a JSON object of names and values.")
        found: dict[str, Any] = {}
        bads: list[Bad] = []
        too_many = most is not None and len(value) > most
        # A body has room for a hundred thousand: if they are too many anyway, a few are looked at.
        for name, given in islice(value.items(), Invalid.MAX_NAMED) if too_many else value.items():
            try:
                try:
                    known = check_name(name)
                except Bad as bad:
                    raise Bad(bad.code, f"Its name: {bad.detail}") from None
                found[known] = check_value(given)
            except (Bad, Several) as bad:
                bads += bad.under(name)
                if len(bads) >= Invalid.MAX_NAMED:
                    break
        if too_many:
            bads.append(Bad("too_many", f"There can be at most {most} of them."))
        if bads:
            raise Several(bads)
        return found

    return check


# --- Written in a query or a form -------------------------------------------------------------------------------------


_WHOLE_NUMBER = re.compile(r"-?\d{1,19}", re.ASCII)


def written_number(least: int, most: int) -> Check:
    def check(value: str) -> int:
        if not _WHOLE_NUMBER.fullmatch(value) or not least <= int(value) <= most:
            raise Bad("out_of_range", f"This must be a whole number from {least} to {most}.")
        return int(value)

    return check


def written_truth(value: str) -> bool:
    if value not in ("true", "false"):
        raise Bad("not_allowed", "This must be true or false.")
    return value == "true"
