"""Checks for the fields of a request, and one function that runs them all and reports every bad one.

A check takes a decoded JSON value and returns it normalised, or raises `Bad` with a code and a sentence; the caller
knows the field's name. A `Field` is a check with the JSON Schema that tells programs the same: what the API takes and
what its description says come from one place. Limits come from the API page.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from signalpost.domain import checks
from signalpost.domain.body import read_by
from signalpost.domain.checks import MAX_TEXT_CHARACTERS, NO_NUL, Bad, Check, Several, is_number, plain_text, pointer
from signalpost.domain.errors import FieldError, Invalid
from signalpost.domain.timestamps import (
    TIMESTAMP_PATTERN,
    format_timestamp,
    normalise_date_or_timestamp,
    parse_timestamp,
)

MAX_MONEY = 10**13
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

# --- The types of which bodies are made -------------------------------------------------------------------------------

Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_CHARACTERS, pattern=NO_NUL)]
_EMAIL = r"^[^@\s\x00-\x1f\x7f\x85\ufeff]+@[^@\s\x00-\x1f\x7f\x85\ufeff]+$"
"""Where Python and JavaScript differ about `\\s`, both sides are named."""
_is_email = re.compile(_EMAIL).fullmatch


def _email(value: Any) -> str:
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

_is_uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch


def _uuid(value: Any) -> str:
    """A UUID in its canonical form, lower case."""
    if not isinstance(value, str):
        raise Bad("wrong_type", "This must be a text.")
    lowered = value.lower()
    if not _is_uuid(lowered):
        raise Bad("not_a_uuid", "This must be a UUID, such as d24c0644-1d31-47fa-960e-b0cc8b4f136c.")
    return lowered


Uuid = Annotated[str, Meta(extra_json_schema={"format": "uuid"}, extra=read_by(_uuid))]


# --- Points in time ---------------------------------------------------------------------------------------------------


def _date_or_timestamp(value: Any) -> str:
    try:
        return normalise_date_or_timestamp(plain_text(value))
    except Bad:
        raise
    except ValueError as error:
        raise Bad("not_a_date", f"{error} This is a date (2021-11-25) or a timestamp.") from None


def _timestamp(value: Any) -> str:
    """A timestamp in the form that the gateway's own have: in UTC, with six digits (C4)."""
    try:
        return format_timestamp(parse_timestamp(plain_text(value)))
    except Bad:
        raise
    except ValueError as error:
        raise Bad("not_a_timestamp", str(error)) from None


_TIMESTAMP: Final = {"type": "string", "format": "date-time", "pattern": TIMESTAMP_PATTERN}
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
        extra_json_schema={"anyOf": [{"type": "string", "format": "date"}, _TIMESTAMP]},
        extra=read_by(_date_or_timestamp),
    ),
]

# How texts of an answer are described. They are ours, and are not checked again.
Timestamp = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
DateOrTimestamp = Annotated[
    str,
    Meta(
        extra_json_schema={"anyOf": [{"format": "date", "type": "string"}, {"format": "date-time", "type": "string"}]}
    ),
]


# --- Money ------------------------------------------------------------------------------------------------------------

_CENT = Decimal("0.01")


def _money(value: Any) -> float:
    """A JSON number of at most two decimals, exact up to 10^13 (C8)."""
    if not is_number(value):
        raise Bad("wrong_type", "This must be a number.")
    # Up to 10^13 with two decimals has at most 15 significant digits, which a double keeps exactly.
    amount = float(value) if isinstance(value, Decimal) else value
    if not -MAX_MONEY <= amount <= MAX_MONEY:
        raise Bad("out_of_range", "This must lie between -10^13 and 10^13.")
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if exact.quantize(_CENT) != exact:
        raise Bad("too_many_decimals", "This can have at most two decimals.")
    return amount + 0.0


Money = Annotated[float, Meta(ge=-MAX_MONEY, le=MAX_MONEY, description="At most two decimals.", extra=read_by(_money))]


# --- The checks of before ---------------------------------------------------------------------------------------------


class Field(Struct, frozen=True):
    """A check that says in JSON Schema what it lets through, as far as a schema can."""

    check: Check
    schema: Mapping[str, Any]

    def __call__(self, value: Any) -> Any:
        return self.check(value)

    def described(self, description: str) -> "Field":
        """The same, with a sentence for people."""
        return Field(self.check, {**self.schema, "description": description})


def field(**schema: Any) -> Callable[[Check], Field]:
    """Make a Field of a check."""
    return lambda check: Field(check, schema)


def check_object(value: Any, known: Mapping[str, Field], required: Iterable[str] = ()) -> dict[str, Any]:
    """The object's fields, normalised. Raises Invalid naming every bad, unknown or missing field; with as many as it
    can name the rest is not looked at."""
    if not isinstance(value, dict):
        raise Invalid([FieldError("", "wrong_type", "The body must be a JSON object.")])
    errors: list[FieldError] = []
    checked: dict[str, Any] = {}
    for name, given in value.items():
        if len(errors) >= Invalid.MAX_NAMED:
            break
        field = known.get(name)
        if field is None:
            errors.append(
                FieldError(
                    pointer(name),
                    "unknown_field",
                    f"There is no such field here. Known: {', '.join(known)}.",
                )
            )
            continue
        try:
            checked[name] = field.check(given)
        except Several as several:
            errors += [FieldError(pointer(name, *bad.below), bad.code, bad.detail) for bad in several.bads]
        except Bad as bad:
            errors.append(FieldError(pointer(name, *bad.below), bad.code, bad.detail))
    errors += [
        FieldError(pointer(name), "required", "This field is required.") for name in required if name not in value
    ]
    if errors:
        raise Invalid(errors)
    return checked


def tokens(pointer: str) -> tuple[str, ...]:
    """The inverse of `pointer`."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def text(most: int = MAX_TEXT_CHARACTERS, least: int = 1) -> Field:
    schema = {"type": "string", "minLength": least, "maxLength": most, "pattern": NO_NUL}
    return Field(lambda value: plain_text(value, most, least), schema)


@field(type="string", pattern=_EMAIL, minLength=3, maxLength=MAX_TEXT_CHARACTERS, description="An e-mail address.")
def email(value: Any) -> str:
    address = plain_text(value)
    if not _is_email(address):
        raise Bad("not_an_email", "This must be an e-mail address, such as owner@example.com.")
    return address


@field(type="string", format="uuid")
def uuid(value: Any) -> str:
    """A UUID in its canonical form, lower case."""
    if not isinstance(value, str):
        raise Bad("wrong_type", "This must be a text.")
    lowered = value.lower()
    if not _UUID.fullmatch(lowered):
        raise Bad("not_a_uuid", "This must be a UUID, such as d24c0644-1d31-47fa-960e-b0cc8b4f136c.")
    return lowered


@field(
    anyOf=[
        {"type": "string", "format": "date"},
        {"type": "string", "format": "date-time", "pattern": TIMESTAMP_PATTERN},
    ],
    description="A date, or a timestamp with its zone and at most six decimals.",
)
def date_or_timestamp(value: Any) -> str:
    try:
        return normalise_date_or_timestamp(plain_text(value))
    except Bad:
        raise
    except ValueError as error:
        raise Bad("not_a_date", f"{error} This is a date (2021-11-25) or a timestamp.") from None


@field(
    type="string",
    format="date-time",
    pattern=TIMESTAMP_PATTERN,
    description="A timestamp with its zone and at most six decimals.",
)
def timestamp(value: Any) -> str:
    """A timestamp in the form that the gateway's own have: in UTC, with six digits (C4)."""
    try:
        return format_timestamp(parse_timestamp(plain_text(value)))
    except Bad:
        raise
    except ValueError as error:
        raise Bad("not_a_timestamp", str(error)) from None


money = field(type="number", minimum=-MAX_MONEY, maximum=MAX_MONEY, description="At most two decimals.")(_money)


def one_of(*allowed: str) -> Field:
    @field(type="string", enum=list(allowed))
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise Bad("not_allowed", f"This must be one of {', '.join(allowed)}.")
        return value

    return check


def whole_number(least: int, most: int) -> Field:
    return field(type="integer", minimum=least, maximum=most)(checks.whole_number(least, most))


def each(check: Field, least: int, most: int) -> Field:
    """A list whose every entry passes `check`; a bad one is named by its index."""

    @field(type="array", items=check.schema, minItems=least, maxItems=most)
    def check_list(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise Bad("wrong_type", "This must be a list.")
        if not least <= len(value) <= most:
            raise Bad("wrong_length", f"This must have {least} to {most} entries; it has {len(value)}.")
        checked, bads = [], []
        for index, given in enumerate(value):
            try:
                checked.append(check(given))
            except Bad as bad:
                bads.append(Bad(bad.code, bad.detail, (str(index), *bad.below)))
        if bads:
            raise Several(bads)
        return checked

    return check_list


def exactly(text: str) -> Field:
    """This very text."""
    return Field(one_of(text).check, {"type": "string", "const": text})


@field(type="boolean")
def truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Bad("wrong_type", "This must be true or false.")
    return value


def nullable(check: Field) -> Field:
    """`check`, or null."""
    schema = dict(check.schema)
    description = {"description": schema.pop("description")} if "description" in schema else {}
    kinds = [schema, {"type": "null"}]
    accept = check.check
    return Field(lambda value: None if value is None else accept(value), {"anyOf": kinds, **description})


def object_schema(fields: Mapping[str, Field], required: Iterable[str] = ()) -> dict[str, Any]:
    """The JSON Schema of what `check_object` takes."""
    return {
        "type": "object",
        "properties": {name: field.schema for name, field in fields.items()},
        "required": list(required),
        "additionalProperties": False,
    }
