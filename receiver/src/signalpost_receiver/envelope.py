"""Reads the body of an event (C1 to C13): every attribute by name and kind, and nothing but PayloadError raised.

What the contract may add later (attributes, event types, statuses) passes through; what it promises must be there.

Nearly every body is recognised as a whole (`usual_body`). Others are decoded and looked at attribute by attribute.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple

from .attributes import DOCUMENT, EVENT, VERSION, Kind
from .decoding import decode_noting_repeated
from .errors import DuplicateKey, Schema
from .event import Document, DocumentStatus, Event, EventType, Json, Version, draft_of
from .usual_body import read_usual

LINK_LIFETIME = timedelta(minutes=15)
"""How long a link to a version works, from the event's `createdAt` (C10)."""

MAX_ID_LENGTH = 256
"""The longest id of an event that is taken. The gateway's have 36 characters."""

_MAX_EXPONENT = 100
_TYPES = {kind.value: kind for kind in EventType}
_STATUSES = {kind.value: kind for kind in DocumentStatus}
_DATE_LENGTH = len("2021-11-25")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
# As the gateway writes it, which every Python version reads: so that most need no conversion.
_USUAL_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?\+00:00", re.ASCII).fullmatch
# Spelled out, because what `fromisoformat` accepts besides depends on the Python version.
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)", re.ASCII).fullmatch


class Hints(NamedTuple):
    """What comes beside the body, unsigned: see `Event`."""

    sequence: int | None = None
    attempt: int | None = None
    is_replay: bool = False
    is_test: bool = False


_DraftEvent, _DraftDocument, _DraftVersion = draft_of(Event), draft_of(Document), draft_of(Version)


def parse(body: bytes, hints: Hints = Hints()) -> Event:  # noqa: B008  # immutable
    """Read an event's body, which must have been verified before: this checks its form, not its origin.

    A name that comes twice is refused, except in `additionalFacts`: the page's own example has one there, and
    its last value counts.

    Raises InvalidJSON, TooDeep, DuplicateKey or Schema, for any bytes.
    """
    usual = read_usual(body)
    if usual is not None:
        return _event(usual, hints)
    value, repeated = decode_noting_repeated(body)
    event = event_of(value, hints)
    for each in repeated:
        if event.document is None or each is not event.document.additional_facts:
            raise DuplicateKey("an object in the body has a name more than once")
    return event


def event_of(value: Json, hints: Hints = Hints()) -> Event:  # noqa: B008  # immutable
    """Read an event that is decoded already. Raises Schema, for any value."""
    return _event(_checked(value), hints)


def _checked(value: Json) -> dict[str, Any]:
    """The value, if it is an event that has every attribute, each of its kind. Raises Schema."""
    event = _object(value, EVENT, "event")
    document = event["data"].get("document")
    if event["type"] in _TYPES or isinstance(document, dict):
        document = _object(document, DOCUMENT, "event.data.document")
        for name in ("latestVersion", "publishedVersion"):
            if document[name] is not None:
                _object(document[name], VERSION, f"event.data.document.{name}")
    return event


def _object(value: Json, wanted: dict[str, Kind], path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Schema(f"{path} is not an object")
    for name, (types, problem) in wanted.items():
        if name not in value:
            raise Schema(f"{path}.{name} is missing")
        if not isinstance(value[name], types) or isinstance(value[name], bool):
            raise Schema(f"{path}.{name} is {problem}")
    return value


def _event(value: dict[str, Any], hints: Hints) -> Event:
    draft: Any = _DraftEvent()
    draft.id = event_id = value["id"]
    if not 0 < len(event_id) <= MAX_ID_LENGTH:
        raise Schema(f"event.id is empty or longer than {MAX_ID_LENGTH} characters")
    draft.type = _TYPES.get(value["type"], value["type"])
    draft.created_at = created_at = _timestamp(value["createdAt"], "event.createdAt")
    draft.data = data = value["data"]
    content = data.get("document")
    draft.document = _document(content, created_at) if isinstance(content, dict) else None
    draft.extra = {} if len(value) == len(EVENT) else _unknown(value, EVENT)
    draft.sequence, draft.attempt, draft.is_replay, draft.is_test = hints
    draft.__class__ = Event
    event: Event = draft
    return event


def _document(value: dict[str, Any], event_created_at: datetime) -> Document:
    draft: Any = _DraftDocument()
    draft.type = value["type"]
    draft.title = value["title"]
    draft.status = _STATUSES.get(value["status"], value["status"])
    draft.created_at = _timestamp(value["createdAt"], "event.data.document.createdAt")
    draft.source_app = value["sourceApp"]
    draft.start_date = _day(value["startDate"], "event.data.document.startDate")
    executed_at = value["executedAt"]
    draft.executed_at = None if executed_at is None else _timestamp(executed_at, "event.data.document.executedAt")
    draft.expiry_date = _day(value["expiryDate"], "event.data.document.expiryDate")
    draft.external_id = value["externalId"]
    draft.owner_email = value["ownerEmail"]
    draft.author_email = value["authorEmail"]
    draft.reference_id = value["referenceId"]
    draft.contract_value = _amount(value["contractValue"])
    links_end = _link_expiry(event_created_at)
    draft.latest_version = _version(value["latestVersion"], links_end)
    draft.additional_facts = value["additionalFacts"]
    draft.counterparty_name = value["counterpartyName"]
    draft.published_version = _version(value["publishedVersion"], links_end)
    draft.extra = {} if len(value) == len(DOCUMENT) else _unknown(value, DOCUMENT)
    draft.__class__ = Document
    document: Document = draft
    return document


def _version(value: dict[str, Any] | None, expires_at: datetime) -> Version | None:
    if value is None:
        return None
    draft: Any = _DraftVersion()
    draft.number = value["number"]
    draft.download_url = value["downloadUrl"]
    draft.expires_at = expires_at
    draft.extra = {} if len(value) == len(VERSION) else _unknown(value, VERSION)
    draft.__class__ = Version
    version: Version = draft
    return version


def _unknown(value: dict[str, Any], known: dict[str, Kind]) -> dict[str, Json]:
    return {name: inner for name, inner in value.items() if name not in known}


def _link_expiry(created_at: datetime) -> datetime:
    try:
        return created_at + LINK_LIFETIME
    except OverflowError:
        raise Schema("event.createdAt is too late in the year 9999") from None


def _amount(value: Decimal | int | None) -> Decimal | None:
    if value is None:
        return None
    number = Decimal(value)
    # To turn 1e999999999 into an int takes for ever.
    if abs(number.adjusted()) > _MAX_EXPONENT:
        raise Schema("event.data.document.contractValue is beyond any amount of money")
    return number


def _day(text: str | None, path: str) -> date | datetime | None:
    if text is None:
        return None
    if len(text) != _DATE_LENGTH:
        return _timestamp(text, path)
    try:
        if _DATE(text):
            return date.fromisoformat(text)
    except ValueError:  # the 30th of February
        pass
    raise Schema(f"{path} is not a date")


def _timestamp(text: str, path: str) -> datetime:
    try:
        if _USUAL_TIMESTAMP(text):
            return datetime.fromisoformat(text)
        form = _TIMESTAMP(text)
        if form is not None:
            seconds, fraction, offset = form.groups("0")
            # As Python 3.10 wants it: six decimals, and no Z.
            moment = datetime.fromisoformat(f"{seconds}.{fraction:0<6}{'+00:00' if offset == 'Z' else offset}")
            return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):  # the 30th of February; beyond the year 1 or 9999 once in UTC
        pass
    raise Schema(f"{path} is not a timestamp with seconds and an offset from UTC")
