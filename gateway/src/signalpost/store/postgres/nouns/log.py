"""The log: read on from a sequence, by sequence, by id, by time, by what an event is about.

Every statement is bounded: by a limit, or by how much of the log it looks through. A page of events ends with the one
with which their bodies come to some MiB; the server adds these up, so that no more is sent.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from signalpost.domain.erasure import MAX_SHELL_BYTES
from signalpost.domain.event import Event, EventType, PastEvent, time_of
from signalpost.domain.trace_context import NOT_TRACED
from signalpost.sharing.resting_turns import WALKS_REST
from signalpost.store.nouns.log import LOG_NOW, LatestOfTypes, LogPage, LogPart, PastPage
from signalpost.store.postgres.asking import ask, ask_one, steps_of
from signalpost.store.postgres.columns import numbers
from signalpost.store.postgres.nouns.log_queries import AMONG, PostgresLogQueries
from signalpost.store.postgres.sessions import ReadSessions, Steps
from signalpost.store.statements import Row, Statement
from signalpost.store.store import PAGE_BYTES
from signalpost.store.walks.history_walk import name_of_caller
from signalpost.store.walks.log_queries import ENDS

_COLUMNS: Final = "tenant_id, sequence, at, id, type, document_id, body, before, trace"
_FLOOR: Final = "(SELECT floor FROM tenant WHERE id = $1)"
_WITHIN: Final = (
    f"SELECT {_COLUMNS} FROM (SELECT {_COLUMNS}, sum(octet_length(body)) OVER (ORDER BY sequence) - octet_length(body)"
    f" AS bytes_before FROM ({{}}) found) counted WHERE bytes_before < {PAGE_BYTES} ORDER BY sequence"
)
"""The rows of a query up to the one with which their bodies come to the size of a page."""
_AFTER: Final = _WITHIN.format(
    f"SELECT {_COLUMNS} FROM event WHERE tenant_id = $1 AND sequence > $2 AND sequence >= {_FLOOR}"
    " ORDER BY sequence LIMIT $3"
)
_ENDS_OF_MANY: Final = "SELECT id, floor, last_sequence, config_version FROM tenant WHERE id = ANY($1)"
_NEWS: Final = (
    f"SELECT {_COLUMNS} FROM (SELECT e.*, k.place,"
    " sum(octet_length(e.body)) OVER (ORDER BY k.place, e.sequence) - octet_length(e.body) AS bytes_before"
    " FROM unnest($1, $2) WITH ORDINALITY AS k (tenant_id, seen, place) JOIN tenant t ON t.id = k.tenant_id"
    f" CROSS JOIN LATERAL (SELECT {_COLUMNS} FROM event e WHERE e.tenant_id = k.tenant_id AND e.sequence > k.seen"
    " AND e.sequence >= t.floor ORDER BY e.sequence LIMIT $3) e) counted"
    f" WHERE bytes_before < {PAGE_BYTES} ORDER BY place, sequence"
)
"""The rows up to the one with which the bodies of all tenants come to the size of a page."""
_OF_TYPES: Final = _WITHIN.format(
    f"SELECT {_COLUMNS} FROM event WHERE tenant_id = $1 AND sequence > $2 AND sequence >= {_FLOOR} AND sequence <= $3"
    " AND type & $4 <> 0 ORDER BY sequence LIMIT $5"
)
_BACK: Final = (
    f"SELECT {_COLUMNS} FROM (SELECT found.*, sum(octet_length(body)) OVER (ORDER BY sequence DESC)"
    " - octet_length(body) AS bytes_before FROM (SELECT * FROM event WHERE tenant_id = $1 AND sequence >= $2"
    " AND sequence < $3 AND type & $4 <> 0 ORDER BY sequence DESC LIMIT $5) found) counted"
    f" WHERE bytes_before < {PAGE_BYTES} ORDER BY sequence DESC"
)
_PAST: Final = (
    " FROM event WHERE tenant_id = $1 AND sequence >= $2 AND sequence < $3 AND type & $4 <> 0"
    f" AND octet_length(body) > {MAX_SHELL_BYTES}"
)
_PAST_BYTES: Final = "SELECT coalesce(sum(octet_length(body)), 0)::bigint" + _PAST
_PAST_TYPES: Final = "SELECT sequence, type" + _PAST + " ORDER BY sequence"
_PAST_CONTENT: Final = (
    "SELECT sequence, type, at, uuid_send(document_id), body, coalesce(before, '')" + _PAST + " ORDER BY sequence"
)
"""Forwards: backwards, a disk would read each page of the table on its own."""
_LATEST: Final = (
    "SELECT k.type, (SELECT sequence FROM event e WHERE e.tenant_id = $1 AND e.sequence > $2 AND e.type = k.type"
    " ORDER BY sequence DESC LIMIT 1) FROM unnest($3) AS k (type)"
)
_EVENTS: Final = (
    f"SELECT {_COLUMNS} FROM (SELECT e.*, k.place,"
    " sum(octet_length(e.body)) OVER (ORDER BY k.place) - octet_length(e.body) AS bytes_before"
    " FROM unnest($2) WITH ORDINALITY AS k (sequence, place)"
    f" JOIN event e ON e.tenant_id = $1 AND e.sequence = k.sequence AND e.sequence >= {_FLOOR} AND {AMONG}) counted"
    f" WHERE bytes_before < {PAGE_BYTES} ORDER BY place"
)
_BACK_IN_DOCUMENT: Final = (
    "SELECT sequence, type FROM event WHERE tenant_id = $1 AND document_id = $2::uuid AND sequence < $3"
    f" AND sequence >= {_FLOOR} ORDER BY sequence DESC LIMIT $4"
)
_CALLERS: Final = (
    "SELECT e.sequence, e.caller, coalesce(k.name, m.name) FROM event e LEFT JOIN api_key k ON k.number = e.caller"
    " LEFT JOIN member m ON m.number = e.caller"
    f" WHERE e.tenant_id = $1 AND e.sequence = ANY($2) AND e.sequence >= {_FLOOR} AND {AMONG}"
)
_NEWEST: Final = (
    f"SELECT {_COLUMNS} FROM event WHERE tenant_id = $1 AND document_id = $2::uuid AND sequence >= {_FLOOR}"
    " ORDER BY sequence DESC LIMIT 1"
)
_OF_DOCUMENT: Final = (
    "SELECT sequence, type FROM event WHERE tenant_id = $1 AND document_id = $2::uuid AND sequence > $3"
    f" AND sequence >= {_FLOOR} ORDER BY sequence LIMIT $4"
)


async def page(tenant_id: int, sequence: int, limit: int) -> LogPart:
    """See `LogStore.after`. Asked within the steps of a transaction."""
    ends, found = await ask(Statement(LOG_NOW, (tenant_id,)), Statement(_AFTER, (tenant_id, sequence, limit)))
    return LogPart([*map(_event, found)], *(ends[0] if ends else (1, 0, 0)))


def news(seen: Mapping[int, int], limit: int) -> Steps[dict[int, LogPart]]:
    """See `FleetStore.news`: the pages of many tenants in one statement."""
    keys = (numbers(seen), numbers(seen.values()))
    ends, found = yield [Statement(_ENDS_OF_MANY, keys[:1]), Statement(_NEWS, (*keys, limit))]
    events: dict[int, list[Event]] = {}
    for event in map(_event, found):
        events.setdefault(event.tenant_id, []).append(event)
    return {
        tenant_id: LogPart(events.get(tenant_id, []), floor, last, config_version)
        for tenant_id, floor, last, config_version in ends
        if tenant_id in events or last <= seen[tenant_id]
    }


class PostgresLog:
    def __init__(self, readers: ReadSessions, max_scanned: int) -> None:
        self._readers = readers
        self._max_scanned = max_scanned
        self._queries = PostgresLogQueries()

    async def after(self, tenant_id: int, sequence: int, limit: int) -> LogPart:
        return await self._readers.run(tenant_id, steps_of(page(tenant_id, sequence, limit)))

    async def latest(self, tenant_id: int, after: int) -> LatestOfTypes:
        return await self._readers.run(tenant_id, steps_of(self._latest(tenant_id, after)))

    async def _latest(self, tenant_id: int, after: int) -> LatestOfTypes:
        ends, found = await ask(
            Statement(LOG_NOW, (tenant_id,)), Statement(_LATEST, (tenant_id, after, numbers(EventType)))
        )
        of_types = {event_type: sequence for event_type, sequence in found if sequence is not None}
        _, last, config_version = ends[0] if ends else (1, 0, 0)
        return LatestOfTypes(after, last, config_version, of_types)

    async def events(self, tenant_id: int, sequences: Sequence[int]) -> list[Event]:
        return [*map(_event, await self._readers.rows(tenant_id, _EVENTS, tenant_id, numbers(sequences)))]

    async def by_id(self, tenant_id: int, event_id: str) -> Event | None:
        return await self._readers.run(tenant_id, steps_of(self._by_id(tenant_id, event_id)))

    async def _by_id(self, tenant_id: int, event_id: str) -> Event | None:
        # An id carries its event's `createdAt`, which rises with the sequence, so no index on ids is needed.
        sequence = await self._queries.sequence_at(tenant_id, time_of(event_id))
        for row in await ask_one(_EVENTS, tenant_id, numbers([sequence])):
            if (event := _event(row)).id == event_id:
                return event
        return None

    async def newest(self, tenant_id: int, document_id: str) -> Event | None:
        found = await self._readers.rows(tenant_id, _NEWEST, tenant_id, document_id)
        return _event(found[0]) if found else None

    async def feed(
        self, tenant_id: int, after: int, types: int, document_id: str | None, limit: int
    ) -> tuple[list[Event], int]:
        if document_id is None:
            return await self._readers.run_in_turn(tenant_id, steps_of(self._feed(tenant_id, after, types, limit)))
        of_document = self._feed_of_document(tenant_id, after, types, document_id, limit)
        return await self._readers.run_in_turn(tenant_id, steps_of(of_document))

    async def _feed(self, tenant_id: int, after: int, types: int, limit: int) -> tuple[list[Event], int]:
        ends = await self._queries.ends(tenant_id)
        last = min(ends.last, after + self._max_scanned)
        events = [*map(_event, await ask_one(_OF_TYPES, tenant_id, after, last, types, limit))]
        return events, events[-1].sequence if _is_cut(events) or len(events) == limit else last

    async def _feed_of_document(
        self, tenant_id: int, after: int, types: int, document_id: str, limit: int
    ) -> tuple[list[Event], int]:
        looked_at = await ask_one(_OF_DOCUMENT, tenant_id, document_id, after, self._max_scanned)
        found = [sequence for sequence, event_type in looked_at if event_type & types][:limit]
        last = (await self._queries.ends(tenant_id)).last
        if len(found) == limit:
            last = found[-1]
        elif len(looked_at) == self._max_scanned:
            last = looked_at[-1][0]
        events = await events_at(tenant_id, found)
        return events, events[-1].sequence if _is_cut(events) else last

    async def back(self, tenant_id: int, before: int, types: int, document_id: str | None, limit: int) -> LogPage:
        back = self._back(tenant_id, before, types, document_id, limit)
        return await self._readers.run_in_turn(tenant_id, steps_of(back))

    async def _back(self, tenant_id: int, before: int, types: int, document_id: str | None, limit: int) -> LogPage:
        ends = await self._queries.ends(tenant_id)
        before = min(before, ends.last + 1)
        if document_id is not None:
            return await self._back_in_document(tenant_id, document_id, before, types, limit)
        low = max(ends.floor, before - self._max_scanned)
        events = [*map(_event, await ask_one(_BACK, tenant_id, low, before, types, limit))]
        reached = events[-1].sequence if _is_cut(events) or len(events) == limit else low
        return LogPage(events, before - 1, reached if reached > ends.floor else None)

    async def _back_in_document(self, tenant_id: int, document_id: str, before: int, types: int, limit: int) -> LogPage:
        looked_at = await ask_one(_BACK_IN_DOCUMENT, tenant_id, document_id, before, self._max_scanned)
        found = [sequence for sequence, event_type in looked_at if event_type & types][:limit]
        reached = looked_at[-1][0] if len(looked_at) == self._max_scanned else None
        if len(found) == limit:
            reached = found[-1]
        events = await events_at(tenant_id, found)
        return LogPage(events, before - 1, events[-1].sequence if len(events) < len(found) else reached)

    async def past(self, tenant_id: int, before: int, types: int, limit: int, *, with_content: bool) -> PastPage:
        past = self._past(tenant_id, before, types, limit, with_content=with_content)
        return await self._readers.run_in_turn(tenant_id, steps_of(past), WALKS_REST)

    async def _past(self, tenant_id: int, before: int, types: int, limit: int, *, with_content: bool) -> PastPage:
        ends = await self._queries.ends(tenant_id)
        before = min(before, ends.last + 1)
        low = max(ends.floor, before - limit)
        while with_content and before - low > 1:
            [(size,)] = await ask_one(_PAST_BYTES, tenant_id, low, before, types)
            if size <= PAGE_BYTES:
                break
            low = before - (before - low) // 2
        found = await ask_one(_PAST_CONTENT if with_content else _PAST_TYPES, tenant_id, low, before, types)
        return PastPage([PastEvent(*columns) for columns in reversed(found)], low if low > ends.floor else None)

    def external_id(self, document: bytes) -> str:
        return str(UUID(bytes=document))

    async def callers(self, tenant_id: int, sequences: Sequence[int]) -> dict[int, str]:
        found = await self._readers.rows(tenant_id, _CALLERS, tenant_id, numbers(sequences))
        names = ((sequence, name_of_caller(caller, name)) for sequence, caller, name in found)
        return {sequence: name for sequence, name in names if name is not None}

    async def floor(self, tenant_id: int) -> int:
        [(floor, *_)] = await self._readers.rows(tenant_id, ENDS, tenant_id)
        return int(floor)

    async def sequence_at(self, tenant_id: int, at: int) -> int:
        return await self._readers.run(tenant_id, steps_of(self._queries.sequence_at(tenant_id, at)))


def _is_cut(events: Sequence[Event]) -> bool:
    """Whether there may be more because of the size of these."""
    return sum(len(event.body) for event in events) >= PAGE_BYTES


async def events_at(tenant_id: int, sequences: Sequence[int]) -> list[Event]:
    """See `LogStore.events`. It is asked within the steps of a transaction."""
    return [*map(_event, await ask_one(_EVENTS, tenant_id, numbers(sequences)))]


def _event(columns: Row) -> Event:
    tenant_id, sequence, at, identity, event_type, document_id, body, before, trace = columns
    return Event(tenant_id, sequence, at, identity, event_type, document_id, body, before or b"", trace or NOT_TRACED)
