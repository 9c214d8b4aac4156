"""What is asked of the versions that the gateway keeps: to add one whose file is there, and to publish a draft (C9)."""

import msgspec
from msgspec.structs import replace

from signalpost.commands.documents import DocumentCommand
from signalpost.commands.overlay import Answer, Decision, Stamp, View
from signalpost.domain.documents import document
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.history import Cause, Origin
from signalpost.domain.documents.version import Number, StoredFile, VersionRow, next_draft, next_published, require_live
from signalpost.domain.errors import Conflict
from signalpost.domain.event import EventType


class AddVersion(DocumentCommand, frozen=True, kw_only=True):
    """`file` is durable already: it becomes the next draft, or with `publish` the next publication."""

    file: StoredFile
    publish: bool
    by: str

    def decide(self, view: View, stamp: Stamp) -> Decision:
        row = self._found(view)
        shown = document.decode(row.body)
        last = document.last_number(shown, row.last_number)
        made = VersionRow(
            document_id=self.document_id,
            number=next_published(last) if self.publish else next_draft(last),
            file=self.file,
            created_at=stamp.at,
            created_by=self.by,
        )
        return _made(self, row, shown, stamp, Cause.UPLOAD, made)


class PublishVersion(DocumentCommand, frozen=True, kw_only=True):
    version_number: Number
    by: str

    def decide(self, view: View, stamp: Stamp) -> Decision:
        row = self._found(view)
        draft = require_live(view.version(self.tenant_id, self.document_id, self.version_number))
        already = self.version_number if self.version_number.is_published else draft.published_as
        if already is not None:
            detail = f"It is published already, as {already}. Upload what should follow it."
            raise Conflict("already_published", detail, publishedAs=str(already))
        shown = document.decode(row.body)
        number = next_published(document.last_number(shown, row.last_number))
        made = replace(draft, number=number, created_at=stamp.at, created_by=self.by)
        return _made(self, row, shown, stamp, Cause.PUBLISH, made, replace(draft, published_as=number))


def _made(
    command: DocumentCommand,
    row: DocumentRow,
    shown: document.Document,
    stamp: Stamp,
    cause: Cause,
    made: VersionRow,
    *changed: VersionRow,
) -> Decision:
    with_it = document.next_row(row, document.with_version(shown, made.number), stamp.at)
    kept = replace(with_it, last_number=made.number)
    location = f"/v1/documents/{row.external_id}/versions/{made.number}/file"
    body = msgspec.json.encode({"number": str(made.number)})
    return Decision(
        answer=Answer(201, body, (("etag", kept.etag), ("location", location))),
        document=kept,
        event=EventType.UPDATED,
        event_document=kept.body,
        origin=Origin(cause, command.caller),
        versions=(made, *changed),
    )
