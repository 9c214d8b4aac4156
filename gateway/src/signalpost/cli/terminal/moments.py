"""Parses moments as people write them: a timestamp, a day, or a time ago or from now."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

from cyclopts import Parameter, Token

from signalpost.domain.timestamps import SECOND, format_timestamp, parse_timestamp
from signalpost.runtime.clock import wall_clock

_LENGTH = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str, now: int) -> str:
    """The timestamp of a moment in the past; `now` is in µs. Raises ValueError with a message for the user."""
    if (length := _length(text)) is not None:
        return format_timestamp(max(0, now - length))
    try:
        return _written(text)
    except ValueError:
        raise ValueError("Give a time ago (90s, 15m, 2h, 7d), a day, or a timestamp with a zone.") from None


def deadline(text: str, now: int) -> str:
    """The timestamp of a moment in the future; `now` is in µs. Raises ValueError with a message for the user."""
    if (length := _length(text)) is not None:
        return format_timestamp(now + length)
    try:
        return _written(text)
    except ValueError:
        raise ValueError("Give a time from now (15m, 2h, 14d), a day, or a timestamp with a zone.") from None


def _length(text: str) -> int | None:
    """The length of time in µs that a text such as `15m` gives; None for any other text."""
    if (said := _LENGTH.fullmatch(text)) is None:
        return None
    return int(timedelta(**{_UNITS[said[2]]: int(said[1])}).total_seconds()) * SECOND


def _written(text: str) -> str:
    return format_timestamp(parse_timestamp(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text))


def _read(_type: Any, tokens: Sequence[Token]) -> str:
    return moment(tokens[0].value, wall_clock())


Moment = Annotated[str, Parameter(converter=_read, n_tokens=1)]
"""The value of an option that names a past moment, converted to a timestamp for the API."""


def _read_deadline(_type: Any, tokens: Sequence[Token]) -> str:
    return deadline(tokens[0].value, wall_clock())


Deadline = Annotated[str, Parameter(converter=_read_deadline, n_tokens=1)]
"""The value of an option that names a future moment, converted to a timestamp for the API."""
AHEAD = "90d (from now), 2026-11-24 or 2026-11-24T10:00:00Z"
WAYS = "2h (ago), 2026-11-24 or 2026-11-24T10:00:00Z"
