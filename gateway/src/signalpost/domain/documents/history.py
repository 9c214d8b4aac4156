"""The history of a document: who did what, when, with which event.

Most of it is in the log. Every event has an `Origin`: how it came about and which API key asked for it. That is the
whole history of a creation, a change, an import or a deletion, and costs no row of its own. A `Step` is what an event
does not say: an action of the workflow with its people and reasons, whether or not it made an event. Steps stay as long
as their document; those of a deleted one as long as the event of its deletion.
"""

from enum import IntEnum
from typing import NamedTuple

from msgspec import Struct


class ChangeCause(IntEnum):
    """How an event came about. The values are part of the schema."""

    UNKNOWN = 0
    """The event was made before its cause was stored."""
    CREATE = 1
    UPDATE = 2
    IMPORT = 3
    DELETE = 4
    STEP = 5
    """The step of the event says how it came about."""
    UPLOAD = 6
    PUBLISH = 7


class Origin(Struct, frozen=True, gc=False):
    cause: ChangeCause
    caller: int | None
    """Number of the API key that asked for the change; None if no key did, or it is not known."""


UNKNOWN = Origin(ChangeCause.UNKNOWN, None)


class Step(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """An action on a document, with what only the step records. Member names are part of the schema."""

    action: str
    status: str
    """The document's status after the step."""
    by: str | None = None
    """The person who decided."""
    reason: str | None = None
    participants: tuple[str, ...] = ()
    """E-mail addresses of the people who were asked to decide."""
    expires_at: int | None = None
    version: str | None = None
    """The number of the version that was uploaded or published."""


class KeptStep(Struct, frozen=True, gc=False):
    """A step with its place in the history of a document."""

    tenant_id: int
    document_id: str
    sequence: int
    """Sequence of the step's event; for a step without one, of the last event in the log before it."""
    at: int
    event_id: str | None
    caller: int | None
    step: Step


class HistoryPosition(NamedTuple):
    """A place in the history of a document."""

    sequence: int
    number: int
    """Counts steps without an event that follow the same event; 0 for a step that made an event."""
