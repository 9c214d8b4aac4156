"""What was done to a document: who did what, when, with which event.

The log tells most of it. Beside every event stands its `Origin`: how it came about and whose API key asked for it. That
is all there is to tell of a creation, a change, an import and a deletion, and they cost no row more. A `Step` is what
an event does not tell: an action of the workflow with its people and reasons, whether or not it made an event. It stays
as long as its document; of a deleted one, as long as the event of the deletion.
"""

from enum import IntEnum
from typing import NamedTuple

from msgspec import Struct


class Cause(IntEnum):
    """How an event came about. The values are part of the schema."""

    UNKNOWN = 0
    """Of events that were made before this was kept."""
    CREATE = 1
    UPDATE = 2
    IMPORT = 3
    DELETE = 4
    STEP = 5
    """By something that its step tells of."""
    UPLOAD = 6
    PUBLISH = 7


class Origin(NamedTuple):
    cause: Cause
    caller: int | None
    """The number of the API key that asked for it; None where nobody did, or it is not known."""


UNKNOWN = Origin(Cause.UNKNOWN, None)


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was done, with what only it knows. Names are part of the schema."""

    action: str
    status: str
    """The document's after it."""
    by: str | None = None
    """The person who decided."""
    reason: str | None = None
    participants: tuple[str, ...] = ()
    """Who was asked to decide."""
    expires_at: int | None = None
    version: str | None = None
    """The number of the version that was uploaded or published."""


class KeptStep(Struct, frozen=True):
    """A step in its place in the history of a document."""

    tenant_id: int
    document_id: str
    sequence: int
    """Of its event; of a step without one, of the last event in the log before it."""
    at: int
    event_id: str | None
    caller: int | None
    step: Step


class HistoryPosition(NamedTuple):
    """A place in the history of a document."""

    sequence: int
    number: int
    """Of steps without an event behind the same one; 0 for what made an event."""
