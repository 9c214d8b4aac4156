"""The attributes that an event has, each with its kind (C1 to C13), in the contract's order."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple


class Kind(NamedTuple):
    """What an attribute's value may be."""

    types: tuple[type, ...]
    problem: str
    """What an error says of a value of another kind."""


_NULL = type(None)
TEXT = Kind((str,), "not a string")
TEXT_OR_NULL = Kind((str, _NULL), "neither a string nor null")
AMOUNT_OR_NULL = Kind((Decimal, int, _NULL), "neither a number nor null")
OBJECT = Kind((dict,), "not an object")
VERSION_OR_NULL = Kind((dict, _NULL), "neither an object nor null")

EVENT = {"id": TEXT, "type": TEXT, "createdAt": TEXT, "data": OBJECT}
DOCUMENT = {
    "type": TEXT,
    "title": TEXT,
    "status": TEXT,
    "createdAt": TEXT,
    "sourceApp": TEXT,
    "startDate": TEXT_OR_NULL,
    "executedAt": TEXT_OR_NULL,
    "expiryDate": TEXT_OR_NULL,
    "externalId": TEXT,
    "ownerEmail": TEXT,
    "authorEmail": TEXT,
    "referenceId": TEXT_OR_NULL,
    "contractValue": AMOUNT_OR_NULL,
    "latestVersion": VERSION_OR_NULL,
    "additionalFacts": OBJECT,
    "counterpartyName": TEXT_OR_NULL,
    "publishedVersion": VERSION_OR_NULL,
}
VERSION = {"number": TEXT, "downloadUrl": TEXT}
