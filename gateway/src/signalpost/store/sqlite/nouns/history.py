"""The history of documents."""

from collections.abc import Sequence

import apsw

from signalpost.domain.documents.history import HistoryPosition
from signalpost.domain.event import EventType
from signalpost.store.nouns.history import WAS_CREATED, HistoryRows
from signalpost.store.sqlite.codec import pack_uuid, unpack_uuid
from signalpost.store.sqlite.connect import rows, rows_within
from signalpost.store.sqlite.readers import Readers, at_once, reading_in_turns
from signalpost.store.sqlite.statements import ask
from signalpost.store.walks import history_walk
from signalpost.store.walks.history_walk import KnownEvent, KnownStep


class SqliteHistory:
    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    @reading_in_turns
    def page(
        self,
        connection: apsw.Connection,
        tenant_id: int,
        document_id: str,
        below: HistoryPosition | None,
        limit: int,
    ) -> HistoryRows | None:
        return at_once(history_walk.page(SqliteHistoryQueries(connection), tenant_id, document_id, below, limit))


class SqliteHistoryQueries:
    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    async def was_created(self, tenant_id: int, document_id: str) -> bool:
        return bool(ask(self._connection, WAS_CREATED, tenant_id, document_id))

    async def events(
        self, tenant_id: int, document_id: str, below: HistoryPosition, limit: int
    ) -> tuple[Sequence[KnownEvent], bool]:
        found, is_cut = rows_within(
            self._connection,
            "SELECT e.sequence, e.at, e.id, e.type, e.cause, e.caller, coalesce(k.name, m.name), e.body"
            " FROM event e INDEXED BY event_document LEFT JOIN api_key k ON k.number = e.caller"
            " LEFT JOIN member m ON m.number = e.caller"
            " WHERE e.tenant_id = ? AND e.document_id = ? AND e.sequence < ? ORDER BY e.sequence DESC LIMIT ?",
            (tenant_id, pack_uuid(document_id), below.sequence + (below.number > 0), limit),
            lambda columns: len(columns[-1]),
        )
        return [KnownEvent(sequence, at, unpack_uuid(packed), *rest) for sequence, at, packed, *rest in found], is_cut

    async def steps(self, tenant_id: int, document_id: str, below: HistoryPosition, limit: int) -> Sequence[KnownStep]:
        found = rows(
            self._connection,
            "SELECT s.number, s.sequence, s.at, s.event_id, s.caller, coalesce(k.name, m.name), s.step"
            " FROM step s INDEXED BY step_document LEFT JOIN api_key k ON k.number = s.caller"
            " LEFT JOIN member m ON m.number = s.caller"
            " WHERE s.tenant_id = ?1 AND s.document_id = ?2 AND s.sequence <= ?3"
            " AND (s.sequence < ?3 OR iif(s.event_id IS NULL, s.number, 0) < ?4)"
            " ORDER BY s.sequence DESC, s.number DESC LIMIT ?5",
            (tenant_id, pack_uuid(document_id), *below, limit),
        )
        return [
            KnownStep(number, sequence, at, None if packed is None else unpack_uuid(packed), *rest)
            for number, sequence, at, packed, *rest in found
        ]


def prune(connection: apsw.Connection, tenant_id: int, end: int) -> None:
    """Remove the steps of documents that were deleted by an event below `end`. This has to happen before that event
    itself is removed."""
    connection.execute(
        "DELETE FROM step WHERE number IN (SELECT s.number FROM event e CROSS JOIN step s"
        " ON s.tenant_id = e.tenant_id AND s.document_id = e.document_id AND s.sequence <= e.sequence"
        " WHERE e.tenant_id = ? AND e.sequence < ? AND e.type = ?)",
        (tenant_id, end, EventType.DELETED),
    )
