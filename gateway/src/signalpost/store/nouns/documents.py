"""Documents as they are kept."""

from typing import NamedTuple, Protocol

from msgspec import Struct

from signalpost.domain.documents.document import DocumentRow


class DocumentFilter(Struct, frozen=True, kw_only=True):
    """Narrows a list of documents to those that match every field that is set."""

    status: str | None = None
    type: str | None = None
    reference_id: str | None = None
    owner_email: str | None = None
    updated_after: int | None = None
    """Microseconds since the epoch."""


class DocumentPosition(NamedTuple):
    """Where the next page of a list of documents goes on."""

    number: int
    """The page lists documents that were created before the one with this number; 0 while the list goes through the
    log."""
    changed_before: int
    """With `updated_after`, the page lists documents whose last change was before this time."""


class DocumentRows(Struct, frozen=True):
    """One page of a list of documents."""

    data: tuple[DocumentRow, ...]
    next: DocumentPosition | None = None
    """The `below` of the next page, which must have the same filter."""


class FoundDocument(NamedTuple):
    """What is shown of a document that was searched for."""

    external_id: str
    title: str
    type: str
    status: str
    reference_id: str | None
    owner_email: str
    updated_at: int


class Expiry(NamedTuple):
    """When a document's signature request expires."""

    at: int
    number: int
    """Orders documents whose requests expire at the same time."""
    tenant_id: int
    document_id: str


class DocumentStore(Protocol):
    """Every tenant's documents. Commands change them."""

    async def get(self, tenant_id: int, external_id: str) -> DocumentRow | None:
        """The document, or its tombstone; None if there never was one."""
        ...

    async def page(
        self, tenant_id: int, wanted: DocumentFilter, below: DocumentPosition | None, limit: int
    ) -> DocumentRows:
        """Documents that are not deleted. The last created comes first; with `updated_after`, the last changed comes
        first as far back as the log is kept. A page may be short or empty and still have a next one, because it looks
        through a bounded number of documents."""
        ...

    async def search(self, tenant_id: int, text: str, limit: int) -> list[FoundDocument]:
        """Documents that are not deleted and whose title, reference, owner's address or id begins with a text, at most
        `limit` by each of the four, the references first; and if these are fewer than `limit`, documents in which it
        stands elsewhere, the newest first. That needs three characters. Capitals make no difference there, nor in the
        beginning of a title."""
        ...

    async def expiring(self, after: Expiry | None, limit: int) -> list[Expiry]:
        """Signature requests in the order in which they expire, whether or not that time has come. `after` is the last
        one of the part before."""
        ...
