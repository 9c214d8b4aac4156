"""What answers about documents, events, workflow and history look like.

Documents are encoded where they are decided; their shapes here add what only the API knows.
"""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from signalpost.api.routing.shapes.service import Problem
from signalpost.api.routing.shapes.shape import Cursor, Shape
from signalpost.domain.documents import document
from signalpost.domain.documents.workflow import ActionName, ParticipantDecision, Status
from signalpost.domain.event import EventTypeName
from signalpost.domain.fields import Timestamp, Uuid
from signalpost.domain.operations.notices import Notice


class DocumentState(document.Document, frozen=True, kw_only=True, rename="camel"):
    """A document at some moment."""


class Document(DocumentState, frozen=True, kw_only=True):
    updated_at: Timestamp


class DocumentPage(Shape, frozen=True):
    data: list[Document]
    next: Cursor


class Number(Shape, frozen=True):
    number: str


class KeptVersion(Shape, frozen=True):
    """A version that the gateway keeps itself."""

    number: str
    published_as: Annotated[str | None, Meta(description="For a draft: the version number that it was published as.")]
    content_type: Annotated[str, Meta(description="Detected from the content, whatever the uploader declared.")]
    size: Annotated[int, Meta(description="Size in bytes.")]
    sha256: str
    created_at: Timestamp
    created_by: Annotated[str, Meta(description="Name of the API key that uploaded it.")]
    download_url: Annotated[str, Meta(description="Download link, valid for 15 minutes.")]


class VersionPage(Shape, frozen=True):
    data: list[KeptVersion]
    next: Cursor


class KnownState(Shape, frozen=True):
    """What the gateway knows of a document that a deletion did not change."""

    external_id: Uuid
    source_version: Annotated[int, Meta(description="The highest that the source system has named.")]
    deleted: Annotated[bool, Meta(description="False if a later state than the deletion is known.")]


class ImportedLine(Shape, frozen=True):
    line: Annotated[int, Meta(description="Number of the line in the request, counted from 1.")]
    status: Annotated[int, Meta(description="Status code that importing this line alone would get.")]
    external_id: Uuid | None
    changed: bool | UnsetType = UNSET
    problem: "Problem | UnsetType" = UNSET


class EventDocument(DocumentState, frozen=True):
    """The document as it was at the event."""


class EventData(Shape, frozen=True):
    document: Annotated[
        EventDocument | None | UnsetType, Meta(description="Null once the document was erased; a notice has none.")
    ] = UNSET
    notice: Annotated[Notice | UnsetType, Meta(description="Only in the tenant `operations`.")] = UNSET

    @property
    def kept_document(self) -> EventDocument | None:
        """The document; None once it was erased, and of a notice."""
        return None if self.document is UNSET else self.document


class Event(Shape, frozen=True):
    id: Uuid
    type: EventTypeName
    created_at: Timestamp
    data: EventData


class LogEntry(Shape, frozen=True):
    sequence: int
    by: Annotated[
        str | None,
        Meta(description="Name of the API key that asked for the change; null if no key did, or if it is unknown."),
    ]
    event: Event


class Feed(Shape, frozen=True):
    data: list[LogEntry]
    last: Annotated[int, Meta(description="Pass it as `after` to continue.")]
    next: Annotated[
        int | None | UnsetType,
        Meta(description="With `before` only: pass it as `before` to read further back; null at the oldest event."),
    ] = UNSET


class EventArrivals(Shape, frozen=True):
    """How many of the subscriptions that wanted an event got it, still wait for it, or will not get it. If the tenant
    has more than 1,000 subscriptions, only `failed` is counted; the others are null."""

    sequence: int
    delivered: int | None
    waiting: Annotated[
        int | None, Meta(description="Number of subscriptions that it was not sent to yet, or that await a retry.")
    ]
    failed: Annotated[
        int,
        Meta(
            description="Number of subscriptions for which it was given up. If the others are null, 100 is 100 or more."
        ),
    ]
    skipped: Annotated[
        int | None, Meta(description="Number of subscriptions whose condition or kind left nothing to send.")
    ]


class ArrivalsOfEvents(Shape, frozen=True):
    data: list[EventArrivals]


# --- Workflow and history ---------------------------------------------------------------------------------------------


class Participant(Shape, frozen=True):
    email: str
    decision: ParticipantDecision | None
    decided_at: Timestamp | None
    reason: str | None


class Workflow(Shape, frozen=True):
    status: Status
    allowed: Annotated[list[ActionName], Meta(description="The actions that are allowed now.")]
    participants: Annotated[list[Participant], Meta(description="The people asked most recently; empty if not known.")]
    awaited: Annotated[list[str], Meta(description="The participants who have not decided yet.")]
    expires_at: Annotated[Timestamp | None, Meta(description="When the signature request expires.")]
    status_before: Annotated[
        Status | None, Meta(description="For a paused document: the status that `resume` restores.")
    ]


class HistoryEvent(Shape, frozen=True):
    id: Uuid
    type: EventTypeName
    sequence: int


class HistoryEntry(Shape, frozen=True):
    at: Timestamp
    action: Annotated[
        str,
        Meta(
            description="A workflow action, or `create`, `update`, `import`, `delete`, `upload`, `publish`, `expire`."
        ),
    ]
    key: Annotated[str | None, Meta(description="Name of the API key that made the change; null if no key did.")]
    by: Annotated[str | None, Meta(description="The person who decided.")]
    reason: str | None
    participants: Annotated[list[str], Meta(description="The people who were asked to decide.")]
    expires_at: Timestamp | None
    version: Annotated[str | None, Meta(description="The version that was uploaded or published.")]
    status: Annotated[Status, Meta(description="The document's status after this step.")]
    event: Annotated[HistoryEvent | None, Meta(description="Null if no attribute of the document changed.")]


class HistoryPage(Shape, frozen=True):
    data: list[HistoryEntry]
    next: Cursor
