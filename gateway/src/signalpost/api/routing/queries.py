"""Query parameters: each route has a struct for them, as for its body, whose members say what each parameter may be.

A parameter that a request leaves out has its member's default; None means that it was left out.
"""

import base64
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Protocol, get_type_hints

from msgspec import Meta, Struct

from signalpost.domain.body import members_of_texts, read_by
from signalpost.domain.checks import Bad
from signalpost.domain.errors import FieldError, Invalid
from signalpost.domain.event import BY_WIRE
from signalpost.domain.timestamps import parse_timestamp

MAX_LIMIT: Final = 250
DEFAULT_LIMIT: Final = 50
MAX_IN_CURSOR: Final = 10**18 - 1
"""Every number of 18 digits fits into the 64 bits of a database."""


FromText = Any
"""The type of converted parameters: `Any`, or msgspec would describe what a text becomes instead of the text."""


class Query(Struct, frozen=True, kw_only=True, rename="camel"):
    """The parameters of a call that takes none, and the base of all others."""


def read_query(kind: type[Query], given: Sequence[tuple[str, str]]) -> Query:
    """The parameters of a query, each given at most once and checked. Raises Invalid naming every bad one."""
    members, named = members_of_texts(kind), dict(given)
    checked: dict[str, Any] = {}
    errors: list[FieldError] = []
    times = Counter(name for name, _ in given) if len(named) < len(given) else {}
    for name, value in named.items():
        if name not in members:
            detail = f"There is no such parameter here. Known: {', '.join(members) or 'none'}."
            errors.append(FieldError(f"?{name}", "unknown_parameter", detail))
            continue
        if times and times[name] > 1:
            errors.append(FieldError(f"?{name}", "duplicate", "Give this parameter once."))
        attribute, check = members[name]
        try:
            checked[attribute] = check(value)
        except Bad as bad:
            errors.append(FieldError(f"?{name}", bad.code, bad.detail))
    if errors:
        raise Invalid(errors)
    return kind(**checked)


def _moment(value: str) -> int:
    try:
        # An unescaped + in a query arrives as a space.
        return parse_timestamp(value.replace(" ", "+"))
    except ValueError as error:
        raise Bad("not_a_timestamp", str(error)) from None


Moment = Annotated[FromText, Meta(extra_json_schema={"type": "string", "format": "date-time"}, extra=read_by(_moment))]
"""A timestamp, in µs since 1970."""


def _event_types(value: str) -> int:
    if value not in BY_WIRE:
        raise Bad("not_allowed", f"This must be one of {', '.join(BY_WIRE)}.")
    return int(BY_WIRE[value])


EventTypes = Annotated[
    FromText, Meta(extra_json_schema={"type": "string", "enum": [*BY_WIRE]}, extra=read_by(_event_types))
]
"""The name of an event type, read as the set that has only this type."""


def bad_cursor() -> Bad:
    return Bad("bad_cursor", "This must be the `next` of an earlier page, unchanged.")


class HasNumber(Protocol):
    @property
    def number(self) -> int: ...


def write_cursor(position: Sequence[int] | None) -> str | None:
    if position is None:
        return None
    return base64.urlsafe_b64encode(".".join(map(str, position)).encode()).decode().rstrip("=")


def next_cursor(found: Sequence[HasNumber], limit: int) -> str | None:
    """The `next` of a page of rows that are ordered by their numbers; None if the page is not full."""
    return write_cursor((found[-1].number,)) if len(found) == limit else None


def cursor_to(position: Callable[..., Any], largest: int = MAX_IN_CURSOR) -> Meta:
    """Describes a cursor and reads it. `position` makes a list's position of whole numbers from 0 to `largest`: it is
    `int`, or a named tuple of as many numbers as the cursor has."""
    count = 1 if position is int else len(get_type_hints(position))
    numbers = re.compile(r"\d{1,18}" + r"\.\d{1,18}" * (count - 1), re.ASCII)

    def read(value: str) -> Any:
        try:
            written = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode("ascii")
            found = tuple(map(int, written.split("."))) if numbers.fullmatch(written) else ()
        except ValueError:
            found = ()
        if not found or max(found) > largest or write_cursor(found) != value:
            raise bad_cursor()
        return position(*found)

    schema = {"type": "string"}
    return Meta(description="The `next` of the page before.", extra_json_schema=schema, extra=read_by(read))


class ListQuery(Query, frozen=True):
    """How much of a list is asked for. Each list's own query adds its `cursor`."""

    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT


class PageQuery(ListQuery, frozen=True):
    """A page of a list that is ordered by one number."""

    cursor: Annotated[FromText, cursor_to(int)] = None
