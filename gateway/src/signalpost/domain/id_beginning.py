"""Ids of which only the beginning is known."""

from typing import Final, NamedTuple

from signalpost.domain import fields
from signalpost.domain.checks import Bad

SHORTEST: Final = 8
"""How many characters a text has at least that is looked for as the beginning of an id: all before its first hyphen."""


class Ids(NamedTuple):
    """All ids from one to another."""

    first: str
    last: str


def ids_beginning_with(text: str) -> Ids | None:
    """The ids that begin with a text; None if it is too short or no id can."""
    if len(text) < SHORTEST:
        return None
    try:
        return Ids(
            *(fields.uuid(text + (each * 8 + f"-{each * 4}" * 3 + f"-{each * 12}")[len(text) :]) for each in "0f")
        )
    except Bad:
        return None
