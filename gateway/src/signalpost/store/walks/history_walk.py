"""The history of a document, put together from its events in the log and from the steps that no event tells of."""

import heapq
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from signalpost.domain.access.api_key import OPERATOR_NAME, OPERATOR_NUMBER
from signalpost.domain.documents.history import ChangeCause, HistoryPosition, Step
from signalpost.domain.event import EventType
from signalpost.store.nouns.history import HistoryRow, HistoryRows
from signalpost.store.packing.documents import unpack_step
from signalpost.store.store import PAGE_BYTES

_NEWEST: Final = HistoryPosition(2**62, 0)
_BY_TYPE: Final = {EventType.CREATED: "create", EventType.UPDATED: "update", EventType.DELETED: "delete"}
"""The action that is shown for an event whose cause was not kept."""


class KnownEvent(NamedTuple):
    """An event of a document, with who caused it."""

    sequence: int
    at: int
    id: str
    type: int
    cause: int
    caller: int | None
    caller_name: str | None
    body: bytes


class KnownStep(NamedTuple):
    """A step of a document, with who made it."""

    number: int
    sequence: int
    at: int
    event_id: str | None
    caller: int | None
    caller_name: str | None
    step: bytes


class HistoryQueries(Protocol):
    """What a history asks, all as of one moment."""

    async def was_created(self, tenant_id: int, document_id: str) -> bool:
        """Whether there is or has been such a document."""
        ...

    async def events(
        self, tenant_id: int, document_id: str, below: HistoryPosition, limit: int
    ) -> tuple[Sequence[KnownEvent], bool]:
        """Events of a document below a position, newest first. Also returns whether there may be more, because their
        bodies are as large as a page may be."""
        ...

    async def steps(self, tenant_id: int, document_id: str, below: HistoryPosition, limit: int) -> Sequence[KnownStep]:
        """Steps of a document below a position, newest first."""
        ...


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


async def page(
    queries: HistoryQueries, tenant_id: int, document_id: str, below: HistoryPosition | None, limit: int
) -> HistoryRows | None:
    """A page of a document's history; see `HistoryStore.page`."""
    if not await queries.was_created(tenant_id, document_id):
        return None
    events, is_cut = await queries.events(tenant_id, document_id, below or _NEWEST, limit)
    steps = await queries.steps(tenant_id, document_id, below or _NEWEST, limit)
    edge = HistoryPosition(events[-1].sequence, 0) if is_cut else HistoryPosition(0, 0)
    page: list[HistoryRow] = []
    size = 0
    # Where a step made an event they have one position, and the step, which comes first, says more.
    for row, read in heapq.merge(map(_of_step, steps), map(_of_event, events), key=_position, reverse=True):
        if page and page[-1].position == row.position:
            continue
        page.append(row)
        size += read
        if len(page) == limit or size >= PAGE_BYTES or row.position <= edge:
            return HistoryRows(tuple(page), row.position)
    return HistoryRows(tuple(page), None)


_Read = tuple[HistoryRow, int]
"""A row, and how many bytes were read for it."""


def _position(read: _Read) -> HistoryPosition:
    return read[0].position


def _of_event(event: KnownEvent) -> _Read:
    action = _BY_TYPE[EventType(event.type)]
    if event.cause != ChangeCause.UNKNOWN:
        action = ChangeCause(event.cause).name.lower()
    document = _decode_event(event.body).data.document
    step = Step(action=action, status="other") if document is None else _step(action, event.cause, document)
    row = HistoryRow(
        HistoryPosition(event.sequence, 0),
        event.at,
        event.id,
        event.type,
        name_of_caller(event.caller, event.caller_name),
        step,
    )
    return row, len(event.body)


def _step(action: str, cause: int, document: _Document) -> Step:
    latest = document.latest_version if cause in (ChangeCause.UPLOAD, ChangeCause.PUBLISH) else None
    return Step(action=action, status=document.status, version=None if latest is None else latest.number)


def _of_step(step: KnownStep) -> _Read:
    made = step.event_id is not None
    row = HistoryRow(
        HistoryPosition(step.sequence, 0 if made else step.number),
        step.at,
        step.event_id,
        EventType.UPDATED if made else None,
        name_of_caller(step.caller, step.caller_name),
        unpack_step(step.step),
    )
    return row, len(step.step)


def name_of_caller(caller: int | None, name: str | None) -> str | None:
    """The name of the API key that asked for a change, given its number and the name in its row, if it has one."""
    return OPERATOR_NAME if caller == OPERATOR_NUMBER else name
