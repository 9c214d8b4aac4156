"""Reads the body of an event (C1 to C13): every attribute by name and kind, and nothing but PayloadError raised.

What the contract may add later (attributes, event types, statuses) passes through; what it promises must be there.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import NamedTuple

from .decoding import Repeated, decode
from .errors import DuplicateKey, Schema
from .event import (
    DOCUMENT_KEYS,
    ENVELOPE_KEYS,
    VERSION_KEYS,
    Document,
    DocumentStatus,
    Event,
    EventType,
    Json,
    Version,
)

LINK_LIFETIME = timedelta(minutes=15)
"""How long a link to a version works, from the event's `createdAt` (C10)."""

MAX_ID_LENGTH = 256
"""The longest id of an event that is taken. The gateway's have 36 characters."""

_MAX_EXPONENT = 100
_TYPES = {kind.value: kind for kind in EventType}
_STATUSES = {kind.value: kind for kind in DocumentStatus}
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
# As the gateway writes it, which every Python version reads: so that most need no conversion.
_USUAL_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?\+00:00", re.ASCII).fullmatch
# Spelled out, because what `fromisoformat` accepts besides depends on the Python version.
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Hints(NamedTuple):
    """What comes beside the body, unsigned: see `Event`."""

    sequence: int | None = None
    attempt: int | None = None
    is_replay: bool = False
    is_test: bool = False


def parse(body: bytes, hints: Hints = Hints()) -> Event:  # noqa: B008  # immutable
    """Read an event's body, which must have been verified before: this checks its form, not its origin.

    A name that comes twice is refused, except in `additionalFacts`: the page's own example has one there, and
    its last value counts.

    Raises InvalidJSON, TooDeep, DuplicateKey or Schema, whatever the bytes.
    """
    value, repeated = decode(body)
    event = event_of(value, hints)
    _refuse_repeated(repeated, event.document)
    return event


def event_of(value: Json, hints: Hints = Hints()) -> Event:  # noqa: B008  # immutable
    """Read an event that is decoded already. Raises Schema, whatever the value."""
    envelope = _Object(value, "event")
    event_id = envelope.text("id")
    if not 0 < len(event_id) <= MAX_ID_LENGTH:
        raise Schema(f"event.id is empty or longer than {MAX_ID_LENGTH} characters")
    type_name = envelope.text("type")
    event_type = _TYPES.get(type_name)
    created_at = envelope.timestamp("createdAt")
    data = _Object(envelope.take("data"), "event.data")
    content = data.values.get("document")
    needed = event_type is not None or isinstance(content, dict)
    document = _document(content, created_at) if needed else None
    return Event(
        id=event_id,
        type=type_name if event_type is None else event_type,
        created_at=created_at,
        document=document,
        data=data.values,
        extra=envelope.without(ENVELOPE_KEYS),
        sequence=hints.sequence,
        attempt=hints.attempt,
        is_replay=hints.is_replay,
        is_test=hints.is_test,
    )


def _refuse_repeated(repeated: list[Repeated], document: Document | None) -> None:
    for each in repeated:
        if document is None or each.values is not document.additional_facts:
            raise DuplicateKey("an object in the body has a name more than once")


def _document(value: Json, created_at: datetime) -> Document:
    document = _Object(value, "event.data.document")
    status = document.text("status")
    expires_at = _link_expiry(created_at)
    return Document(
        type=document.text("type"),
        title=document.text("title"),
        status=_STATUSES.get(status, status),
        created_at=document.timestamp("createdAt"),
        source_app=document.text("sourceApp"),
        start_date=document.day("startDate"),
        executed_at=document.optional_timestamp("executedAt"),
        expiry_date=document.day("expiryDate"),
        external_id=document.text("externalId"),
        owner_email=document.text("ownerEmail"),
        author_email=document.text("authorEmail"),
        reference_id=document.optional_text("referenceId"),
        contract_value=document.number("contractValue"),
        latest_version=_version(document, "latestVersion", expires_at),
        additional_facts=_Object(document.take("additionalFacts"), "event.data.document.additionalFacts").values,
        counterparty_name=document.optional_text("counterpartyName"),
        published_version=_version(document, "publishedVersion", expires_at),
        extra=document.without(DOCUMENT_KEYS),
    )


def _link_expiry(created_at: datetime) -> datetime:
    try:
        return created_at + LINK_LIFETIME
    except OverflowError:
        raise Schema("event.createdAt is too late in the year 9999") from None


def _version(document: _Object, name: str, expires_at: datetime) -> Version | None:
    value = document.take(name)
    if value is None:
        return None
    version = _Object(value, f"event.data.document.{name}")
    return Version(
        number=version.text("number"),
        download_url=version.text("downloadUrl"),
        expires_at=expires_at,
        extra=version.without(VERSION_KEYS),
    )


class _Object:
    """A JSON object whose attributes are taken by name and kind; `path` says where it is in the body."""

    __slots__ = ("_path", "values")

    def __init__(self, value: Json, path: str) -> None:
        if not isinstance(value, dict):
            raise Schema(f"{path} is not an object")
        self.values = value
        self._path = path

    def take(self, name: str) -> Json:
        try:
            return self.values[name]
        except KeyError:
            raise self._wrong(name, "missing") from None

    def without(self, names: tuple[str, ...]) -> dict[str, Json]:
        """The attributes besides `names`, all of which are there: so that usually none is left to look for."""
        if len(self.values) == len(names):
            return {}
        return {name: value for name, value in self.values.items() if name not in names}

    def text(self, name: str) -> str:
        value = self.values.get(name)
        if isinstance(value, str):
            return value
        self.take(name)
        raise self._wrong(name, "not a string")

    def optional_text(self, name: str) -> str | None:
        value = self.values.get(name)
        if isinstance(value, str):
            return value
        if self.take(name) is None:
            return None
        raise self._wrong(name, "neither a string nor null")

    def number(self, name: str) -> Decimal | None:
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise self._wrong(name, "neither a number nor null")
        number = Decimal(value)
        # Whoever turns 1e999999999 into an int waits for ever.
        if abs(number.adjusted()) > _MAX_EXPONENT:
            raise self._wrong(name, "beyond any amount of money")
        return number

    def timestamp(self, name: str) -> datetime:
        moment = _moment(self.text(name))
        if moment is None:
            raise self._wrong(name, "not a timestamp with seconds and an offset from UTC")
        return moment

    def optional_timestamp(self, name: str) -> datetime | None:
        return None if self.take(name) is None else self.timestamp(name)

    def day(self, name: str) -> date | datetime | None:
        value = self.take(name)
        if not isinstance(value, str) or not _DATE.fullmatch(value):
            return self.optional_timestamp(name)
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise self._wrong(name, "not a date") from None

    def _wrong(self, name: str, problem: str) -> Schema:
        return Schema(f"{self._path}.{name} is {problem}")


def _moment(text: str) -> datetime | None:
    try:
        if _USUAL_TIMESTAMP(text):
            return datetime.fromisoformat(text)
    except ValueError:
        return None
    form = _TIMESTAMP.fullmatch(text)
    if form is None:
        return None
    seconds, fraction, offset = form.groups("0")
    try:
        # As Python 3.10 wants it: six decimals, and no Z.
        moment = datetime.fromisoformat(f"{seconds}.{fraction:0<6}{'+00:00' if offset == 'Z' else offset}")
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):  # the 30th of February; beyond the year 1 or 9999 once in UTC
        return None
