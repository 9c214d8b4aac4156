"""Reads the body of an event (C1 to C13): every attribute by name and kind, and nothing but PayloadError raised.

What the contract may add later (attributes, event types, statuses) passes through; what it promises must be there.

Nearly every event has exactly the attributes that this release knows, in the contract's order. Such objects are
recognised as a whole (`_Form`); others are read attribute by attribute, with the same result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import product
from typing import Any, NamedTuple

from .decoding import check, decode, decode_noting_repeated
from .errors import DuplicateKey, Schema
from .event import Document, DocumentStatus, Event, EventType, Json, Version, draft_of

LINK_LIFETIME = timedelta(minutes=15)
"""How long a link to a version works, from the event's `createdAt` (C10)."""

MAX_ID_LENGTH = 256
"""The longest id of an event that is taken. The gateway's have 36 characters."""

_MAX_EXPONENT = 100
_TYPES = {kind.value: kind for kind in EventType}
_STATUSES = {kind.value: kind for kind in DocumentStatus}
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


class _Kind(NamedTuple):
    types: tuple[type, ...]
    problem: str


_NULL = type(None)
_TEXT = _Kind((str,), "not a string")
_TEXT_OR_NULL = _Kind((str, _NULL), "neither a string nor null")
_AMOUNT = _Kind((Decimal, int, _NULL), "neither a number nor null")
_OBJECT = _Kind((dict,), "not an object")
_OBJECT_OR_NULL = _Kind((dict, _NULL), "neither an object nor null")


class _Form:
    """Which attributes an object must have, and of which kinds."""

    def __init__(self, **kinds: _Kind) -> None:
        self._kinds = kinds
        self._names = tuple(kinds)
        # Every combination of kinds that is right, with how many texts and names in quotation marks it has.
        self._right = {
            types: len(types) + types.count(str) for types in product(*(kind.types for kind in kinds.values()))
        }

    def read(self, value: Json, path: str) -> tuple[Iterable[Any], dict[str, Json], int]:
        """The values of the attributes, in their order; the object's other attributes; and how many texts and names in
        quotation marks were counted. `path` says where the object is in the body. Raises Schema.
        """
        if isinstance(value, dict) and tuple(value) == self._names:
            quoted = self._right.get(tuple(map(type, value.values())))
            if quoted is not None:
                return value.values(), {}, quoted
        return self._each(value, path)

    def _each(self, value: Json, path: str) -> tuple[Iterable[Any], dict[str, Json], int]:
        if not isinstance(value, dict):
            raise Schema(f"{path} is not an object")
        for name, (types, problem) in self._kinds.items():
            if name not in value:
                raise Schema(f"{path}.{name} is missing")
            if not isinstance(value[name], types) or isinstance(value[name], bool):
                raise Schema(f"{path}.{name} is {problem}")
        others = {name: inner for name, inner in value.items() if name not in self._kinds}
        return [value[name] for name in self._names], others, 0


_ENVELOPE = _Form(id=_TEXT, type=_TEXT, createdAt=_TEXT, data=_OBJECT)
_DOCUMENT = _Form(
    type=_TEXT,
    title=_TEXT,
    status=_TEXT,
    createdAt=_TEXT,
    sourceApp=_TEXT,
    startDate=_TEXT_OR_NULL,
    executedAt=_TEXT_OR_NULL,
    expiryDate=_TEXT_OR_NULL,
    externalId=_TEXT,
    ownerEmail=_TEXT,
    authorEmail=_TEXT,
    referenceId=_TEXT_OR_NULL,
    contractValue=_AMOUNT,
    latestVersion=_OBJECT_OR_NULL,
    additionalFacts=_OBJECT,
    counterpartyName=_TEXT_OR_NULL,
    publishedVersion=_OBJECT_OR_NULL,
)
_VERSION = _Form(number=_TEXT, downloadUrl=_TEXT)

_DraftEvent, _DraftDocument, _DraftVersion = draft_of(Event), draft_of(Document), draft_of(Version)


def parse(body: bytes, hints: Hints = Hints()) -> Event:  # noqa: B008  # immutable
    """Read an event's body, which must have been verified before: this checks its form, not its origin.

    A name that comes twice is refused, except in `additionalFacts`: the page's own example has one there, and
    its last value counts.

    Raises InvalidJSON, TooDeep, DuplicateKey or Schema, whatever the bytes.
    """
    value = decode(body)
    reader = _Reader()
    try:
        event = reader.event(value, hints)
    except Schema:
        check(value)  # what is wrong with the JSON comes first
        raise
    if not _is_plain(body, reader.names_and_texts):
        check(value)
        _refuse_repeated(body)
    return event


def event_of(value: Json, hints: Hints = Hints()) -> Event:  # noqa: B008  # immutable
    """Read an event that is decoded already. Raises Schema, whatever the value."""
    return _Reader().event(value, hints)


def _is_plain(body: bytes, names_and_texts: int) -> bool:
    """Whether nothing can be wrong with the body's JSON, because nothing is in it but what was read.

    Without escapes, each quotation mark begins or ends a name or a text. If there are no more of them than what was
    read has, then no name came twice, since only the last of equal names is read; and there is no other object, except
    empty ones. Without arrays, nothing is nested deeply then.
    """
    return b"\\" not in body and b"[" not in body and body.count(b'"') == 2 * names_and_texts


def _refuse_repeated(body: bytes) -> None:
    value, repeated = decode_noting_repeated(body)
    if repeated:
        document = event_of(value).document
        for each in repeated:
            if document is None or each is not document.additional_facts:
                raise DuplicateKey("an object in the body has a name more than once")


class _Reader:
    """Reads one event, and counts the names and texts in it, those of objects with unusual attributes left out."""

    __slots__ = ("names_and_texts",)

    def __init__(self) -> None:
        self.names_and_texts = 0

    def event(self, value: Json, hints: Hints) -> Event:
        (event_id, type_name, created_at, data), extra, count = _ENVELOPE.read(value, "event")
        if not 0 < len(event_id) <= MAX_ID_LENGTH:
            raise Schema(f"event.id is empty or longer than {MAX_ID_LENGTH} characters")
        event_type = _TYPES.get(type_name)
        content = data.get("document")
        draft: Any = _DraftEvent()
        draft.id = event_id
        draft.type = type_name if event_type is None else event_type
        draft.created_at = created_at = _timestamp(created_at, "event.createdAt")
        has_document = event_type is not None or isinstance(content, dict)
        draft.document = self._document(content, created_at) if has_document else None
        draft.data = data
        draft.extra = extra
        draft.sequence, draft.attempt, draft.is_replay, draft.is_test = hints
        draft.__class__ = Event
        self.names_and_texts += count + len(data)
        event: Event = draft
        return event

    def _document(self, value: Json, event_created_at: datetime) -> Document:
        draft: Any = _DraftDocument()
        (
            (
                draft.type,
                draft.title,
                status,
                created_at,
                draft.source_app,
                start_date,
                executed_at,
                expiry_date,
                draft.external_id,
                draft.owner_email,
                draft.author_email,
                draft.reference_id,
                contract_value,
                latest_version,
                draft.additional_facts,
                draft.counterparty_name,
                published_version,
            ),
            draft.extra,
            count,
        ) = _DOCUMENT.read(value, "event.data.document")
        draft.status = _STATUSES.get(status, status)
        draft.created_at = _timestamp(created_at, "event.data.document.createdAt")
        draft.start_date = None if start_date is None else _day(start_date, "event.data.document.startDate")
        draft.executed_at = None if executed_at is None else _timestamp(executed_at, "event.data.document.executedAt")
        draft.expiry_date = None if expiry_date is None else _day(expiry_date, "event.data.document.expiryDate")
        draft.contract_value = None if contract_value is None else _amount(contract_value)
        links_end = _link_expiry(event_created_at)
        draft.latest_version = self._version(latest_version, "event.data.document.latestVersion", links_end)
        draft.published_version = self._version(published_version, "event.data.document.publishedVersion", links_end)
        draft.__class__ = Document
        facts = draft.additional_facts
        self.names_and_texts += count + len(facts) + list(map(type, facts.values())).count(str)
        document: Document = draft
        return document

    def _version(self, value: Json, path: str, expires_at: datetime) -> Version | None:
        if value is None:
            return None
        draft: Any = _DraftVersion()
        (draft.number, draft.download_url), draft.extra, count = _VERSION.read(value, path)
        self.names_and_texts += count
        draft.expires_at = expires_at
        draft.__class__ = Version
        version: Version = draft
        return version


def _link_expiry(created_at: datetime) -> datetime:
    try:
        return created_at + LINK_LIFETIME
    except OverflowError:
        raise Schema("event.createdAt is too late in the year 9999") from None


def _amount(value: Decimal | int) -> Decimal:
    number = Decimal(value)
    # Whoever turns 1e999999999 into an int waits for ever.
    if abs(number.adjusted()) > _MAX_EXPONENT:
        raise Schema("event.data.document.contractValue is beyond any amount of money")
    return number


def _day(text: str, path: str) -> date | datetime:
    if not _DATE(text):
        return _timestamp(text, path)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Schema(f"{path} is not a date") from None


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
