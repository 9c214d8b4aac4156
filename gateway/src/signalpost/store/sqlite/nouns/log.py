"""The log: read on from a sequence, by sequence, by id, by time, by what an event is about.

Every statement is bounded: by a limit, or by how much of the log it looks through.
"""

from collections.abc import Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from typing import Any, Final

import apsw

from signalpost.domain.erasure import MAX_SHELL_BYTES
from signalpost.domain.event import Event, EventType, PastEvent, time_of
from signalpost.domain.trace_context import NOT_TRACED
from signalpost.sharing.resting_turns import Rest
from signalpost.store.nouns.log import LOG_NOW, LatestOfTypes, LogPage, LogPart, PastPage
from signalpost.store.sqlite.codec import list_numbers, pack_uuid, unpack_uuid
from signalpost.store.sqlite.connect import rows, rows_within
from signalpost.store.sqlite.readers import Readers, reading, reading_in_turns
from signalpost.store.sqlite.statements import ask
from signalpost.store.store import PAGE_BYTES
from signalpost.store.walks.history_walk import name_of_caller
from signalpost.store.walks.log_queries import MADE_AT

_EVENT_COLUMNS = "tenant_id, sequence, at, id, type, document_id, body, before, trace"

ROWS_OF_WALKS: Final = 16
"""After so many rows a walk may rest: a row on its own costs a walk half as much again."""
_BODY = _EVENT_COLUMNS.split(", ").index("body")
_PAST = (
    " FROM event WHERE tenant_id = ? AND sequence >= ? AND sequence < ? AND type & ?"
    f" AND length(body) > {MAX_SHELL_BYTES} ORDER BY sequence"
)
"""Forwards: backwards, a disk would read each page of the file on its own."""
_PAST_TYPES = "SELECT sequence, type" + _PAST
_PAST_CONTENT = "SELECT sequence, type, at, document_id, body, coalesce(before, x'')" + _PAST


class SqliteLog:
    def __init__(self, readers: Readers, max_scanned: int) -> None:
        self._readers = readers
        self._max_scanned = max_scanned

    @reading
    def after(self, connection: apsw.Connection, tenant_id: int, sequence: int, limit: int) -> LogPart:
        return page(connection, tenant_id, sequence, limit)

    @reading
    def latest(self, connection: apsw.Connection, tenant_id: int, after: int) -> LatestOfTypes:
        known = rows(connection, "SELECT last_sequence, config_version FROM tenant WHERE id = ?", (tenant_id,))
        last, config_version = known[0] if known else (0, 0)
        statement = (
            "SELECT sequence FROM event INDEXED BY event_log WHERE tenant_id = ? AND sequence > ? AND type = ?"
            " ORDER BY sequence DESC LIMIT 1"
        )
        found = {int(each): rows(connection, statement, (tenant_id, after, each)) for each in EventType}
        of_types = {event_type: each[0][0] for event_type, each in found.items() if each}
        return LatestOfTypes(after, last, config_version, of_types)

    @reading
    def events(self, connection: apsw.Connection, tenant_id: int, sequences: Sequence[int]) -> list[Event]:
        return events_at(connection, tenant_id, sequences)

    @reading
    def by_id(self, connection: apsw.Connection, tenant_id: int, event_id: str) -> Event | None:
        # An id carries its event's `createdAt`, which rises with the sequence, so no index on ids is needed.
        sequence = sequence_at(connection, tenant_id, time_of(event_id))
        for event in events_at(connection, tenant_id, (sequence,)):
            if event.id == event_id:
                return event
        return None

    @reading
    def newest(self, connection: apsw.Connection, tenant_id: int, document_id: str) -> Event | None:
        found = rows(
            connection,
            f"SELECT {_EVENT_COLUMNS} FROM event INDEXED BY event_document"  # noqa: S608
            " WHERE tenant_id = ? AND document_id = ? ORDER BY sequence DESC LIMIT 1",
            (tenant_id, pack_uuid(document_id)),
        )
        return _event(*found[0]) if found else None

    @reading_in_turns
    def feed(
        self,
        connection: apsw.Connection,
        tenant_id: int,
        after: int,
        types: int,
        document_id: str | None,
        limit: int,
    ) -> tuple[list[Event], int]:
        if document_id is not None:
            return _feed_of_document(connection, tenant_id, after, types, document_id, limit, self._max_scanned)
        last = min(last_sequence(connection, tenant_id), after + self._max_scanned)
        statement = (
            f"SELECT {_EVENT_COLUMNS} FROM event WHERE tenant_id = ? AND sequence > ? AND sequence <= ? AND type & ?"  # noqa: S608
            " ORDER BY sequence LIMIT ?"
        )
        found, is_cut = rows_within(connection, statement, (tenant_id, after, last, types, limit), _body_size)
        events = [_event(*columns) for columns in found]
        return events, events[-1].sequence if is_cut or len(events) == limit else last

    @reading_in_turns
    def back(
        self,
        connection: apsw.Connection,
        tenant_id: int,
        before: int,
        types: int,
        document_id: str | None,
        limit: int,
    ) -> LogPage:
        lowest = floor(connection, tenant_id)
        before = min(before, last_sequence(connection, tenant_id) + 1)
        if document_id is not None:
            of_document = (tenant_id, pack_uuid(document_id), lowest, before, self._max_scanned)
            return _back_in_document(connection, of_document, types, limit)
        low = max(lowest, before - self._max_scanned)
        statement = (
            f"SELECT {_EVENT_COLUMNS} FROM event WHERE tenant_id = ? AND sequence >= ? AND sequence < ? AND type & ?"  # noqa: S608
            " ORDER BY sequence DESC LIMIT ?"
        )
        found, is_cut = rows_within(connection, statement, (tenant_id, low, before, types, limit), _body_size)
        events = [_event(*columns) for columns in found]
        reached = events[-1].sequence if is_cut or len(events) == limit else low
        return LogPage(events, before - 1, reached if reached > lowest else None)

    async def past(self, tenant_id: int, before: int, types: int, limit: int, *, with_content: bool) -> PastPage:
        statement = _PAST_CONTENT if with_content else _PAST_TYPES
        return await self._readers.walk_in_turn(tenant_id, partial(_past, statement, tenant_id, before, types, limit))

    def external_id(self, document: bytes) -> str:
        return unpack_uuid(document)

    @reading
    def callers(self, connection: apsw.Connection, tenant_id: int, sequences: Sequence[int]) -> dict[int, str]:
        found = rows(
            connection,
            "SELECT e.sequence, e.caller, coalesce(k.name, m.name) FROM event e INDEXED BY event_log"
            " LEFT JOIN api_key k ON k.number = e.caller LEFT JOIN member m ON m.number = e.caller"
            " WHERE e.tenant_id = ? AND e.sequence IN (SELECT value FROM json_each(?))",
            (tenant_id, list_numbers(sequences)),
        )
        names = ((sequence, name_of_caller(caller, name)) for sequence, caller, name in found)
        return {sequence: name for sequence, name in names if name is not None}

    @reading
    def floor(self, connection: apsw.Connection, tenant_id: int) -> int:
        return floor(connection, tenant_id)

    @reading
    def sequence_at(self, connection: apsw.Connection, tenant_id: int, at: int) -> int:
        return sequence_at(connection, tenant_id, at)


def page(connection: apsw.Connection, tenant_id: int, sequence: int, limit: int) -> LogPart:
    statement = f"SELECT {_EVENT_COLUMNS} FROM event WHERE tenant_id = ? AND sequence > ? ORDER BY sequence LIMIT ?"  # noqa: S608
    found, _ = rows_within(connection, statement, (tenant_id, sequence, limit), _body_size)
    of_tenant = ask(connection, LOG_NOW, tenant_id)
    return LogPart([_event(*columns) for columns in found], *(of_tenant[0] if of_tenant else (1, 0, 0)))


def _past(
    statement: str, tenant_id: int, before: int, types: int, limit: int, connection: apsw.Connection, rest: Rest
) -> PastPage:
    lowest = floor(connection, tenant_id)
    before = min(before, last_sequence(connection, tenant_id) + 1)
    low = max(lowest, before - limit)
    while True:
        events, is_cut = _past_events(connection, statement, (tenant_id, low, before, types), rest)
        if not is_cut:
            return PastPage(events[::-1], low if low > lowest else None)
        low = before - max(1, len(events) // 2)  # the page is what comes last


def _past_events(
    connection: apsw.Connection, statement: str, within: tuple[int, int, int, int], rest: Rest
) -> tuple[list[PastEvent], bool]:
    """The events of a part of the log, until their bodies add up to `PAGE_BYTES`, and whether there may be more."""
    events: list[PastEvent] = []
    left = PAGE_BYTES
    with closing(connection.execute(statement, within)) as cursor:  # no read cursor outlives a call
        while left > 0 and (found := [*islice(cursor, ROWS_OF_WALKS)]):
            some = [PastEvent(*columns) for columns in found]
            events += some
            left -= sum([len(event.body) for event in some])
            rest()
    return events, left <= 0 and len(events) > 1


def _feed_of_document(
    connection: apsw.Connection,
    tenant_id: int,
    after: int,
    types: int,
    document_id: str,
    limit: int,
    max_scanned: int,
) -> tuple[list[Event], int]:
    looked_at = rows(
        connection,
        "SELECT sequence, type FROM event INDEXED BY event_document WHERE tenant_id = ? AND document_id = ?"
        " AND sequence > ? ORDER BY sequence LIMIT ?",
        (tenant_id, pack_uuid(document_id), after, max_scanned),
    )
    found = [sequence for sequence, event_type in looked_at if event_type & types][:limit]
    last = last_sequence(connection, tenant_id)
    if len(found) == limit:
        last = found[-1]
    elif len(looked_at) == max_scanned:
        last = looked_at[-1][0]
    events = events_at(connection, tenant_id, found)
    is_cut = sum(len(event.body) for event in events) >= PAGE_BYTES
    return events, events[-1].sequence if is_cut else last


def _back_in_document(
    connection: apsw.Connection, of_document: tuple[int, bytes, int, int, int], types: int, limit: int
) -> LogPage:
    """`of_document` has the tenant, the document, the log's floor, the sequence from below which on to look, and how
    many events to look at."""
    tenant_id, _, _, before, max_scanned = of_document
    looked_at = rows(
        connection,
        "SELECT sequence, type FROM event INDEXED BY event_document WHERE tenant_id = ? AND document_id = ?"
        " AND sequence >= ? AND sequence < ? ORDER BY sequence DESC LIMIT ?",
        of_document,
    )
    found = [sequence for sequence, event_type in looked_at if event_type & types][:limit]
    reached = looked_at[-1][0] if len(looked_at) == max_scanned else None
    if len(found) == limit:
        reached = found[-1]
    events = events_at(connection, tenant_id, found)
    return LogPage(events, before - 1, events[-1].sequence if len(events) < len(found) else reached)


def last_sequence(connection: apsw.Connection, tenant_id: int) -> int:
    return rows(connection, "SELECT last_sequence FROM tenant WHERE id = ?", (tenant_id,))[0][0]  # type: ignore[no-any-return]


def last_at(connection: apsw.Connection, tenant_id: int) -> int:
    return rows(connection, "SELECT last_at FROM tenant WHERE id = ?", (tenant_id,))[0][0]  # type: ignore[no-any-return]


def at_of(connection: apsw.Connection, tenant_id: int, sequence: int) -> int:
    """When an event that is still kept was created."""
    return ask(connection, MADE_AT, tenant_id, sequence)[0][0]  # type: ignore[no-any-return]


def floor(connection: apsw.Connection, tenant_id: int) -> int:
    return rows(connection, "SELECT floor FROM tenant WHERE id = ?", (tenant_id,))[0][0]  # type: ignore[no-any-return]


def sequence_at(connection: apsw.Connection, tenant_id: int, at: int) -> int:
    """The lowest kept sequence created at `at` or later: a binary search, since `createdAt` rises with the sequence."""
    low, high = floor(connection, tenant_id), last_sequence(connection, tenant_id) + 1
    while low < high:
        middle = (low + high) // 2
        found = ask(connection, MADE_AT, tenant_id, middle)
        if not found or found[0][0] < at:
            low = middle + 1
        else:
            high = middle
    return low


def events_at(connection: apsw.Connection, tenant_id: int, sequences: Sequence[int]) -> list[Event]:
    """See `LogStore.events`."""
    statement = f"SELECT {_EVENT_COLUMNS} FROM event WHERE tenant_id = ? AND sequence = ?"  # noqa: S608
    events: list[Event] = []
    size = 0
    found = connection.executemany(statement, [(tenant_id, sequence) for sequence in sequences])
    for columns in found:
        events.append(_event(*columns))
        size += _body_size(columns)
        if size >= PAGE_BYTES:
            break
    found.close(force=True)  # no read cursor outlives a call, nor those that were not asked for
    return events


def _body_size(columns: tuple[Any, ...]) -> int:
    return len(columns[_BODY])


def _event(
    tenant_id: int,
    sequence: int,
    at: int,
    identity: bytes,
    event_type: int,
    document: bytes,
    body: bytes,
    before: bytes | None,
    trace: bytes | None,
) -> Event:
    return Event(
        tenant_id,
        sequence,
        at,
        unpack_uuid(identity),
        event_type,
        unpack_uuid(document),
        body,
        before or b"",
        trace or NOT_TRACED,
    )
