"""The types of which bodies, queries and configurations are made.

A type says with `Meta` what it lets through, and names a check if `Meta` cannot say it; `body.py` makes one check of
both. Limits come from the API page.
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Final

from msgspec import Meta

from signalpost.domain.body import read_by
from signalpost.domain.checks import MAX_TEXT_CHARACTERS, NO_NUL, Bad, is_number, plain_text
from signalpost.domain.timestamps import (
    DATE_OR_TIMESTAMP_PATTERN,
    TIMESTAMP_PATTERN,
    format_timestamp,
    is_usual_date,
    is_usual_timestamp,
    normalise_date_or_timestamp,
    parse_timestamp,
)

MAX_MONEY = 10**13

# --- The types of which bodies are made -------------------------------------------------------------------------------

Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_CHARACTERS, pattern=NO_NUL)]
_EMAIL = r"^[^@\s\x00-\x1f\x7f\x85\ufeff]+@[^@\s\x00-\x1f\x7f\x85\ufeff]+$"
"""Where Python and JavaScript differ about `\\s`, both sides are named."""
_is_email = re.compile(_EMAIL).fullmatch


def _email(value: Any) -> str:
    if type(value) is str and len(value) <= MAX_TEXT_CHARACTERS and value.isascii() and _is_email(value):
        return value  # as nearly all are
    address = plain_text(value)
    if not _is_email(address):
        raise Bad("not_an_email", "This must be an e-mail address, such as owner@example.com.")
    return address


Email = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=MAX_TEXT_CHARACTERS,
        pattern=_EMAIL,
        description="An e-mail address.",
        extra=read_by(_email),
    ),
]

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
MAIL_ADDRESS: Final = rf"^[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@(?:{_LABEL}\.)*{_LABEL}$"
"""What every mail server can take. People may have addresses of other forms; none that mail is sent to needs one."""
_fits_mail = re.compile(MAIL_ADDRESS).fullmatch
MAX_MAIL_CHARACTERS: Final = 254


def is_mail_address(text: str) -> bool:
    """Whether mail can be sent there, as far as its form goes."""
    return len(text) <= MAX_MAIL_CHARACTERS and _fits_mail(text) is not None


def _mail_address(value: Any) -> str:
    if not is_mail_address(address := plain_text(value, MAX_MAIL_CHARACTERS)):
        raise Bad("not_an_email", "This must be an e-mail address in ASCII, such as owner@example.com.")
    return address


MailAddress = Annotated[str, Meta(max_length=MAX_MAIL_CHARACTERS, pattern=MAIL_ADDRESS, extra=read_by(_mail_address))]
"""An address that mail is sent to or comes from."""

_is_uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch


def uuid(value: Any) -> str:
    """A UUID in its canonical form, lower case."""
    if not isinstance(value, str):
        raise Bad("wrong_type", "This must be a string.")
    lowered = value.lower()
    if not _is_uuid(lowered):
        raise Bad("not_a_uuid", "This must be a UUID, such as d24c0644-1d31-47fa-960e-b0cc8b4f136c.")
    return lowered


Uuid = Annotated[str, Meta(extra_json_schema={"format": "uuid"}, extra=read_by(uuid))]


# --- Points in time ---------------------------------------------------------------------------------------------------


def _date_or_timestamp(value: Any) -> str:
    if is_usual_date(value):
        return str(value)
    try:
        return normalise_date_or_timestamp(plain_text(value))
    except Bad:
        raise
    except ValueError as error:
        raise Bad("not_a_date", f"{error} This is a date (2021-11-25) or a timestamp.") from None


def _timestamp(value: Any) -> str:
    """A timestamp in the form that the gateway's own have: in UTC, with six digits (C4)."""
    if is_usual_timestamp(value):
        return str(value)
    try:
        return format_timestamp(parse_timestamp(plain_text(value)))
    except Bad:
        raise
    except ValueError as error:
        raise Bad("not_a_timestamp", str(error)) from None


_TIMESTAMP: Final = {"type": "string", "format": "date-time", "pattern": TIMESTAMP_PATTERN}
_DATE_OR_TIMESTAMP: Final = {"type": "string", "pattern": DATE_OR_TIMESTAMP_PATTERN}
MOMENT_SCHEMA: Final = {"anyOf": [{"type": "string", "format": "date"}, _TIMESTAMP]}
"""A date, or a timestamp with its zone."""
GivenTimestamp = Annotated[
    str,
    Meta(
        description="A timestamp with its zone and at most six decimals.",
        extra_json_schema=_TIMESTAMP,
        extra=read_by(_timestamp),
    ),
]
GivenDateOrTimestamp = Annotated[
    str,
    Meta(
        description="A date, or a timestamp with its zone and at most six decimals.",
        extra_json_schema=_DATE_OR_TIMESTAMP,
        extra=read_by(_date_or_timestamp),
    ),
]

# How texts of an answer are described. They are ours, and are not checked again.
Timestamp = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
DateOrTimestamp = Annotated[
    str, Meta(description="A date, such as 2021-11-25, or a timestamp.", extra_json_schema=_DATE_OR_TIMESTAMP)
]


# --- Money ------------------------------------------------------------------------------------------------------------

_CENT = Decimal("0.01")


def _money(value: Any) -> float:
    """A JSON number of at most two decimals, exact up to 10^13 (C8)."""
    if type(value) is float and -MAX_MONEY <= value <= MAX_MONEY and float(f"{value:.2f}") == value:
        return value + 0.0  # as nearly all are
    if not is_number(value):
        raise Bad("wrong_type", "This must be a number.")
    # Up to 10^13 with two decimals has at most 15 significant digits, which a double keeps exactly.
    amount = float(value) if isinstance(value, Decimal) else value
    if not -MAX_MONEY <= amount <= MAX_MONEY:
        raise Bad("out_of_range", "This must lie between -10^13 and 10^13.")
    if isinstance(value, Decimal):
        has_cents = value.quantize(_CENT) == value
    else:
        # `repr` gives the fewest digits that mean this very double, so these are the decimals that were written.
        has_cents = isinstance(value, int) or float(f"{value:.2f}") == value
    if not has_cents:
        raise Bad("too_many_decimals", "This can have at most two decimals.")
    return amount + 0.0


Money = Annotated[float, Meta(ge=-MAX_MONEY, le=MAX_MONEY, description="At most two decimals.", extra=read_by(_money))]
