"""The history of documents."""

from collections.abc import Sequence
from typing import Final

from signalpost.domain.documents.history import HistoryPosition
from signalpost.store.nouns.history import WAS_CREATED, HistoryRows
from signalpost.store.postgres.asking import ask_one, steps_of
from signalpost.store.postgres.sessions import ReadSessions
from signalpost.store.store import PAGE_BYTES
from signalpost.store.walks import history_walk
from signalpost.store.walks.history_walk import KnownEvent, KnownStep

_EVENTS: Final = f"""
SELECT e.sequence, e.at, e.id, e.type, e.cause, e.caller, coalesce(k.name, m.name), e.body
FROM (
    SELECT found.*, sum(octet_length(body)) OVER (ORDER BY sequence DESC) - octet_length(body) AS bytes_before
    FROM (
        SELECT * FROM event
        WHERE tenant_id = $1 AND document_id = $2::uuid AND sequence < $3
            AND sequence >= (SELECT floor FROM tenant WHERE id = $1)
        ORDER BY sequence DESC LIMIT $4
    ) found
) e
LEFT JOIN api_key k ON k.number = e.caller
LEFT JOIN member m ON m.number = e.caller
WHERE e.bytes_before < {PAGE_BYTES}
ORDER BY e.sequence DESC
"""
_STEPS: Final = """
SELECT s.number, s.sequence, s.at, s.event_id, s.caller, coalesce(k.name, m.name), s.step
FROM step s LEFT JOIN api_key k ON k.number = s.caller
LEFT JOIN member m ON m.number = s.caller
WHERE s.tenant_id = $1 AND s.document_id = $2::uuid AND s.sequence <= $3
    AND (s.sequence < $3 OR CASE WHEN s.event_id IS NULL THEN s.number ELSE 0 END < $4)
ORDER BY s.sequence DESC, s.number DESC LIMIT $5
"""


class PostgresHistory:
    def __init__(self, readers: ReadSessions) -> None:
        self._readers = readers
        self._queries = PostgresHistoryQueries()

    async def page(
        self, tenant_id: int, document_id: str, below: HistoryPosition | None, limit: int
    ) -> HistoryRows | None:
        asking = history_walk.page(self._queries, tenant_id, document_id, below, limit)
        return await self._readers.run_in_turn(tenant_id, steps_of(asking))


class PostgresHistoryQueries:
    async def was_created(self, tenant_id: int, document_id: str) -> bool:
        return bool(await ask_one(WAS_CREATED, tenant_id, document_id))

    async def events(
        self, tenant_id: int, document_id: str, below: HistoryPosition, limit: int
    ) -> tuple[Sequence[KnownEvent], bool]:
        end = below.sequence + (below.number > 0)
        found = [KnownEvent(*columns) for columns in await ask_one(_EVENTS, tenant_id, document_id, end, limit)]
        return found, sum(len(event.body) for event in found) >= PAGE_BYTES

    async def steps(self, tenant_id: int, document_id: str, below: HistoryPosition, limit: int) -> Sequence[KnownStep]:
        return [KnownStep(*columns) for columns in await ask_one(_STEPS, tenant_id, document_id, *below, limit)]
