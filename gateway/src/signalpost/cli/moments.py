"""Moments as people say them: a timestamp, a day, or how long ago."""

import re
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

from cyclopts import Parameter, Token

from signalpost.domain.timestamps import SECOND, format_timestamp, parse_timestamp

_AGO = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str, now: int) -> str:
    """The timestamp that is meant, `now` in µs. Raises ValueError with a sentence."""
    if ago := _AGO.fullmatch(text):
        length = timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return format_timestamp(max(0, now - int(length.total_seconds()) * SECOND))
    try:
        return format_timestamp(parse_timestamp(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text))
    except ValueError:
        raise ValueError("Say how long ago (90s, 15m, 2h, 7d), a day or a timestamp with its zone.") from None


def now() -> int:
    """In µs."""
    return time.time_ns() // 1000


def _read(_type: Any, tokens: Sequence[Token]) -> str:
    return moment(tokens[0].value, now())


Moment = Annotated[str, Parameter(converter=_read, n_tokens=1)]
"""An option's value: given in any of these ways, a timestamp for the API."""
WAYS = "2h (ago), 2026-11-24 or 2026-11-24T10:00:00Z"
