"""The tables of the log and of the history."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from signalpost.domain.documents.history import KeptStep, Origin
from signalpost.domain.event import Event
from signalpost.store.packing.documents import pack_step
from signalpost.store.tables.table import Columns, Kind

EVENT: Final = Columns(
    "event",
    {
        "tenant_id": Kind.NUMBER,
        "sequence": Kind.NUMBER,
        "at": Kind.NUMBER,
        "id": Kind.UUID,
        "type": Kind.NUMBER,
        "document_id": Kind.UUID,
        "body": Kind.BLOB,
        "before": Kind.BLOB,
        "cause": Kind.NUMBER,
        "caller": Kind.NUMBER,
        "trace": Kind.BLOB,
    },
    key="tenant_id, sequence, at",
)
STEP: Final = Columns(
    "step",
    {
        "tenant_id": Kind.NUMBER,
        "document_id": Kind.UUID,
        "sequence": Kind.NUMBER,
        "at": Kind.NUMBER,
        "event_id": Kind.UUID,
        "caller": Kind.NUMBER,
        "step": Kind.BLOB,
    },
)


def pack_events(
    events: Iterable[Event], origins: Iterable[Origin], pack_id: Callable[[str], Any]
) -> list[tuple[Any, ...]]:
    """Rows of `EVENT`."""
    return [
        (
            event.tenant_id,
            event.sequence,
            event.at,
            pack_id(event.id),
            event.type,
            pack_id(event.document_id),
            event.body,
            event.before or None,
            origin.cause,
            origin.caller,
            event.trace or None,
        )
        for event, origin in zip(events, origins, strict=True)
    ]


def pack_steps(steps: Iterable[KeptStep], pack_id: Callable[[str], Any]) -> list[tuple[Any, ...]]:
    """Rows of `STEP`."""
    return [
        (
            kept.tenant_id,
            pack_id(kept.document_id),
            kept.sequence,
            kept.at,
            None if kept.event_id is None else pack_id(kept.event_id),
            kept.caller,
            pack_step(kept.step),
        )
        for kept in steps
    ]
