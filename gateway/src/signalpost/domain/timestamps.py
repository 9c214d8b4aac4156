"""Points in time: microseconds since the epoch inside, ISO 8601 in UTC on the wire (C4)."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIMESTAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:[0-5]\d)", re.ASCII)
TIMESTAMP_PATTERN = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(\.\d{1,6})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$"
"""The timestamps that are accepted, for JSON Schema; its `date-time` lets more through, such as leap seconds."""
_LEAP_YEAR = r"(\d\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)"
_DAY = r"((0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
DATE_OR_TIMESTAMP_PATTERN = (
    rf"^(?!0000)(\d{{4}}-{_DAY}|{_LEAP_YEAR}-02-29)"
    r"(T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d))?$"
)
"""Dates and timestamps, for JSON Schema: one type, which two formats would not be for generators of clients."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

SECOND = 1_000_000
"""One second in the unit of every time inside: microseconds."""
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EARLIEST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The first moment that can be written."""


def format_timestamp(at: int) -> str:
    """`at` with six digits and `+00:00`, as the gateway's own times always are (C4)."""
    seconds, microseconds = divmod(at, SECOND)
    return f"{_second(seconds)}.{microseconds:06d}+00:00"


def readable(at: int) -> str:
    """`at` as people write it, for sentences that they read in a chat or a mail."""
    written = format_timestamp(at)
    return f"{written[:10]} {written[11:16]} UTC"


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    # Most timestamps that are written are within the same few seconds, and the calendar is the slow part.
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


def is_usual_timestamp(value: object) -> bool:
    """Whether this is a timestamp that `format_timestamp` would write as it is."""
    if type(value) is not str or not value.endswith("+00:00"):
        return False
    try:
        return datetime.fromisoformat(value).isoformat(timespec="microseconds") == value
    except ValueError:
        return False


def is_usual_date(value: object) -> bool:
    """Whether this is a plain date."""
    if type(value) is not str:
        return False
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def parse_timestamp(text: str) -> int:
    """µs since the epoch of an ISO 8601 timestamp with zone and seconds. Raises ValueError with a sentence."""
    moment, _ = _read(text)
    return (moment - _EPOCH) // _MICROSECOND


def normalise_timestamp(text: str) -> str:
    """A person's timestamp in UTC, with as many fractional digits as it came with (C4). Raises ValueError."""
    moment, digits = _read(text)
    whole = moment.isoformat(timespec="microseconds")
    seconds, fraction = whole[:19], whole[20:26]
    return f"{seconds}.{fraction[:digits]}+00:00" if digits else f"{seconds}+00:00"


def normalise_date_or_timestamp(text: str) -> str:
    """A plain date as it is, a timestamp as `normalise_timestamp` does (C4). Raises ValueError."""
    if _DATE.fullmatch(text):
        try:
            date.fromisoformat(text)
        except ValueError:
            raise ValueError(f"There is no such day as {text}.") from None
        return text
    return normalise_timestamp(text)


def _read(text: str) -> tuple[datetime, int]:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError(
            "Write a timestamp as YYYY-MM-DDTHH:MM:SS, with at most six decimals and a zone, "
            "such as 2021-11-27T13:00:00+00:00."
        )
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"There is no such moment as {text}.") from None
    return moment, len(match[7] or "")
