"""Commands that create, patch, delete and import documents."""

from enum import Enum, auto
from typing import ClassVar, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from signalpost.commands.command import Asked, BatchView, Decision, IdempotencyKey, Reads, Stamp
from signalpost.commands.command_queues import Queue
from signalpost.domain.documents import document
from signalpost.domain.documents.bodies import DocumentPatch, NewDocument, Snapshot
from signalpost.domain.documents.document import Document, DocumentRow, Version
from signalpost.domain.documents.history import ChangeCause, Origin
from signalpost.domain.documents.version import read_number
from signalpost.domain.errors import Conflict, PreconditionFailed
from signalpost.domain.event import EventType
from signalpost.domain.timestamps import format_timestamp

R = TypeVar("R")


class DocumentCreated(Struct, frozen=True, gc=False):
    row: DocumentRow


class DocumentPatched(Struct, frozen=True, gc=False):
    """`row` is the document after the patch, also where the patch changed nothing."""

    row: DocumentRow


class DocumentDeleted(Struct, frozen=True, gc=False):
    """`row` is the tombstone."""

    row: DocumentRow


class ImportEffect(Enum):
    """What a snapshot changed."""

    CREATED = auto()
    UPDATED = auto()
    UNCHANGED = auto()


class DocumentImported(Struct, frozen=True, gc=False):
    """`row` is the document after the import, also where the import changed nothing."""

    row: DocumentRow
    effect: ImportEffect


class DocumentCommand(Asked, frozen=True, kw_only=True):
    queue: ClassVar[Queue] = Queue.DOCUMENT
    audited_as: ClassVar[str | None] = None
    """Documents have a history, which tells who changed them."""
    tenant_id: int
    document_id: str
    idempotency: IdempotencyKey | None = None
    if_match: frozenset[str] | None = None
    """ETags, one of which the document must have (`If-Match`); None if its state does not matter."""
    caller: int | None = None
    """The number of the API key that asks; None for the gateway itself and for a program that embeds it."""

    @property
    def reads(self) -> Reads:
        return Reads(document=(self.tenant_id, self.document_id))

    def _row(self, view: BatchView) -> DocumentRow | None:
        return view.documents.get((self.tenant_id, self.document_id))

    def _found(self, view: BatchView) -> DocumentRow:
        """The document that the command changes. Raises NotFound and PreconditionFailed."""
        row = document.require_live(self._row(view))
        check_precondition(self.if_match, row.etag)
        return row

    def _changed(
        self, row: DocumentRow, event: EventType, cause: ChangeCause, result: R, before: bytes = b""
    ) -> Decision[R]:
        """The decision to keep a new row and to make an event of it. `before` is as in `Decision`."""
        return Decision(
            result=result,
            document=row,
            event=event,
            event_document=row.body,
            before=before,
            origin=Origin(cause, self.caller),
        )


class CreateDocument(DocumentCommand, frozen=True, kw_only=True):
    """`document_id` is the id of the new document."""

    new: NewDocument
    source_app: str

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[DocumentCreated]:
        made = document.created(self.new, self.document_id, self.source_app, format_timestamp(stamp.at))
        row = document.new_row(made, 1, stamp.at)
        return self._changed(row, EventType.CREATED, ChangeCause.CREATE, DocumentCreated(row))


class PatchDocument(DocumentCommand, frozen=True, kw_only=True):
    """A patch that changes nothing makes no event."""

    patch: DocumentPatch

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[DocumentPatched]:
        row = self._found(view)
        before = document.decode(row.body)
        changes = document.changes(before, self.patch)
        changed = document.next_row(row, replace(before, **changes), stamp.at)
        if changed.body == row.body:
            return Decision(result=DocumentPatched(row))
        former = document.overwritten(before, changes)
        return self._changed(changed, EventType.UPDATED, ChangeCause.UPDATE, DocumentPatched(changed), former)


class DeleteDocument(DocumentCommand, frozen=True, kw_only=True):
    audited_as: ClassVar[str | None] = "document.delete"

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[DocumentDeleted]:
        row = self._found(view)
        gone = document.tombstone(row, stamp.at)
        before = document.decode(row.body)
        last = document.deleted(before)
        return Decision(
            result=DocumentDeleted(gone),
            document=gone,
            event=EventType.DELETED,
            event_document=document.encode(last),
            before=document.former_values(before, last),
            origin=Origin(ChangeCause.DELETE, self.caller),
        )


class ImportDocument(DocumentCommand, frozen=True, kw_only=True):
    """Takes over a whole document from the system that keeps it. The snapshot with the highest `source_version` wins;
    without a `source_version` the last one wins.

    While the status stays the same, the workflow goes on. A new status begins without a workflow.
    """

    snapshot: Snapshot
    source_version: int | None

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[DocumentImported]:
        row = self._row(view)
        snapshot = document.snapshot(self.snapshot, self.document_id)
        if row is None:
            check_precondition(self.if_match, None)
            return self._created(document.new_row(snapshot, 1, stamp.at, self.source_version))
        if row.deleted_at is not None:
            check_precondition(self.if_match, None)
            self._check_revival(row)
            known = replace(row, source_version=self.source_version)
            return self._created(document.next_row(known, snapshot, stamp.at))
        check_precondition(self.if_match, row.etag)
        if self._is_older_than(row):
            return Decision(result=DocumentImported(row, ImportEffect.UNCHANGED))
        known = row if self.source_version is None else replace(row, source_version=self.source_version)
        if row.last_number is not None:  # otherwise the gateway keeps no version of this document
            snapshot = self._with_own_versions(view, document.decode(row.body), snapshot)
        changed = document.next_row(known, snapshot, stamp.at)
        if changed.body == row.body:
            result = DocumentImported(known, ImportEffect.UNCHANGED)
            return Decision(result=result, document=known if known != row else None)
        result = DocumentImported(changed, ImportEffect.UPDATED)
        former = document.former_values(document.decode(row.body), snapshot)
        return self._changed(changed, EventType.UPDATED, ChangeCause.IMPORT, result, former)

    def _created(self, row: DocumentRow) -> Decision[DocumentImported]:
        return self._changed(row, EventType.CREATED, ChangeCause.IMPORT, DocumentImported(row, ImportEffect.CREATED))

    def _with_own_versions(self, view: BatchView, before: Document, snapshot: Document) -> Document:
        """The snapshot with the versions that the gateway keeps. The source does not know them: it names no version, or
        the very link that it got from this gateway."""
        return replace(
            snapshot,
            latest_version=self._version(view, before.latest_version, snapshot.latest_version),
            published_version=self._version(view, before.published_version, snapshot.published_version),
        )

    def _version(self, view: BatchView, before: Version | None, said: Version | None) -> Version | None:
        if before is None or not before.is_own:
            return said
        number = read_number(before.number)
        assert number is not None
        if said is None or view.links.leads_to(said.download_url, self.tenant_id, self.document_id, number):
            return before
        return said

    def _is_older_than(self, row: DocumentRow) -> bool:
        return (
            self.source_version is not None
            and row.source_version is not None
            and self.source_version < row.source_version
        )

    def _check_revival(self, row: DocumentRow) -> None:
        known_version = row.source_version
        if self.source_version is None or (known_version is not None and self.source_version <= known_version):
            known = "" if known_version is None else f" above {known_version}"
            detail = f"This document was deleted. Import it with a sourceVersion{known} to bring it back."
            raise Conflict("document_deleted", detail, sourceVersion=known_version)


class ImportLine(ImportDocument, frozen=True, kw_only=True):
    """One of many snapshots that were sent together."""

    queue = Queue.BACKGROUND


def check_precondition(if_match: frozenset[str] | None, etag: str | None) -> None:
    """Raises PreconditionFailed if `if_match` names neither this ETag nor `*`, which stands for any (RFC 9110). `etag`
    is None for what does not exist."""
    if if_match is None or (etag is not None and ("*" in if_match or etag in if_match)):
        return
    detail = "It has changed since you read it. Read it again and repeat your change."
    if etag is None:
        detail = "It does not exist, and If-Match asks for a state that exists."
    raise PreconditionFailed("precondition_failed", detail)
