"""Commands that add a version whose file is stored, and publish a draft (C9)."""

from msgspec import Struct
from msgspec.structs import replace

from signalpost.commands.command import BatchView, Decision, Reads, Stamp
from signalpost.commands.documents import DocumentCommand
from signalpost.domain.documents import document
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.history import ChangeCause, Origin
from signalpost.domain.documents.version import Number, StoredFile, VersionRow, next_draft, next_published, require_live
from signalpost.domain.errors import Conflict
from signalpost.domain.event import EventType


class VersionCreated(Struct, frozen=True):
    """A new draft, or a new publication. `row` is the document with it."""

    row: DocumentRow
    version: VersionRow


class AddVersion(DocumentCommand, frozen=True, kw_only=True):
    """`file` is durable already. It becomes the next draft, or with `publish` the next publication."""

    file: StoredFile
    publish: bool
    by: str

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[VersionCreated]:
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
        decision = _made(self, row, shown, stamp, ChangeCause.UPLOAD, made)
        return replace(decision, file_bytes=self.file.size)


class PublishVersion(DocumentCommand, frozen=True, kw_only=True):
    version_number: Number
    by: str

    @property
    def reads(self) -> Reads:
        document_key = (self.tenant_id, self.document_id)
        return Reads(document=document_key, version=(*document_key, self.version_number))

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[VersionCreated]:
        row = self._found(view)
        draft = require_live(view.versions.get((self.tenant_id, self.document_id, self.version_number)))
        already = self.version_number if self.version_number.is_published else draft.published_as
        if already is not None:
            detail = f"It is already published, as {already}. Upload a new draft to publish another version."
            raise Conflict("already_published", detail, publishedAs=str(already))
        shown = document.decode(row.body)
        number = next_published(document.last_number(shown, row.last_number))
        made = replace(draft, number=number, created_at=stamp.at, created_by=self.by)
        return _made(self, row, shown, stamp, ChangeCause.PUBLISH, made, replace(draft, published_as=number))


def _made(
    command: DocumentCommand,
    row: DocumentRow,
    shown: document.Document,
    stamp: Stamp,
    cause: ChangeCause,
    made: VersionRow,
    *changed: VersionRow,
) -> Decision[VersionCreated]:
    after = document.with_version(shown, made.number)
    kept = replace(document.next_row(row, after, stamp.at), last_number=made.number)
    return Decision(
        result=VersionCreated(kept, made),
        document=kept,
        event=EventType.UPDATED,
        event_document=kept.body,
        before=document.former_values(shown, after),
        origin=Origin(cause, command.caller),
        versions=(made, *changed),
    )
