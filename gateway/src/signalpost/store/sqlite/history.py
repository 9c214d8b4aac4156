"""The history of documents, put together from their events in the log and from the steps that no event tells of."""

import heapq
from collections.abc import Generator, Sequence
from contextlib import closing

import apsw
import msgspec
from msgspec import Struct

from signalpost.domain.api_key import OPERATOR_NAME, OPERATOR_NUMBER
from signalpost.domain.documents.history import ChangeCause, HistoryPosition, KeptStep, Step
from signalpost.domain.event import EventType
from signalpost.store.history import HistoryRow, HistoryRows
from signalpost.store.packing import pack_step, unpack_step
from signalpost.store.sqlite.codec import pack_uuid, unpack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.readers import Readers, reading
from signalpost.store.store import PAGE_BYTES

_NEWEST = HistoryPosition(2**62, 0)
_BY_TYPE = {EventType.CREATED: "create", EventType.UPDATED: "update", EventType.DELETED: "delete"}
"""The action that is shown for an event whose cause was not kept."""


class _Version(Struct):
    number: str


class _Document(Struct, rename="camel"):
    status: str
    latest_version: _Version | None


class _Data(Struct):
    document: _Document | None
    """None once it was erased."""


class _Event(Struct):
    data: _Data


_decode_event = msgspec.json.Decoder(_Event).decode


class SqliteHistory:
    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    @reading
    def page(
        self,
        connection: apsw.Connection,
        tenant_id: int,
        document_id: str,
        below: HistoryPosition | None,
        limit: int,
    ) -> HistoryRows | None:
        key, below = (tenant_id, pack_uuid(document_id)), below or _NEWEST
        if not rows(connection, "SELECT 1 FROM document WHERE tenant_id = ? AND external_id = ?", key):
            return None
        page: list[HistoryRow] = []
        size = 0
        with (
            closing(_steps(connection, key, below, limit)) as steps,
            closing(_events(connection, key, below, limit)) as events,
        ):
            # Where a step made an event they have one position, and the step, which comes first, says more.
            for row, took in heapq.merge(steps, events, key=_position, reverse=True):
                if page and page[-1].position == row.position:
                    continue
                page.append(row)
                size += took
                if len(page) == limit or size >= PAGE_BYTES:
                    return HistoryRows(tuple(page), row.position)
        return HistoryRows(tuple(page), None)


_Read = tuple[HistoryRow, int]
"""A row, and how many bytes were read for it."""


def _position(read: _Read) -> HistoryPosition:
    return read[0].position


def _events(
    connection: apsw.Connection, key: tuple[int, bytes], below: HistoryPosition, limit: int
) -> Generator[_Read, None, None]:
    # One by one: each body may have 1 MiB.
    events = connection.execute(
        "SELECT e.sequence, e.at, e.id, e.type, e.cause, e.caller, k.name, e.body"
        " FROM event e INDEXED BY event_document LEFT JOIN api_key k ON k.number = e.caller"
        " WHERE e.tenant_id = ? AND e.document_id = ? AND e.sequence < ? ORDER BY e.sequence DESC LIMIT ?",
        (*key, below.sequence + (below.number > 0), limit),
    )
    for sequence, at, event_id, event_type, cause, caller, name, body in events:
        action = ChangeCause(cause).name.lower() if cause != ChangeCause.UNKNOWN else _BY_TYPE[event_type]
        document = _decode_event(body).data.document
        step = Step(action=action, status="other") if document is None else _step(action, cause, document)
        position = HistoryPosition(sequence, 0)
        yield HistoryRow(position, at, unpack_uuid(event_id), event_type, _name(caller, name), step), len(body)


def _step(action: str, cause: int, document: _Document) -> Step:
    latest = document.latest_version if cause in (ChangeCause.UPLOAD, ChangeCause.PUBLISH) else None
    return Step(action=action, status=document.status, version=None if latest is None else latest.number)


def _steps(
    connection: apsw.Connection, key: tuple[int, bytes], below: HistoryPosition, limit: int
) -> Generator[_Read, None, None]:
    steps = connection.execute(
        "SELECT s.number, s.sequence, s.at, s.event_id, s.caller, k.name, s.step FROM step s INDEXED BY step_document"
        " LEFT JOIN api_key k ON k.number = s.caller WHERE s.tenant_id = ?1 AND s.document_id = ?2 AND s.sequence <= ?3"
        " AND (s.sequence < ?3 OR iif(s.event_id IS NULL, s.number, 0) < ?4)"
        " ORDER BY s.sequence DESC, s.number DESC LIMIT ?5",
        (*key, *below, limit),
    )
    for number, sequence, at, event_id, caller, name, step in steps:
        made = event_id is not None
        row = HistoryRow(
            HistoryPosition(sequence, 0 if made else number),
            at,
            unpack_uuid(event_id) if made else None,
            EventType.UPDATED if made else None,
            _name(caller, name),
            unpack_step(step),
        )
        yield row, len(step)


def _name(caller: int | None, name: str | None) -> str | None:
    return OPERATOR_NAME if caller == OPERATOR_NUMBER else name


def write(connection: apsw.Connection, steps: Sequence[KeptStep]) -> None:
    if not steps:
        return
    connection.executemany(
        "INSERT INTO step (tenant_id, document_id, sequence, at, event_id, caller, step) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                kept.tenant_id,
                pack_uuid(kept.document_id),
                kept.sequence,
                kept.at,
                None if kept.event_id is None else pack_uuid(kept.event_id),
                kept.caller,
                pack_step(kept.step),
            )
            for kept in steps
        ],
    )


def prune(connection: apsw.Connection, tenant_id: int, end: int) -> None:
    """Remove the steps of documents that were deleted by an event below `end`. This has to happen before that event
    itself is removed."""
    connection.execute(
        "DELETE FROM step WHERE number IN (SELECT s.number FROM event e CROSS JOIN step s"
        " ON s.tenant_id = e.tenant_id AND s.document_id = e.document_id AND s.sequence <= e.sequence"
        " WHERE e.tenant_id = ? AND e.sequence < ? AND e.type = ?)",
        (tenant_id, end, EventType.DELETED),
    )
