"""Erasure: everything that a tenant or a deleted document left is removed for good, and stays removed.

What is erased of a log is the content. A tenant's log goes as a whole. A document's events stay as shells, because
sequences are contiguous: `id`, `type`, `createdAt`, and null in the place of the document. Lanes skip them.
"""

from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from signalpost.domain.event import Event, EventType, build

ERASED: Final = "The document of this event was erased."
_NO_DOCUMENT: Final = b"null"
_END_OF_SHELL: Final = b'"data":{"document":null}}'
MAX_SHELL_BYTES: Final = 200
"""A shell is shorter than that, and every other event, which names all attributes of C7, is longer."""


class Erasure(Struct, frozen=True, kw_only=True):
    """An erasure that was asked for. It is kept when it is done, and says who was erased, not what."""

    number: int = 0
    """Primary key in the store; 0 before it is stored."""
    id: str
    tenant_id: int
    tenant: str
    """The tenant's name."""
    document_id: str | None = None
    """None for a whole tenant."""
    asked_at: int
    to_sequence: int
    """The end of the tenant's log when it was asked for: what came later is not erased."""
    removed: int = 0
    """Number of rows and files removed so far."""
    finished_at: int | None = None

    @property
    def state(self) -> Literal["running", "finished"]:
        return "running" if self.finished_at is None else "finished"

    def covers(self, event: Event) -> bool:
        """Whether an event is among what is erased."""
        return (
            event.tenant_id == self.tenant_id
            and event.sequence <= self.to_sequence
            and self.document_id in (None, event.document_id)
        )


def shell(event_type: int, at: int, event_id: str) -> bytes:
    """The body of an event whose document was erased."""
    return build(EventType(event_type), at, event_id, _NO_DOCUMENT)


def erased(event: Event) -> Event:
    return replace(event, body=shell(event.type, event.at, event.id), before=b"")


def is_erased(event: Event) -> bool:
    return event.body.endswith(_END_OF_SHELL)
