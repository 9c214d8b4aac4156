"""An event as typed values, and the names that the gateway and its receivers agree on (C1 to C13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias, Union

Json: TypeAlias = Union[bool, int, Decimal, str, "list[Json]", "dict[str, Json]", None]  # Python 3.10
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


class Name(str, Enum):
    """A name of a list that may grow; it is equal to the plain string, and shown as one."""

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return format(str(self.value), spec)


class EventType(Name):
    """What happened (C3)."""

    DOCUMENT_CREATED = "documentCreated"
    DOCUMENT_UPDATED = "documentUpdated"
    DOCUMENT_DELETED = "documentDeleted"


class DocumentStatus(Name):
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
    """Serves the file until `expires_at`."""
    expires_at: datetime
    """15 minutes after the event's `created_at`, whenever the event arrives (C10). A link of an imported document is
    the other system's, and may work for longer."""
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
    """One event (C1). `sequence`, `attempt`, `is_replay` and `is_test` come from headers, which are not signed."""

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
    sequence: int | None = None
    """The event's number in its tenant's log (C18), 0 for a sample; None if the request did not say."""
    attempt: int | None = None
    """How often the event has been sent, this time included (C18); None if the request did not say."""
    is_replay: bool = False
    """Whether a person or program asked for the event to be sent again (C18)."""
    is_test: bool = False
    """Whether the event is a sample that tests the endpoint, and nothing happened (C18)."""


if TYPE_CHECKING:

    @dataclass(frozen=True, kw_only=True, slots=True)
    class DocumentEvent(Event):
        """An event of a type that always has a document (C6), as the handlers of such types get it."""

        document: Document

else:
    DocumentEvent = Event  # one class, so that an event is equal to itself, whichever it is handed over as


def draft_of(kind: type[Any]) -> type[Any]:
    """A class like `kind`, one of the above, whose instances can be filled, and made instances of `kind` then.

    A frozen dataclass takes each attribute through a call, which would be a fifth of all that reading an event costs.
    """
    return type(f"Draft{kind.__name__}", (), {"__slots__": kind.__slots__})
