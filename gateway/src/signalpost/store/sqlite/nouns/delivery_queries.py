"""The queries that lists of deliveries are made of."""

from collections import Counter
from collections.abc import Collection, Sequence

from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.event import TITLE_WITHIN_BYTES, title_of
from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.deliveries import AttemptRow
from signalpost.store.nouns.log import LogRow
from signalpost.store.packing.lanes import RECORDED
from signalpost.store.sqlite.codec import list_numbers, pack_uuid, unpack_uuid
from signalpost.store.sqlite.connect import rows, rows_of_many
from signalpost.store.sqlite.nouns.log_queries import SqliteLogQueries
from signalpost.store.sqlite.statements import ask
from signalpost.store.sqlite.states import ANY
from signalpost.store.walks.delivery_queries import DeliveryPart, DeliveryScope, ListedDelivery, RowState
from signalpost.store.walks.recorded_lane import RecordedLane

_SKIPPED = (
    "a.sequence, a.subscription_number FROM attempt a INDEXED BY attempt_skipped"  # noqa: S608
    f" WHERE a.tenant_id = ? AND a.failure = '{Failure.SKIPPED}' AND NOT EXISTS (SELECT 1 FROM attempt b"
    " WHERE b.tenant_id = a.tenant_id AND b.sequence = a.sequence AND b.subscription_number = a.subscription_number"
    " AND b.started_at > a.started_at)"
)
"""Deliveries of a tenant whose last attempt found nothing to send."""
_ATTEMPT = "sequence, started_at, elapsed_us, number, run, counted, status, failure, detail, answer, exchange"
_ATTEMPTS = (
    f"SELECT {_ATTEMPT} FROM attempt"  # noqa: S608
    " WHERE tenant_id = ? AND sequence = ? AND subscription_number = ? ORDER BY started_at DESC LIMIT ?"
)


class SqliteDeliveryQueries(SqliteLogQueries):
    async def lanes(self, subscriptions: Sequence[Subscription]) -> dict[int, RecordedLane]:
        by_number = {subscription.number: subscription for subscription in subscriptions}
        found = ask(self._connection, RECORDED, [*by_number])
        lanes = {number: RecordedLane(by_number[number], *columns) for number, *columns in found}
        for number, *asked in rows(self._connection, "SELECT subscription_number, sequence, of_version FROM retry"):
            if number in lanes:
                lanes[number].take_retry(*asked)
        return lanes

    async def lanes_with_unsettled(self, subscriptions: Sequence[Subscription], top: int) -> dict[int, RecordedLane]:
        by_number = {subscription.number: subscription for subscription in subscriptions}
        found = rows(
            self._connection,
            "SELECT subscription_number, head, open, gaps, health FROM lane"
            " WHERE subscription_number IN (SELECT value FROM json_each(?))"
            " AND (head < ? OR length(open) > 0 OR gaps <> CAST('[]' AS BLOB))",
            (list_numbers(by_number), top),
        )
        return {number: RecordedLane(by_number[number], *columns) for number, *columns in found}

    async def row_counts(
        self, tenant_id: int, sequences: Collection[int], left_out: Collection[int]
    ) -> Counter[tuple[int, int]]:
        found = rows(
            self._connection,
            "SELECT sequence, state, count(*) FROM delivery INDEXED BY delivery_tenant_state"  # noqa: S608
            f" WHERE tenant_id = ? AND state IN {ANY} AND sequence IN (SELECT value FROM json_each(?))"
            " AND subscription_number NOT IN (SELECT value FROM json_each(?)) GROUP BY 1, 2",
            (tenant_id, list_numbers(sequences), list_numbers(left_out)),
        )
        return Counter({(sequence, state): count for sequence, state, count in found})

    async def skipped_for_good(self, tenant_id: int, sequences: Collection[int]) -> list[tuple[int, int]]:
        return rows(
            self._connection,
            f"SELECT {_SKIPPED} AND a.sequence IN (SELECT value FROM json_each(?)) AND NOT EXISTS (SELECT 1"  # noqa: S608
            " FROM delivery d WHERE d.subscription_number = a.subscription_number AND d.sequence = a.sequence)",
            (tenant_id, list_numbers(sequences)),
        )

    async def types_between(self, tenant_id: int, low: int, top: int, types: int, limit: int) -> list[tuple[int, int]]:
        return rows(
            self._connection,
            "SELECT sequence, type FROM event INDEXED BY event_log"
            " WHERE tenant_id = ? AND sequence >= ? AND sequence <= ? AND type & ? ORDER BY sequence DESC LIMIT ?",
            (tenant_id, low, top, types, limit),
        )

    async def types_of_document(
        self, tenant_id: int, document_id: str, low: int, top: int, limit: int
    ) -> list[tuple[int, int]]:
        return rows(
            self._connection,
            "SELECT sequence, type FROM event INDEXED BY event_document WHERE tenant_id = ? AND document_id = ?"
            " AND sequence >= ? AND sequence <= ? ORDER BY sequence DESC LIMIT ?",
            (tenant_id, pack_uuid(document_id), low, top, limit),
        )

    async def types_of(self, tenant_id: int, sequences: Collection[int], types: int) -> list[tuple[int, int]]:
        return rows(
            self._connection,
            "SELECT sequence, type FROM event INDEXED BY event_log"
            " WHERE tenant_id = ? AND sequence IN (SELECT value FROM json_each(?)) AND type & ?",
            (tenant_id, list_numbers(sequences), types),
        )

    async def rows_in_state(
        self, whose: DeliveryScope, state: int, low: int, part: DeliveryPart
    ) -> list[ListedDelivery]:
        return self._rows(whose, "state = ? AND sequence >= ?", (state, low), part)

    async def rows_of_events(
        self, whose: DeliveryScope, sequences: Collection[int], states: Collection[int], part: DeliveryPart
    ) -> list[ListedDelivery]:
        condition = "state IN (SELECT value FROM json_each(?)) AND sequence IN (SELECT value FROM json_each(?))"
        return self._rows(whose, condition, (list_numbers(states), list_numbers(sequences)), part)

    def _rows(
        self, whose: DeliveryScope, condition: str, bindings: tuple[object, ...], part: DeliveryPart
    ) -> list[ListedDelivery]:
        source, value = "delivery INDEXED BY delivery_tenant_state WHERE tenant_id = ?", whose.tenant_id
        if whose.subscription_number is not None:
            source = "delivery INDEXED BY delivery_state WHERE subscription_number = ?"
            value = whose.subscription_number
        found = rows(
            self._connection,
            f"SELECT sequence, subscription_number, state FROM {source} AND {condition}"  # noqa: S608
            " AND (sequence, subscription_number) < (?, ?)"
            " ORDER BY sequence DESC, subscription_number DESC LIMIT ?",
            (value, *bindings, *part.below, part.limit),
        )
        return [ListedDelivery(*columns) for columns in found]

    async def skipped(self, tenant_id: int, low: int, part: DeliveryPart) -> list[tuple[int, int]]:
        return rows(
            self._connection,
            f"SELECT {_SKIPPED} AND a.sequence >= ? AND (a.sequence, a.subscription_number) < (?, ?)"
            " ORDER BY a.sequence DESC, a.subscription_number DESC LIMIT ?",
            (tenant_id, low, *part.below, part.limit),
        )

    async def skipped_between(self, tenant_id: int, low: int, top: int) -> list[tuple[int, int]]:
        return rows(self._connection, f"SELECT {_SKIPPED} AND a.sequence BETWEEN ? AND ?", (tenant_id, low, top))

    async def entries(self, tenant_id: int, sequences: Collection[int]) -> dict[int, LogRow]:
        found = rows(
            self._connection,
            "SELECT sequence, at, id, type, document_id, substr(body, 1, ?) FROM event"
            " WHERE tenant_id = ? AND sequence IN (SELECT value FROM json_each(?))",
            (TITLE_WITHIN_BYTES, tenant_id, list_numbers(sequences)),
        )
        return {
            sequence: LogRow(sequence, at, unpack_uuid(identity), event_type, unpack_uuid(document_id), title_of(head))
            for sequence, at, identity, event_type, document_id, head in found
        }

    async def row_states(self, deliveries: Collection[tuple[int, int]]) -> dict[tuple[int, int], RowState]:
        statement = (
            "SELECT subscription_number, sequence, state, due, failed_attempts, max_attempts FROM delivery"
            " WHERE subscription_number = ? AND sequence = ?"
        )
        found = rows_of_many(self._connection, statement, deliveries)
        return {(number, sequence): RowState(*columns) for number, sequence, *columns in found}

    async def unattempted(self, tenant_id: int, deliveries: Collection[tuple[int, int]]) -> frozenset[tuple[int, int]]:
        statement = (
            "SELECT ?2, ?3 WHERE NOT EXISTS"
            " (SELECT 1 FROM attempt WHERE tenant_id = ?1 AND sequence = ?3 AND subscription_number = ?2)"
        )
        return frozenset(rows_of_many(self._connection, statement, [(tenant_id, *each) for each in deliveries]))

    async def attempts(self, tenant_id: int, sequence: int, subscription_number: int, limit: int) -> list[AttemptRow]:
        found = rows(self._connection, _ATTEMPTS, (tenant_id, sequence, subscription_number, limit))
        return [_attempt(*columns) for columns in reversed(found)]

    async def last_attempts(
        self, tenant_id: int, deliveries: Collection[tuple[int, int]]
    ) -> dict[tuple[int, int], AttemptRow]:
        asked = [(tenant_id, sequence, number, 1) for number, sequence in deliveries]
        statement = _ATTEMPTS.replace("SELECT", "SELECT subscription_number,", 1)
        found = rows_of_many(self._connection, statement, asked)
        return {(number, columns[0]): _attempt(*columns) for number, *columns in found}

    async def earlier_of_documents(
        self, tenant_id: int, events: Collection[LogRow], limit: int
    ) -> dict[int, list[LogRow]]:
        earlier: dict[int, list[LogRow]] = {}
        found = rows_of_many(
            self._connection,
            "SELECT ?3, sequence, at, id, type FROM event INDEXED BY event_document"
            " WHERE tenant_id = ?1 AND document_id = ?2 AND sequence < ?3 ORDER BY sequence DESC LIMIT ?4",
            [(tenant_id, pack_uuid(event.document_id), event.sequence, limit) for event in events],
        )
        documents = {event.sequence: event.document_id for event in events}
        for later, sequence, at, identity, event_type in found:
            row = LogRow(sequence, at, unpack_uuid(identity), event_type, documents[later])
            earlier.setdefault(later, []).append(row)
        return earlier


def _attempt(
    sequence: int,
    started_at: int,
    elapsed_us: int,
    number: int,
    run: int,
    counted: int,
    status: int | None,
    failure: str | None,
    detail: str,
    answer: bytes,
    exchange: bytes | None,
) -> AttemptRow:
    return AttemptRow(
        sequence, started_at, elapsed_us, number, run, bool(counted), status, failure, detail, answer, exchange or b""
    )
