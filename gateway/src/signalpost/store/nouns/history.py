"""The history of documents: who did what, and when."""

from typing import Final, Protocol

from msgspec import Struct

from signalpost.domain.documents.history import HistoryPosition, Step


class HistoryRow(Struct, frozen=True):
    """One thing that was done to a document."""

    position: HistoryPosition
    at: int
    event_id: str | None
    """None if no event was made."""
    event_type: int | None
    """An `EventType`'s value; None if no event was made."""
    caller: str | None
    """The name of the API key that asked for it; None if the gateway itself did it or the key is not known."""
    step: Step


class HistoryRows(Struct, frozen=True):
    """A page of a document's history."""

    data: tuple[HistoryRow, ...]
    next: HistoryPosition | None
    """The `below` of the next page; None if there is none."""


WAS_CREATED: Final = "SELECT 1 FROM document WHERE tenant_id = $1 AND external_id = $2::uuid"


class HistoryStore(Protocol):
    """What was done to documents, for people to read: no command reads it."""

    async def page(
        self, tenant_id: int, document_id: str, below: HistoryPosition | None, limit: int
    ) -> HistoryRows | None:
        """What was done to a document, newest first, even if it was deleted. Returns None if there has never been such
        a document."""
        ...
