"""The changes of documents that clients ask for. Each is a value whose `decide` is pure."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from signalpost.domain import document
from signalpost.domain.batch import Answer, Decision, IdempotencyKey, Stamp, View
from signalpost.domain.document import DocumentRow
from signalpost.domain.errors import Conflict, NotFound, PreconditionFailed
from signalpost.domain.event import EventType
from signalpost.domain.history import Cause, Origin
from signalpost.domain.timestamps import format_timestamp


class DocumentCommand(Struct, frozen=True, kw_only=True):
    tenant_id: int
    document_id: str
    idempotency: IdempotencyKey | None = None
    if_match: frozenset[str] | None = None
    """The ETags of which the document must have one; None for any state."""
    caller: int | None = None
    """The number of the API key that asks, for the history; None where nobody does."""
    subscription_id: None = None
    key_id: None = None
    replay_id: None = None

    def _found(self, view: View) -> DocumentRow:
        """Raises NotFound and PreconditionFailed."""
        row = view.document(self.tenant_id, self.document_id)
        if row is None or row.deleted_at is not None:
            raise NotFound("document_not_found", "There is no document with this externalId.")
        check_precondition(self.if_match, row.etag)
        return row

    def _changed(
        self, row: DocumentRow, event: EventType, cause: Cause, status: int = 200, *headers: tuple[str, str]
    ) -> Decision:
        """The decision that makes an event of a document's new row."""
        return Decision(
            answer=document_answer(row, status, *headers),
            document=row,
            event=event,
            event_document=row.body,
            origin=Origin(cause, self.caller),
        )


class CreateDocument(DocumentCommand, frozen=True, kw_only=True):
    """`document_id` is the new document's, made for it; `checked` are the fields of `document.NEW`."""

    checked: dict[str, Any]
    source_app: str

    def decide(self, view: View, stamp: Stamp) -> Decision:
        made = document.created(self.checked, self.document_id, self.source_app, format_timestamp(stamp.at))
        row = document.kept(made, 1, stamp.at)
        location = ("location", f"/v1/documents/{self.document_id}")
        return self._changed(row, EventType.CREATED, Cause.CREATE, 201, location)


class PatchDocument(DocumentCommand, frozen=True, kw_only=True):
    """`checked` are the fields of `document.PATCH`. A patch that changes nothing makes no event."""

    checked: dict[str, Any]

    def decide(self, view: View, stamp: Stamp) -> Decision:
        row = self._found(view)
        patched = document.patched(document.decode(row.body), self.checked)
        changed = document.kept(patched, row.version + 1, stamp.at, row.source_version, row.workflow)
        if changed.body == row.body:
            return Decision(answer=document_answer(row))
        return self._changed(changed, EventType.UPDATED, Cause.UPDATE)


class DeleteDocument(DocumentCommand, frozen=True, kw_only=True):
    def decide(self, view: View, stamp: Stamp) -> Decision:
        row = self._found(view)
        last = document.encode(document.deleted(document.decode(row.body)))
        tombstone = DocumentRow(row.external_id, row.version + 1, stamp.at, None, b"", row.source_version, stamp.at)
        return Decision(
            answer=Answer(204),
            document=tombstone,
            event=EventType.DELETED,
            event_document=last,
            origin=Origin(Cause.DELETE, self.caller),
        )


class ImportDocument(DocumentCommand, frozen=True, kw_only=True):
    """A whole snapshot from a system that keeps the document itself: the newest one wins.

    `checked` are the fields of `document.SNAPSHOT`. Without a `source_version` snapshots count in the order in which
    they arrive. One that leaves the status as it is leaves its workflow too; another status begins without any.
    """

    checked: dict[str, Any]
    source_version: int | None

    def decide(self, view: View, stamp: Stamp) -> Decision:
        row = view.document(self.tenant_id, self.document_id)
        snapshot = document.snapshot(self.checked, self.document_id)
        if row is None:
            check_precondition(self.if_match, None)
            return self._accepted(EventType.CREATED, document.kept(snapshot, 1, stamp.at, self.source_version))
        if row.deleted_at is not None:
            check_precondition(self.if_match, None)
            self._check_revival(row)
            revived = document.kept(snapshot, row.version + 1, stamp.at, self.source_version)
            return self._accepted(EventType.CREATED, revived)
        check_precondition(self.if_match, row.etag)
        if self._is_older_than(row):
            return Decision(answer=document_answer(row, 200, ("signalpost-changed", "false")))
        source_version = row.source_version if self.source_version is None else self.source_version
        changed = document.kept(snapshot, row.version + 1, stamp.at, source_version, row.workflow)
        if changed.body == row.body:
            same = replace(row, source_version=source_version)
            answer = document_answer(same, 200, ("signalpost-changed", "false"))
            return Decision(answer=answer, document=same if same != row else None)
        return self._accepted(EventType.UPDATED, changed)

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

    def _accepted(self, event: EventType, row: DocumentRow) -> Decision:
        status = 201 if event is EventType.CREATED else 200
        return self._changed(row, event, Cause.IMPORT, status, ("signalpost-changed", "true"))


def check_precondition(if_match: frozenset[str] | None, etag: str | None) -> None:
    """`If-Match` (RFC 9110): `*` is any existing state. Raises PreconditionFailed."""
    if if_match is None or (etag is not None and ("*" in if_match or etag in if_match)):
        return
    detail = "It has changed since you read it. Read it again and repeat your change."
    if etag is None:
        detail = "It is not there, and If-Match asks for a state that it has."
    raise PreconditionFailed("precondition_failed", detail)


def document_answer(row: DocumentRow, status: int = 200, *headers: tuple[str, str]) -> Answer:
    """A document as the API shows it: the attributes of C7 and `updatedAt`."""
    body = b'%b,"updatedAt":"%b"}' % (row.body[:-1], format_timestamp(row.updated_at).encode())
    return Answer(status, body, (("etag", row.etag), *headers))
