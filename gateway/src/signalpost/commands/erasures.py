"""Commands that have a deleted document erased. The erasure of a tenant begins with its deletion."""

from typing import ClassVar

from msgspec import Struct

from signalpost.commands.command import BaseCommand, BatchView, Decision, Reads, Stamp
from signalpost.domain.erasure import Erasure
from signalpost.domain.errors import Conflict, NotFound


class ErasureStarted(Struct, frozen=True):
    erasure: Erasure


class EraseDocument(BaseCommand, frozen=True, kw_only=True):
    """The document must have been deleted, so that its subscribers have an event that tells them."""

    audited_as: ClassVar[str] = "document.erase"
    tenant: str
    """The name of its tenant."""
    document_id: str
    erasure_id: str

    @property
    def reads(self) -> Reads:
        return Reads(document=(self.tenant_id, self.document_id))

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[ErasureStarted]:
        found = view.documents.get((self.tenant_id, self.document_id))
        if found is None:
            raise NotFound("document_not_found", "There has never been a document with this externalId.")
        if found.deleted_at is None:
            detail = "Delete the document first: that tells its subscribers. Then erase what is left of it."
            raise Conflict("document_not_deleted", detail)
        asked = Erasure(
            id=self.erasure_id,
            tenant_id=self.tenant_id,
            tenant=self.tenant,
            document_id=self.document_id,
            asked_at=stamp.at - 1,  # all of its rows are older, and those of one that comes again are younger
            to_sequence=stamp.sequence - 1,
        )
        return Decision(result=ErasureStarted(asked), erasure=asked)
