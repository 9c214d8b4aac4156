"""An event: one change of one document, as the final bytes that every endpoint receives (C1–C6, C11, C13).

The tenant `operations` has no documents. Its events are notices (`operations/notices.py`), and in no other tenant are
there any.
"""

import re
from enum import IntEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from signalpost.domain.timestamps import format_timestamp
from signalpost.domain.trace_context import NOT_TRACED


class EventType(IntEnum):
    """C3, and notices. The values are bits, so that a set of types is their sum."""

    CREATED = 1
    UPDATED = 2
    DELETED = 4
    NOTICE = 8

    @property
    def wire(self) -> str:
        """The name that receivers see."""
        return _WIRE[self]


_WIRE = {
    EventType.CREATED: "documentCreated",
    EventType.UPDATED: "documentUpdated",
    EventType.DELETED: "documentDeleted",
    EventType.NOTICE: "notice",
}
BY_WIRE = {name: event_type for event_type, name in _WIRE.items()}
OF_DOCUMENTS: Final = {name: each for name, each in BY_WIRE.items() if each is not EventType.NOTICE}
"""The types of the events of documents (C3), by the names that receivers see."""
OF_OPERATIONS: Final = {EventType.NOTICE.wire: EventType.NOTICE}
"""The types of the events of the tenant `operations`."""
EVERY_TYPE = sum(EventType)


def type_names(types: int) -> list[str]:
    """The names of event types that are given as bits."""
    return [name for name, event_type in BY_WIRE.items() if event_type & types]


EventTypeName = Annotated[str, Meta(extra_json_schema={"enum": list(BY_WIRE)})]


class Event(Struct, frozen=True, gc=False):
    """One entry of a tenant's log."""

    tenant_id: int
    sequence: int
    """1, 2, 3 … per tenant without a gap, in commit order."""
    at: int
    """`createdAt` in µs; strictly increases with the sequence (C5)."""
    id: str
    type: int
    """An EventType's value."""
    document_id: str
    """The document's external id."""
    body: bytes
    """The bytes that every endpoint receives."""
    before: bytes = b""
    """The former values of the attributes that it changed, as a JSON object; empty if it changed none. Conditions
    and placeholders ask for them; they are never sent."""
    trace: bytes = NOT_TRACED
    """The trace context in which it was made, if that is sampled (`trace_context.py`)."""


class PastEvent(Struct, frozen=True, gc=False):
    """What a walk over a large part of the log looks at of an event. The few that it shows are read once more."""

    sequence: int
    type: int
    """An `EventType`'s value."""
    at: int = 0
    document: bytes = b""
    """The document's external id, as the database has it."""
    body: bytes = b""
    before: bytes = b""


def event_id(at: int, random: int) -> str:
    """The UUIDv7 of `at` (C2): its first 60 bits of payload are the time to the microsecond (RFC 9562, method 3),
    the other 62 are taken from `random`."""
    milliseconds, microseconds = divmod(at, 1000)
    value = milliseconds << 80 | 7 << 76 | (microseconds * 4096 // 1000) << 64 | 2 << 62 | random & (1 << 62) - 1
    text = value.to_bytes(16, "big").hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def time_of(event_id: str) -> int:
    """The time in µs that `event_id` was made with. For a UUID made elsewhere, an arbitrary number."""
    digits = event_id.replace("-", "")
    return int(digits[:12], 16) * 1000 + -(-(int(digits[13:16], 16) * 1000) // 4096)


TITLE_WITHIN_BYTES: Final = 8 * 1024
"""A title is within the first bytes of a body, up to this number: it, and the text before it, have at most 512
characters."""
_JSON_TEXT = rb'"(?:[^"\\]|\\.)*"'
_TITLE = re.compile(
    rb'.{0,200}?"data":\{"(?:document":\{"type":'
    + _JSON_TEXT
    + rb',"title"|notice":\{"sentence"):('
    + _JSON_TEXT
    + rb")",
    re.DOTALL,
)


def title_of(body: bytes) -> str | None:
    """The title of the document in an event's body, or in the body's first `TITLE_WITHIN_BYTES`; None once the document
    was erased. That of a notice is its sentence."""
    found = _TITLE.match(body)
    return None if found is None else msgspec.json.decode(found[1], type=str)


def build(event_type: EventType, at: int, event_id: str, content: bytes) -> bytes:
    """The event's body: exactly `id`, `type`, `createdAt`, `data`, in that order (C1), around the document (C6) or the
    notice."""
    what = "notice" if event_type is EventType.NOTICE else "document"
    head = f'{{"id":"{event_id}","type":"{_WIRE[event_type]}","createdAt":"{format_timestamp(at)}","data":{{"{what}":'
    return head.encode() + content + b"}}"
