"""Commands that create, patch, delete and import documents."""

from enum import IntEnum, auto
from typing import ClassVar, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from signalpost.commands.command import BaseCommand, BatchView, Decision, Reads, Stamp
from signalpost.domain.documents import document
from signalpost.domain.documents.bodies import DocumentPatch, NewDocument, Snapshot
from signalpost.domain.documents.document import Document, DocumentRow, Version
from signalpost.domain.documents.history import ChangeCause, Origin
from signalpost.domain.documents.version import read_number
from signalpost.domain.errors import Conflict, PreconditionFailed
from signalpost.domain.event import EventType
from signalpost.domain.timestamps import format_timestamp
from signalpost.sharing.command_queues import Queue

R = TypeVar("R")


class DocumentCreated(Struct, frozen=True, gc=False):
    row: DocumentRow


class DocumentPatched(Struct, frozen=True, gc=False):
    """`row` is the document after the patch, even if the patch changed nothing."""

    row: DocumentRow


class Effect(IntEnum):
    """What a snapshot or a deletion changed."""

    CREATED = auto()
    UPDATED = auto()
    DELETED = auto()
    UNCHANGED = auto()


class DocumentDeleted(Struct, frozen=True, gc=False):
    """`row` is the tombstone; if the deletion is older than the document, the document."""

    row: DocumentRow
    effect: Effect = Effect.DELETED


class DocumentImported(Struct, frozen=True, gc=False):
    """`row` is the document after the import, even if the import changed nothing."""

    row: DocumentRow
    effect: Effect


class DocumentCommand(BaseCommand, frozen=True, kw_only=True):
    queue: ClassVar[Queue] = Queue.DOCUMENT
    audited_as: ClassVar[str | None] = None
    """Documents have a history, which tells who changed them."""
    document_id: str
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
        if self.if_match is not None:
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
    """Deletes a document, and keeps a tombstone.

    With a `source_version`, deletions and snapshots may come in any order, and repeatedly: what has the highest version
    wins, and a deletion wins over a snapshot of the same version. So nothing is refused then. A document that was never
    there gets a tombstone too, which keeps out the snapshots that the deletion has overtaken.
    """

    audited_as: ClassVar[str | None] = "document.delete"
    source_version: int | None = None

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[DocumentDeleted]:
        if self.source_version is None:
            return self._deletion(self._found(view), stamp)
        row = self._row(view)
        if row is None or row.deleted_at is not None:
            check_precondition(self.if_match, None)
            return self._known_to_be_gone(row, self.source_version, stamp)
        check_precondition(self.if_match, row.etag)
        if is_older(self.source_version, row):
            return Decision(result=DocumentDeleted(row, Effect.UNCHANGED))
        return self._deletion(replace(row, source_version=self.source_version), stamp)

    def _known_to_be_gone(
        self, row: DocumentRow | None, source_version: int, stamp: Stamp
    ) -> Decision[DocumentDeleted]:
        """Keep the version of a deletion of what is not there: in its tombstone, or in a new one."""
        if row is None:
            known = document.tombstone_of_unknown(self.document_id, stamp.at, source_version)
        elif row.source_version is None or source_version > row.source_version:
            known = replace(row, source_version=source_version)
        else:
            known = row
        return Decision(result=DocumentDeleted(known, Effect.UNCHANGED), document=known if known is not row else None)

    def _deletion(self, row: DocumentRow, stamp: Stamp) -> Decision[DocumentDeleted]:
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
        if self.if_match is not None:
            check_precondition(self.if_match, row.etag)
        if is_older(self.source_version, row):
            return Decision(result=DocumentImported(row, Effect.UNCHANGED))
        known = row if self.source_version is None else replace(row, source_version=self.source_version)
        if row.last_number is not None:  # otherwise the gateway keeps no version of this document
            snapshot = self._with_own_versions(view, document.decode(row.body), snapshot)
        changed = document.next_row(known, snapshot, stamp.at)
        if changed.body == row.body:
            result = DocumentImported(known, Effect.UNCHANGED)
            return Decision(result=result, document=known if known != row else None)
        result = DocumentImported(changed, Effect.UPDATED)
        former = document.former_values(document.decode(row.body), snapshot)
        return self._changed(changed, EventType.UPDATED, ChangeCause.IMPORT, result, former)

    def _created(self, row: DocumentRow) -> Decision[DocumentImported]:
        return self._changed(row, EventType.CREATED, ChangeCause.IMPORT, DocumentImported(row, Effect.CREATED))

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

    def _check_revival(self, row: DocumentRow) -> None:
        known_version = row.source_version
        if self.source_version is None or (known_version is not None and self.source_version <= known_version):
            known = "" if known_version is None else f" above {known_version}"
            detail = f"This document was deleted. Import it with a sourceVersion{known} to bring it back."
            raise Conflict("document_deleted", detail, sourceVersion=known_version)


class ImportLine(ImportDocument, frozen=True, kw_only=True):
    """One of many snapshots that were sent together."""

    queue = Queue.BACKGROUND


class DeleteLine(DeleteDocument, frozen=True, kw_only=True):
    """A deletion that was sent together with snapshots."""

    queue = Queue.BACKGROUND


def is_older(source_version: int | None, row: DocumentRow) -> bool:
    """Whether a source has sent a later state of a document than this version."""
    return source_version is not None and row.source_version is not None and source_version < row.source_version


def check_precondition(if_match: frozenset[str] | None, etag: str | None) -> None:
    """Raises PreconditionFailed if `if_match` names neither this ETag nor `*`, which stands for any (RFC 9110). `etag`
    is None for what does not exist."""
    if if_match is None or (etag is not None and ("*" in if_match or etag in if_match)):
        return
    detail = "It has changed since you read it. Read it again and repeat your change."
    if etag is None:
        detail = "It does not exist, and If-Match asks for a state that exists."
    raise PreconditionFailed("precondition_failed", detail)
