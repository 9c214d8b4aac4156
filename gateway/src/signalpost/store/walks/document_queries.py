"""The small queries that lists of documents are made of."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from signalpost.domain.documents.document import DocumentRow
from signalpost.store.nouns.documents import DocumentFilter, DocumentPosition
from signalpost.store.walks.log_queries import LogQueries

RAREST_FIRST: Final = ("reference_id", "owner_email", "status", "type")
"""What lists filter by that has an index, in the order of creation."""


def narrowest(wanted: DocumentFilter) -> str | None:
    """What a filter names whose index is the narrowest; None if it names nothing that has one."""
    return next((column for column in RAREST_FIRST if getattr(wanted, column) is not None), None)


class DocumentPart(NamedTuple):
    """What a query for documents found."""

    documents: Sequence[tuple[int, DocumentRow]]
    """Documents with their numbers."""
    is_cut: bool
    """Whether there may be more, because these are as large as a page may be."""


class LookedThrough(NamedTuple):
    """A stretch of the order of creation."""

    documents: int
    lowest: int
    """The number of the last document of the stretch; 0 if it has none."""


class DocumentQueries(LogQueries, Protocol):
    """The queries that lists of documents need, all as of one moment. Deleted documents never appear in the results."""

    async def created_before(
        self, tenant_id: int, wanted: DocumentFilter, below: DocumentPosition, stretch: int, limit: int
    ) -> DocumentPart:
        """Documents that match a filter, the last created first, below a position. Of those that match the narrowest
        part of the filter, only the first `stretch` are looked at."""
        ...

    async def stretch_below(
        self, tenant_id: int, wanted: DocumentFilter, below: DocumentPosition, stretch: int
    ) -> LookedThrough:
        """How much `created_before` looks at, as far as it goes."""
        ...

    async def changed_between(
        self, tenant_id: int, wanted: DocumentFilter, first: int, end: int, limit: int
    ) -> DocumentPart:
        """Documents that match a filter, but for its time, and whose last change is an event from the sequence `first`
        up to, and without, `end`; the last changed first."""
        ...

    async def created_at(self, tenant_id: int, sequence: int) -> int:
        """When an event that is still kept was created."""
        ...
