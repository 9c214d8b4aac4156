"""Values of documents as people mean them.

Facts come from people and from forms: a number is often a text, such as "120". So what reads a fact says as what: a
number reads "120" as 120, and a text reads 120 as "120". The other attributes are what they are.
"""

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import msgspec

from signalpost.domain.language.names import shortened
from signalpost.domain.timestamps import normalise_date_or_timestamp, parse_timestamp

_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,18}(?:\.[0-9]{1,12})?)\s*", re.ASCII)
DAY_CHARACTERS: Final = 10
_encode = msgspec.json.Encoder(order="sorted").encode
_MAX_MOMENT_CHARACTERS: Final = 40


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are the same in JSON. There 1 is neither true nor 1.0, which are equal to Python; the order of
    an object's members does not matter."""
    if one is other:
        return True
    return bool(one == other) and (type(one) is type(other) is str or _encode(one) == _encode(other))


def is_empty(value: Any) -> bool:
    """Whether there is nothing: no value, a text without a character, an object without a member."""
    return value is None or value == "" or value == {}


def written(value: Any) -> str:
    """A value as it stands within a text: numbers without an exponent and without zeros at their end."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = format(Decimal(str(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def as_number(value: Any) -> int | float | None:
    """A number, or a text that is written as one; None for all else."""
    if isinstance(value, str):
        match = _NUMBER.fullmatch(value)
        if match is None:
            return None
        return float(match[1]) if "." in match[1] else int(match[1])
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def as_text(value: Any) -> str | None:
    """A text, or another value as it would be written; None if there is nothing, or an object."""
    if type(value) is str:  # as nearly all are
        return value
    return None if value is None or isinstance(value, Mapping) else written(value)


_TRUTHS: Final = {"true": True, "false": False}


def as_truth(value: Any) -> bool | None:
    """True or false, or a text that says so; None for all else."""
    return value if isinstance(value, bool) else _TRUTHS.get(value) if isinstance(value, str) else None


def as_moment(value: Any) -> str | None:
    """A date or a timestamp in UTC (C4), or None."""
    if not isinstance(value, str) or not DAY_CHARACTERS <= len(value) <= _MAX_MOMENT_CHARACTERS:
        return None
    try:
        return normalise_date_or_timestamp(value)
    except ValueError:
        return None


def day_of(moment: str | None) -> str | None:
    """The day in UTC of a date or a timestamp as documents have them (C4); texts of days sort as the days do."""
    return None if moment is None else moment[:DAY_CHARACTERS]


def as_day(value: Any) -> str | None:
    """The day in UTC of what can be read as a date or a timestamp, or None."""
    return day_of(as_moment(value))


def as_instant(value: Any) -> int | None:
    """The µs since the epoch of a timestamp, or of the first moment of a date."""
    moment = as_moment(value)
    if moment is None:
        return None
    return parse_timestamp(f"{moment}T00:00:00Z" if len(moment) == DAY_CHARACTERS else moment)


def rounded(value: float) -> Decimal:
    """A number with exactly two decimals; halves go away from zero, as on an invoice."""
    return Decimal(repr(value)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def kept(value: Any) -> Any:
    """Checked JSON as it is kept: with doubles for the exact numbers that a request is read with."""
    if isinstance(value, dict):
        return {name: kept(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [kept(member) for member in value]
    return float(value) if isinstance(value, Decimal) else value


def shown(value: Any) -> str:
    """A value as a sentence for people shows it."""
    if is_empty(value):
        return "empty"
    if isinstance(value, str):
        return f"'{shortened(value)}'"
    return "an object" if isinstance(value, Mapping) else written(value)
