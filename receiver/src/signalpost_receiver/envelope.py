"""An event as typed values, and the names that the gateway and its receivers agree on (C1 to C13)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, DecimalException
from enum import StrEnum
from typing import NoReturn, TypeAlias, TypeVar

from .errors import InvalidJSON, Schema

Json: TypeAlias = "bool | int | Decimal | str | list[Json] | dict[str, Json] | None"
"""What JSON decodes to here. A number with a point or an exponent is a Decimal, so nothing is rounded."""

MAX_BODY_BYTES = 1024 * 1024
"""The longest body that the gateway sends (C13)."""

ENVELOPE_KEYS = ("id", "type", "createdAt", "data")
"""The attributes of an event, in the order of the body (C1)."""

DOCUMENT_KEYS = (
    "type",
    "title",
    "status",
    "createdAt",
    "sourceApp",
    "startDate",
    "executedAt",
    "expiryDate",
    "externalId",
    "ownerEmail",
    "authorEmail",
    "referenceId",
    "contractValue",
    "latestVersion",
    "additionalFacts",
    "counterpartyName",
    "publishedVersion",
)
"""The attributes of a document, in the order of the body (C7)."""

VERSION_KEYS = ("number", "downloadUrl")
"""The attributes of a version, in the order of the body (C9)."""


class EventType(StrEnum):
    """What happened (C3)."""

    DOCUMENT_CREATED = "documentCreated"
    DOCUMENT_UPDATED = "documentUpdated"
    DOCUMENT_DELETED = "documentDeleted"


class DocumentStatus(StrEnum):
    """Where a document stands in its workflow (C12)."""

    CREATED = "created"
    AWAITING_REVIEW = "awaitingReview"
    REVIEW_APPROVED = "reviewApproved"
    REVIEW_REJECTED = "reviewRejected"
    AWAITING_APPROVAL = "awaitingApproval"
    APPROVED = "approved"
    APPROVAL_REJECTED = "approvalRejected"
    AWAITING_SIGNATURE = "awaitingSignature"
    SIGNED_BY_CLIENT = "signedByClient"
    SIGNATURE_REJECTED = "signatureRejected"
    SIGNATURE_REQUEST_EXPIRED = "signatureRequestExpired"
    EXECUTED = "executed"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """One version of a document's file (C9)."""

    number: str
    """The version's number, such as `7.1`: a text, not a decimal number."""
    download_url: str
    """Works for 15 minutes from the event's `created_at`, whenever the event arrives (C10)."""
    extra: Mapping[str, Json] = field(default_factory=dict, hash=False)
    """Attributes that this release does not know, as they came."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A document's attributes as they were at the event (C7, C8). Timestamps are in UTC, to the microsecond.

    `start_date` and `expiry_date` are what a person gave: a date or a timestamp (C4). A datetime is a date to
    `isinstance`, so ask for datetime first.
    """

    type: str
    title: str
    status: DocumentStatus | str
    """A plain string only if this release does not know it. Either kind equals its name: `== "executed"`."""
    created_at: datetime
    source_app: str
    start_date: date | datetime | None
    executed_at: datetime | None
    expiry_date: date | datetime | None
    external_id: str
    """Names the document for as long as it exists (a UUID)."""
    owner_email: str
    author_email: str
    reference_id: str | None
    contract_value: Decimal | None
    """Exact, as it was written in the body."""
    latest_version: Version | None
    additional_facts: Mapping[str, Json] = field(hash=False)
    """Values are strings, numbers or booleans (C11). A name that comes twice has its last value."""
    counterparty_name: str | None
    published_version: Version | None
    extra: Mapping[str, Json] = field(default_factory=dict, hash=False)
    """Attributes that this release does not know, as they came."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One event (C1)."""

    id: str
    """The same on every attempt and replay of the event (C2): what a receiver recognises a duplicate by."""
    type: EventType | str
    """A plain string only if this release does not know it. Either kind equals its name."""
    created_at: datetime
    """In UTC, to the microsecond. Sorting by it gives the true order (C5)."""
    document: Document | None
    """None only for a type that this release does not know and that carries no document."""
    data: Mapping[str, Json] = field(hash=False, repr=False)
    """The event's `data` as it came: for types that this release does not know."""
    extra: Mapping[str, Json] = field(default_factory=dict, hash=False)
    """Attributes of the envelope that this release does not know, as they came."""


def parse(body: bytes) -> Event:
    """Read an event's body, which must have been verified before: this checks its form, not its origin.

    What the contract may add later (attributes, event types, statuses) passes through; what it promises must
    be there. Of a repeated name the last value counts.

    Raises InvalidJSON or Schema, whatever the bytes.
    """
    envelope = _Object(_decode(body), "event")
    event_type = _known(EventType, envelope.text("type"))
    data = _Object(envelope.take("data"), "event.data")
    content = data.values.get("document")
    required = isinstance(event_type, EventType)
    return Event(
        id=envelope.text("id"),
        type=event_type,
        created_at=envelope.timestamp("createdAt"),
        document=_document(content) if required or isinstance(content, dict) else None,
        data=data.values,
        extra=envelope.without(ENVELOPE_KEYS),
    )


def _decode(body: bytes) -> Json:
    try:
        # Decoded here because `json.loads` of bytes would guess UTF-16 and UTF-32 as well.
        decoded: Json = json.loads(body.decode(), parse_float=Decimal, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise InvalidJSON("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise InvalidJSON(f"the body is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise InvalidJSON("the body is nested too deeply") from None
    except (ValueError, DecimalException):
        raise InvalidJSON("the body has a number that cannot be read") from None
    return decoded


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError  # NaN and Infinity, which Python would read although they are not JSON


def _document(value: Json) -> Document:
    document = _Object(value, "event.data.document")
    return Document(
        type=document.text("type"),
        title=document.text("title"),
        status=_known(DocumentStatus, document.text("status")),
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
        latest_version=_version(document.take("latestVersion"), "event.data.document.latestVersion"),
        additional_facts=_Object(document.take("additionalFacts"), "event.data.document.additionalFacts").values,
        counterparty_name=document.optional_text("counterpartyName"),
        published_version=_version(document.take("publishedVersion"), "event.data.document.publishedVersion"),
        extra=document.without(DOCUMENT_KEYS),
    )


def _version(value: Json, path: str) -> Version | None:
    if value is None:
        return None
    version = _Object(value, path)
    return Version(
        number=version.text("number"),
        download_url=version.text("downloadUrl"),
        extra=version.without(VERSION_KEYS),
    )


_Known = TypeVar("_Known", bound=StrEnum)


def _known(kind: type[_Known], name: str) -> _Known | str:
    try:
        return kind(name)
    except ValueError:
        return name


_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
# Spelled out, because what `fromisoformat` accepts besides depends on the Python version.
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class _Object:
    """A JSON object whose attributes are taken by name and kind; `path` says where it is in the body."""

    def __init__(self, value: Json, path: str) -> None:
        if not isinstance(value, dict):
            raise Schema(f"{path} is not an object")
        self.values = value
        self._path = path

    def take(self, name: str) -> Json:
        if name not in self.values:
            raise self._wrong(name, "missing")
        return self.values[name]

    def without(self, names: tuple[str, ...]) -> dict[str, Json]:
        return {name: value for name, value in self.values.items() if name not in names}

    def text(self, name: str) -> str:
        value = self.take(name)
        if not isinstance(value, str):
            raise self._wrong(name, "not a string")
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self.take(name) is None else self.text(name)

    def number(self, name: str) -> Decimal | None:
        value = self.take(name)
        if value is None or isinstance(value, Decimal):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return Decimal(value)
        raise self._wrong(name, "neither a number nor null")

    def timestamp(self, name: str) -> datetime:
        text = self.text(name)
        try:
            if _TIMESTAMP.fullmatch(text):
                return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):  # the 30th of February; beyond the year 1 or 9999 once in UTC
            pass
        raise self._wrong(name, "not a timestamp with seconds and an offset from UTC")

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
