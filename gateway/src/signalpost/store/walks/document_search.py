"""How documents are searched for."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from signalpost.domain.id_beginning import Ids, ids_beginning_with
from signalpost.store.nouns.documents import DocumentFilter, DocumentPosition, FoundDocument
from signalpost.store.walks.document_queries import LookedThrough

SHORTEST_PART: Final = 3
"""How many characters a text has at least that is looked for anywhere, not only at beginnings."""
MAX_STRETCHES: Final = 100
"""How many stretches are looked at, of those that have the text or may have it."""
_AT_ONCE: Final = 5
_ABOVE_ALL: Final = 2**62


class Stretch(NamedTuple):
    """Documents that were created one after the other, by their numbers."""

    first: int
    last: int


class SearchQueries(Protocol):
    """The queries of a search, all as of one moment. Deleted documents never appear in the results."""

    async def begins_with(self, tenant_id: int, text: str, limit: int) -> Sequence[FoundDocument]:
        """Documents whose title, reference or owner's address begins with a text: at most `limit` by each of the three,
        the references first."""
        ...

    async def with_ids(self, tenant_id: int, ids: Ids, limit: int) -> Sequence[FoundDocument]:
        """Documents whose ids are among these, in the order of ids."""
        ...

    async def last_with_text(self, tenant_id: int) -> int:
        """The highest number of a document whose text is kept; 0 if there is none."""
        ...

    async def stretch_below(
        self, tenant_id: int, wanted: DocumentFilter, below: DocumentPosition, stretch: int
    ) -> LookedThrough:
        """See `DocumentQueries`."""
        ...

    async def stretches(self, tenant_id: int, text: str, limit: int) -> Sequence[Stretch]:
        """Where the kept texts have a text, or are not known, the newest first."""
        ...

    async def within(
        self, tenant_id: int, stretches: Sequence[Stretch], text: str, limit: int
    ) -> Sequence[FoundDocument]:
        """Documents in some stretches whose title, reference or owner's address has a text, the newest of the first
        stretch first; at most `limit` of each."""
        ...


async def search(
    queries: SearchQueries, tenant_id: int, text: str, limit: int, max_scanned: int
) -> list[FoundDocument]:
    """See `DocumentStore.search`. Of documents whose text is not kept yet, the last `max_scanned` are looked at."""
    found = {each.external_id: each for each in await queries.begins_with(tenant_id, text, limit)}
    if (ids := ids_beginning_with(text)) is not None:
        found |= {each.external_id: each for each in await queries.with_ids(tenant_id, ids, limit)}
    if len(found) >= limit or len(text) < SHORTEST_PART:
        return list(found.values())
    last = await queries.last_with_text(tenant_id)
    newest = await queries.stretch_below(tenant_id, DocumentFilter(), DocumentPosition(_ABOVE_ALL, 0), max_scanned)
    stretches = [Stretch(max(last + 1, newest.lowest), _ABOVE_ALL)]
    stretches += await queries.stretches(tenant_id, text, MAX_STRETCHES)
    for start in range(0, len(stretches), _AT_ONCE):
        for each in await queries.within(tenant_id, stretches[start : start + _AT_ONCE], text, limit):
            found.setdefault(each.external_id, each)
        if len(found) >= limit:
            break
    return list(found.values())
