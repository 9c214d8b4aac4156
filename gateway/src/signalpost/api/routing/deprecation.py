"""How a call that will go is announced: each of its answers says so in headers (RFC 9745, RFC 8594)."""

from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from functools import cached_property

from msgspec import Struct


class Deprecation(Struct, frozen=True, dict=True):
    """What is said of a call that goes with a later version."""

    since: date
    """The day of the version that announced it."""
    sunset: date
    """The day before which it does not go."""
    instead: str
    """What to call instead, as a sentence."""

    @cached_property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """What the answers carry."""
        since = int(_beginning(self.since).timestamp())
        return ("deprecation", f"@{since}"), ("sunset", format_datetime(_beginning(self.sunset), usegmt=True))


def _beginning(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
