"""Recognises the body of a usual event as a whole: the attributes that this release knows, in the contract's order and
of their kinds, written as the gateway writes them.

Nearly every body is one. A regular expression reads it in half the time that decoding and checking would take, and what
fits it needs no further check of its form: the expression has no room for an attribute more or less, for a name that
comes twice, or for anything nested. It takes every text to end at the next quotation mark, so a body with escapes is
left to `decoding`, as is every other that does not fit; a test holds both against each other.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from .attributes import AMOUNT_OR_NULL, DOCUMENT, OBJECT, TEXT, TEXT_OR_NULL, VERSION_OR_NULL
from .decoding import decode_flat

# Without these, a text in JSON stands for itself: a backslash begins an escape, and control characters are not allowed.
_NOT_PLAIN = b"\\" + bytes(range(32))
_WITHOUT_THEM = bytes.maketrans(_NOT_PLAIN, b" " * len(_NOT_PLAIN))

_TEXT = '"([^"]*)"'
_PATTERNS = {
    TEXT: _TEXT,
    TEXT_OR_NULL: f"(?:{_TEXT}|null)",
    AMOUNT_OR_NULL: r"(?:(-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,2})|null)",
    OBJECT: r"(\{[^{}[\]]*\})",
    VERSION_OR_NULL: rf'(?:\{{"number":{_TEXT},"downloadUrl":{_TEXT}\}}|null)',
}
_BEFORE_AMOUNT = list(DOCUMENT)[:12]


def _object(attributes: dict[str, str]) -> str:
    return r"\{" + ",".join(f'"{name}":{pattern}' for name, pattern in attributes.items()) + r"\}"


_DOCUMENT = _object({name: _PATTERNS[kind] for name, kind in DOCUMENT.items()})
_EVENT = re.compile(
    _object({"id": _TEXT, "type": _TEXT, "createdAt": _TEXT, "data": _object({"document": _DOCUMENT})})
).fullmatch


def read_usual(body: bytes) -> dict[str, Any] | None:
    """What the body decodes to if it is that of a usual event, otherwise None. Raises nothing."""
    if body != body.translate(_WITHOUT_THEM):
        return None
    try:
        found = _EVENT(body.decode())
    except UnicodeDecodeError:
        return None
    if found is None:
        return None
    event_id, event_type, created, *texts, amount, latest, latest_url, facts, counterparty, published, published_url = (
        found.groups()
    )
    additional_facts = decode_flat(facts)
    if additional_facts is None:
        return None
    document: dict[str, Any] = dict(zip(_BEFORE_AMOUNT, texts, strict=True))
    document["contractValue"] = None if amount is None else Decimal(amount)
    document["latestVersion"] = _version(latest, latest_url)
    document["additionalFacts"] = additional_facts
    document["counterpartyName"] = counterparty
    document["publishedVersion"] = _version(published, published_url)
    return {"id": event_id, "type": event_type, "createdAt": created, "data": {"document": document}}


def _version(number: str | None, download_url: str) -> dict[str, str] | None:
    return None if number is None else {"number": number, "downloadUrl": download_url}
