"""The queries that lists of deliveries are made of.

Each finds nothing of what is below the tenant's floor, which walks begin at.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.event import TITLE_WITHIN_BYTES, title_of
from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.deliveries import AttemptRow
from signalpost.store.nouns.log import LogRow
from signalpost.store.packing.lanes import RECORDED
from signalpost.store.postgres.asking import ask, ask_one
from signalpost.store.postgres.columns import numbers, uuids
from signalpost.store.postgres.nouns.log_queries import AMONG, PostgresLogQueries
from signalpost.store.statements import Statement
from signalpost.store.walks.delivery_queries import DeliveryPart, DeliveryScope, ListedDelivery, RowState
from signalpost.store.walks.recorded_lane import RecordedLane

_UNSETTLED_LANES: Final = (
    "SELECT subscription_number, head, open, gaps, health FROM lane WHERE subscription_number = ANY($1)"
    " AND (head < $2 OR length(open) > 0 OR gaps <> '[]')"
)
_ROW_COUNTS: Final = (
    "SELECT sequence, state, count(*) FROM delivery WHERE tenant_id = $1 AND state = ANY("
    f"'{{{State.AWAITING_RETRY:d}, {State.BLOCKED:d}, {State.FAILED:d}}}') AND sequence = ANY($2)"
    " AND subscription_number <> ALL($3) GROUP BY 1, 2"
)
_RETRIES: Final = "SELECT subscription_number, sequence, of_version FROM retry WHERE subscription_number = ANY($1)"
_TYPES_BETWEEN: Final = (
    "SELECT sequence, type FROM event WHERE tenant_id = $1 AND sequence >= $2 AND sequence <= $3 AND type & $4 <> 0"
    " ORDER BY sequence DESC LIMIT $5"
)
_TYPES_OF_DOCUMENT: Final = (
    "SELECT sequence, type FROM event WHERE tenant_id = $1 AND document_id = $2::uuid"
    " AND sequence >= $3 AND sequence <= $4 ORDER BY sequence DESC LIMIT $5"
)
_TYPES_OF: Final = (
    f"SELECT e.sequence, e.type FROM event e WHERE e.tenant_id = $1 AND e.sequence = ANY($2) AND {AMONG}"
    " AND e.type & $3 <> 0"
)
_IN_STATE: Final = (
    "SELECT sequence, subscription_number, state FROM delivery WHERE {} = $1 AND state = $2 AND sequence >= $3"
    " AND (sequence, subscription_number) < ($4, $5) ORDER BY sequence DESC, subscription_number DESC LIMIT $6"
)
_OF_EVENTS: Final = (
    "SELECT sequence, subscription_number, d.state FROM unnest($2) AS s (state), unnest($3) AS k (event)"
    " CROSS JOIN LATERAL (SELECT * FROM delivery WHERE {} = $1 AND state = s.state AND sequence = k.event OFFSET 0) d"
    " WHERE (sequence, subscription_number) < ($4, $5) ORDER BY sequence DESC, subscription_number DESC LIMIT $6"
)
"""OFFSET 0 has each state and event be looked for by key, whatever PostgreSQL knows of the table."""
_SKIPPED: Final = (
    "SELECT a.sequence, a.subscription_number FROM attempt a"
    f" WHERE a.tenant_id = $1 AND a.failure = '{Failure.SKIPPED}' AND NOT EXISTS (SELECT FROM attempt b"
    " WHERE b.tenant_id = a.tenant_id AND b.sequence = a.sequence AND b.subscription_number = a.subscription_number"
    " AND b.started_at > a.started_at) AND a.sequence >= $2"
)
_SKIPPED_BELOW: Final = (
    f"{_SKIPPED} AND (a.sequence, a.subscription_number) < ($3, $4)"
    " ORDER BY a.sequence DESC, a.subscription_number DESC LIMIT $5"
)
_SKIPPED_BETWEEN: Final = f"{_SKIPPED} AND a.sequence <= $3"
_SKIPPED_FOR_GOOD: Final = (
    f"{_SKIPPED} AND a.sequence = ANY($3) AND NOT EXISTS (SELECT FROM delivery d"
    " WHERE d.subscription_number = a.subscription_number AND d.sequence = a.sequence)"
)
_ENTRIES: Final = (
    f"SELECT e.sequence, e.at, e.id, e.type, e.document_id, substr(e.body, 1, {TITLE_WITHIN_BYTES}) FROM event e"
    f" WHERE e.tenant_id = $1 AND e.sequence = ANY($2) AND {AMONG}"
)
_ROW_STATES: Final = (
    "SELECT d.subscription_number, d.sequence, d.state, d.due, d.failed_attempts, d.max_attempts"
    " FROM unnest($1, $2) AS k (subscription_number, sequence)"
    " JOIN delivery d ON d.subscription_number = k.subscription_number AND d.sequence = k.sequence"
)
_ATTEMPT: Final = "sequence, started_at, elapsed_us, number, run, counted, status, failure, detail, answer, exchange"
_ATTEMPTS: Final = (
    f"SELECT {_ATTEMPT} FROM attempt WHERE tenant_id = $1 AND sequence = $2 AND subscription_number = $3"
    " AND sequence >= (SELECT floor FROM tenant WHERE id = $1) ORDER BY started_at DESC LIMIT $4"
)
_LAST_ATTEMPTS: Final = (
    "SELECT k.subscription_number, a.* FROM unnest($2, $3) AS k (subscription_number, sequence)"
    f" CROSS JOIN LATERAL (SELECT {_ATTEMPT} FROM attempt a WHERE a.tenant_id = $1 AND a.sequence = k.sequence"
    " AND a.subscription_number = k.subscription_number ORDER BY a.started_at DESC LIMIT 1) a"
)
_UNATTEMPTED: Final = (
    "SELECT k.subscription_number, k.sequence FROM unnest($2, $3) AS k (subscription_number, sequence)"
    " WHERE NOT EXISTS (SELECT FROM attempt a WHERE a.tenant_id = $1 AND a.sequence = k.sequence"
    " AND a.subscription_number = k.subscription_number)"
)
_EARLIER: Final = (
    "SELECT k.sequence, e.sequence, e.at, e.id, e.type, e.document_id"
    " FROM unnest($2, $3) AS k (document_id, sequence)"
    " CROSS JOIN LATERAL (SELECT e.sequence, e.at, e.id, e.type, e.document_id FROM event e"
    " WHERE e.tenant_id = $1 AND e.document_id = k.document_id AND e.sequence < k.sequence"
    " AND e.sequence >= (SELECT floor FROM tenant WHERE id = $1) ORDER BY e.sequence DESC LIMIT $4) e"
    " ORDER BY k.sequence, e.sequence DESC"
)


class PostgresDeliveryQueries(PostgresLogQueries):
    async def lanes(self, subscriptions: Sequence[Subscription]) -> dict[int, RecordedLane]:
        by_number = {subscription.number: subscription for subscription in subscriptions}
        wanted = [numbers(by_number)]
        found, retries = await ask(Statement(RECORDED, ([*by_number],)), Statement(_RETRIES, wanted))
        lanes = {number: RecordedLane(by_number[number], *columns) for number, *columns in found}
        for number, *asked in retries:
            if number in lanes:
                lanes[number].take_retry(*asked)
        return lanes

    async def lanes_with_unsettled(self, subscriptions: Sequence[Subscription], top: int) -> dict[int, RecordedLane]:
        by_number = {subscription.number: subscription for subscription in subscriptions}
        found = await ask_one(_UNSETTLED_LANES, numbers(by_number), top)
        return {number: RecordedLane(by_number[number], *columns) for number, *columns in found}

    async def row_counts(
        self, tenant_id: int, sequences: Collection[int], left_out: Collection[int]
    ) -> Counter[tuple[int, int]]:
        found = await ask_one(_ROW_COUNTS, tenant_id, numbers(sequences), numbers(left_out))
        return Counter({(sequence, state): count for sequence, state, count in found})

    async def skipped_for_good(self, tenant_id: int, sequences: Collection[int]) -> list[tuple[int, int]]:
        return await ask_one(_SKIPPED_FOR_GOOD, tenant_id, min(sequences), numbers(sequences))

    async def types_between(self, tenant_id: int, low: int, top: int, types: int, limit: int) -> list[tuple[int, int]]:
        return await ask_one(_TYPES_BETWEEN, tenant_id, low, top, types, limit)

    async def types_of_document(
        self, tenant_id: int, document_id: str, low: int, top: int, limit: int
    ) -> list[tuple[int, int]]:
        return await ask_one(_TYPES_OF_DOCUMENT, tenant_id, document_id, low, top, limit)

    async def types_of(self, tenant_id: int, sequences: Collection[int], types: int) -> list[tuple[int, int]]:
        return await ask_one(_TYPES_OF, tenant_id, numbers(sequences), types) if sequences else []

    async def rows_in_state(
        self, whose: DeliveryScope, state: int, low: int, part: DeliveryPart
    ) -> list[ListedDelivery]:
        column, value = _narrowed(whose)
        found = await ask_one(_IN_STATE.format(column), value, state, low, *part.below, part.limit)
        return [ListedDelivery(*columns) for columns in found]

    async def rows_of_events(
        self, whose: DeliveryScope, sequences: Collection[int], states: Collection[int], part: DeliveryPart
    ) -> list[ListedDelivery]:
        if not sequences:
            return []
        column, value = _narrowed(whose)
        statement = _OF_EVENTS.format(column)
        found = await ask_one(statement, value, numbers(states), numbers(sequences), *part.below, part.limit)
        return [ListedDelivery(*columns) for columns in found]

    async def skipped(self, tenant_id: int, low: int, part: DeliveryPart) -> list[tuple[int, int]]:
        return await ask_one(_SKIPPED_BELOW, tenant_id, low, *part.below, part.limit)

    async def skipped_between(self, tenant_id: int, low: int, top: int) -> list[tuple[int, int]]:
        return await ask_one(_SKIPPED_BETWEEN, tenant_id, low, top)

    async def entries(self, tenant_id: int, sequences: Collection[int]) -> dict[int, LogRow]:
        if not sequences:
            return {}
        found = await ask_one(_ENTRIES, tenant_id, numbers(sequences))
        rows = (LogRow(*columns[:-1])._replace(title=title_of(columns[-1])) for columns in found)
        return {row.sequence: row for row in rows}

    async def row_states(self, deliveries: Collection[tuple[int, int]]) -> dict[tuple[int, int], RowState]:
        if not deliveries:
            return {}
        found = await ask_one(_ROW_STATES, *map(numbers, zip(*deliveries, strict=True)))
        return {(number, sequence): RowState(*columns) for number, sequence, *columns in found}

    async def unattempted(self, tenant_id: int, deliveries: Collection[tuple[int, int]]) -> frozenset[tuple[int, int]]:
        if not deliveries:
            return frozenset()
        of, sequences = zip(*deliveries, strict=True)
        found = await ask_one(_UNATTEMPTED, tenant_id, numbers(of), numbers(sequences))
        return frozenset((number, sequence) for number, sequence in found)

    async def attempts(self, tenant_id: int, sequence: int, subscription_number: int, limit: int) -> list[AttemptRow]:
        found = await ask_one(_ATTEMPTS, tenant_id, sequence, subscription_number, limit)
        return [AttemptRow(*columns) for columns in reversed(found)]

    async def last_attempts(
        self, tenant_id: int, deliveries: Collection[tuple[int, int]]
    ) -> dict[tuple[int, int], AttemptRow]:
        if not deliveries:
            return {}
        found = await ask_one(_LAST_ATTEMPTS, tenant_id, *map(numbers, zip(*deliveries, strict=True)))
        return {(number, columns[0]): AttemptRow(*columns) for number, *columns in found}

    async def earlier_of_documents(
        self, tenant_id: int, events: Collection[LogRow], limit: int
    ) -> dict[int, list[LogRow]]:
        documents, sequences = uuids(e.document_id for e in events), numbers(e.sequence for e in events)
        earlier: dict[int, list[LogRow]] = {}
        for later, *columns in await ask_one(_EARLIER, tenant_id, documents, sequences, limit):
            earlier.setdefault(later, []).append(LogRow(*columns))
        return earlier


def _narrowed(whose: DeliveryScope) -> tuple[str, int]:
    """The column by which exception rows are found, and its value."""
    if whose.subscription_number is None:
        return "tenant_id", whose.tenant_id
    return "subscription_number", whose.subscription_number
