"""Lanes: loaded by their owner at the start and if another owner wrote one, and recorded (`record.py`)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Final

import apsw

from signalpost.commands.command import RequestedRetry
from signalpost.domain.delivery.exception_row import Row, RowCounts
from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.lane_store import LaneStore
from signalpost.store.nouns.lanes import LaneFlush, LaneFlushed, LaneNow, LaneRow, LaneWanted
from signalpost.store.packing.lanes import LANES, RETRIES, pack_now, unpack_counts, unpack_lane
from signalpost.store.packing.sequences import unpack_sequences
from signalpost.store.sqlite import record as recording
from signalpost.store.sqlite.codec import unpack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.exception_rows import rows_awaiting_retry, unpack_row
from signalpost.store.sqlite.nouns import replays
from signalpost.store.sqlite.readers import Readers, reading
from signalpost.store.sqlite.statements import ask
from signalpost.store.sqlite.states import AWAITING_RETRY, BLOCKED
from signalpost.store.sqlite.writer import Writer, writing
from signalpost.store.tables.deliveries import EXCEPTION_ROW
from signalpost.store.walks.waiting import Stretch, stretches

_FIRST_AT: Final = (
    "SELECT at FROM event INDEXED BY event_log WHERE tenant_id = ? AND sequence >= ? AND sequence <= ? AND type & ?"
    " ORDER BY sequence LIMIT 1"
)


class SqliteLanes(LaneStore):
    def __init__(self, readers: Readers, writer: Writer, node_id: Callable[[], int | None], max_scanned: int) -> None:
        super().__init__(readers)
        self._max_scanned = max_scanned
        self._readers = readers
        self._writer = writer
        self._node_id = node_id

    @reading
    def load(self, connection: apsw.Connection, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
        return load(connection, wanted)

    @reading
    def waits_since(
        self, connection: apsw.Connection, tenant_id: int, subscriptions: Iterable[Subscription]
    ) -> dict[int, int]:
        @cache  # many that nobody reads have the same ones
        def first_at(stretch: Stretch) -> int | None:
            found = rows(connection, _FIRST_AT, (tenant_id, *stretch))
            return found[0][0] if found else None

        found = {}
        for each in subscriptions:
            times = map(first_at, _where_it_waits(connection, each, self._max_scanned))
            if (at := next((at for at in times if at is not None), None)) is not None:
                found[each.number] = at
        return found

    async def write_down(self, known: Mapping[int, LaneNow]) -> None:
        await self._write_down(known, self._node_id())

    @writing
    def _write_down(self, connection: apsw.Connection, known: Mapping[int, LaneNow], me: int | None) -> None:
        connection.executemany(
            "UPDATE lane SET standing = ? WHERE subscription_number = ? AND owner = ?",
            [(pack_now(now), number, me) for number, now in known.items()],
        )

    @reading
    def count_awaiting_retry(
        self, connection: apsw.Connection, subscription: Subscription, below: int, due_from: int
    ) -> int:
        statement = (
            "SELECT count(*) FROM delivery INDEXED BY delivery_state"  # noqa: S608
            f" WHERE subscription_number = ? AND state = {AWAITING_RETRY} AND sequence < ? AND due >= ?"
        )
        return int(rows(connection, statement, (subscription.number, below, due_from))[0][0])

    @writing
    def record(self, connection: apsw.Connection, flushes: Sequence[LaneFlush]) -> dict[int, LaneFlushed]:
        return recording.record(connection, flushes, self._node_id())

    @writing
    def record_read(self, connection: apsw.Connection, flush: LaneFlush) -> bool:
        return bool(recording.record(connection, [flush], None))


def load(connection: apsw.Connection, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
    numbers = [each.subscription.number for each in wanted]
    asked, running = retries(connection, numbers), replays.running_of(connection, numbers)
    found = ask(connection, LANES, numbers)
    wanted_of = {each.subscription.number: each for each in wanted}
    loaded: dict[int, LaneRow] = {}
    for columns in found:
        number, _, _, packed, *_ = columns
        subscription, retries_loaded = wanted_of[number]
        counts = unpack_counts(columns)
        exceptions, horizon = _exceptions(connection, number, retries_loaded, counts)
        opened = _with_documents(connection, subscription.tenant_id, unpack_sequences(packed))
        loaded[number] = unpack_lane(
            columns, opened, exceptions, horizon, asked.get(number, ()), running.get(number, ())
        )
    return loaded


def _exceptions(
    connection: apsw.Connection, number: int, retries_loaded: int, counts: RowCounts
) -> tuple[tuple[Row, ...], int | None]:
    """The rows of a lane that its object keeps, and their horizon. Most lanes have none, as their counts say."""
    waiting, horizon = rows_awaiting_retry(connection, number, retries_loaded) if counts.awaiting_retry else ((), None)
    if not counts.blocked:
        return waiting, horizon
    blocked = rows(
        connection,
        f"SELECT {EXCEPTION_ROW} FROM delivery WHERE subscription_number = ? AND state = {BLOCKED} ORDER BY sequence",  # noqa: S608
        (number,),
    )
    return (*waiting, *(unpack_row(*columns) for columns in blocked)), horizon


def _where_it_waits(connection: apsw.Connection, subscription: Subscription, most: int) -> list[Stretch]:
    """See `stretches`; empty if the lane is gone."""
    number = subscription.number
    found = rows(connection, "SELECT head, open FROM lane WHERE subscription_number = ?", (number,))
    first = "SELECT min(sequence) FROM delivery INDEXED BY delivery_state WHERE subscription_number = ? AND state = {}"
    kept = [rows(connection, first.format(state), (number,))[0][0] for state in (AWAITING_RETRY, BLOCKED)]
    return [stretch for head, packed in found for stretch in stretches(subscription, head, packed, kept, most)]


def retries(connection: apsw.Connection, numbers: Iterable[int]) -> dict[int, list[RequestedRetry]]:
    """Retries by hand, by subscription. The table is read through: it holds only those that no lane has acted upon."""
    found: dict[int, list[RequestedRetry]] = {}
    for number, subscription_number, sequence, document_id, of_version in ask(connection, RETRIES, [*numbers]):
        retry = RequestedRetry(number, subscription_number, sequence, unpack_uuid(document_id), of_version)
        found.setdefault(subscription_number, []).append(retry)
    return found


def _with_documents(
    connection: apsw.Connection, tenant_id: int, sequences: Sequence[int]
) -> tuple[tuple[int, str], ...]:
    statement = "SELECT document_id FROM event WHERE tenant_id = ? AND sequence = ?"
    return tuple(
        (sequence, unpack_uuid(document_id))
        for sequence in sequences
        for (document_id,) in rows(connection, statement, (tenant_id, sequence))
    )
