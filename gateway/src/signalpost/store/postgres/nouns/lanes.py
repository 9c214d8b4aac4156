"""Lanes: loaded by their owner at the start and if another owner wrote one, and recorded (`record.py`)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Final, TypeVar

from signalpost.commands.command import RequestedRetry
from signalpost.domain.delivery.delivery import State
from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.lane_store import LaneStore
from signalpost.store.nouns.lanes import LaneFlush, LaneFlushed, LaneNow, LaneRow, LaneWanted
from signalpost.store.packing.lanes import LANES, RETRIES, pack_now, unpack_lane
from signalpost.store.packing.sequences import unpack_sequences
from signalpost.store.postgres.columns import blobs, numbers
from signalpost.store.postgres.exception_rows import first_due, unpack_row, up_to_horizon
from signalpost.store.postgres.record import RecordWriter
from signalpost.store.postgres.sessions import ReadSessions, Steps, Writers
from signalpost.store.postgres.tables import PLAIN
from signalpost.store.statements import EVERY_TENANT, Statement
from signalpost.store.tables.deliveries import EXCEPTION_ROW
from signalpost.store.tables.replays import REPLAY
from signalpost.store.walks.waiting import Stretch, stretches

T = TypeVar("T")
_BLOCKED: Final = (
    f"SELECT subscription_number, {EXCEPTION_ROW} FROM delivery WHERE subscription_number = ANY($1)"
    f" AND state = {State.BLOCKED:d} ORDER BY subscription_number, sequence"
)
REPLAYS: Final = (
    f"SELECT {REPLAY.listed} FROM replay WHERE subscription_number = ANY($1) AND state = 'running' ORDER BY number"
)
_FIRST_IN_STATE: Final = (
    "(SELECT min(sequence) FROM delivery d WHERE d.subscription_number = l.subscription_number AND state = {:d})"
)
_LOWEST: Final = (
    f"SELECT subscription_number, head, open, {_FIRST_IN_STATE.format(State.AWAITING_RETRY)},"
    f" {_FIRST_IN_STATE.format(State.BLOCKED)} FROM lane l WHERE subscription_number = ANY($1)"
)
_FIRST_AT: Final = (
    "SELECT k.first, k.last, k.types, e.at FROM unnest($2, $3, $4) AS k (first, last, types) CROSS JOIN LATERAL"
    " (SELECT at FROM event e WHERE e.tenant_id = $1 AND e.sequence >= k.first AND e.sequence <= k.last"
    " AND e.type & k.types <> 0 ORDER BY e.sequence LIMIT 1) e"
)
_WRITE_DOWN: Final = (
    "WITH ours AS (SELECT subscription_number, k.standing FROM lane l JOIN unnest($1, $2) AS k (number, standing)"
    " ON l.subscription_number = k.number WHERE l.owner = $3 ORDER BY 1 FOR NO KEY UPDATE OF l)"
    " UPDATE lane l SET standing = ours.standing FROM ours WHERE l.subscription_number = ours.subscription_number"
)
_DOCUMENTS: Final = (
    "SELECT k.number, k.sequence, e.document_id FROM unnest($1, $2, $3) AS k (number, tenant_id, sequence)"
    " CROSS JOIN LATERAL (SELECT document_id FROM event e WHERE e.tenant_id = k.tenant_id"
    " AND e.sequence = k.sequence LIMIT 1) e"
)


class PostgresLanes(LaneStore):
    def __init__(
        self,
        readers: ReadSessions,
        writers: Writers,
        recorder: RecordWriter,
        node_id: Callable[[], int | None],
        max_scanned: int,
    ) -> None:
        super().__init__(readers)
        self._max_scanned = max_scanned
        self._readers = readers
        self._writers = writers
        self._node_id = node_id
        self._recorder = recorder

    async def load(self, wanted: Sequence[LaneWanted]) -> dict[int, LaneRow]:
        return await self._readers.run(EVERY_TENANT, load(wanted))

    async def waits_since(self, tenant_id: int, subscriptions: Iterable[Subscription]) -> dict[int, int]:
        of = {each.number: each for each in subscriptions}
        return await self._readers.run(tenant_id, _waits_since(tenant_id, of, self._max_scanned))

    async def write_down(self, known: Mapping[int, LaneNow]) -> None:
        packed = blobs(map(pack_now, known.values()))
        await self._writers.rows(EVERY_TENANT, _WRITE_DOWN, numbers(known), packed, self._node_id())

    async def count_awaiting_retry(self, subscription: Subscription, below: int, due_from: int) -> int:
        [(count,)] = await self._readers.rows(
            subscription.tenant_id,
            "SELECT count(*) FROM delivery WHERE subscription_number = $1"
            f" AND state = {State.AWAITING_RETRY:d} AND sequence < $2 AND due >= $3",
            subscription.number,
            below,
            due_from,
        )
        return int(count)

    async def record(self, flushes: Sequence[LaneFlush]) -> dict[int, LaneFlushed]:
        return await self._recorder.record(flushes)

    async def record_read(self, flush: LaneFlush) -> bool:
        return await self._recorder.record_read(flush)


def load(wanted: Sequence[LaneWanted]) -> Steps[dict[int, LaneRow]]:
    """See `LaneStore.load`."""
    limits = {each.subscription.number: each.retries_loaded for each in wanted}
    tenants = {each.subscription.number: each.subscription.tenant_id for each in wanted}
    named = numbers(limits)
    lanes, blocked, asked, running, waiting = yield [
        Statement(LANES, ([*limits],)),
        Statement(_BLOCKED, (named,)),
        Statement(RETRIES, ([*limits],)),
        Statement(REPLAYS, (named,)),
        first_due(limits),
    ]
    opened = {number: unpack_sequences(packed) for number, _, _, packed, *_ in lanes}
    [documents] = yield [_documents_of(opened, tenants)]
    document_of = {(number, sequence): document_id for number, sequence, document_id in documents}
    retries = _by_lane((columns[1], RequestedRetry(*columns)) for columns in asked)
    replays = _by_lane((columns[3], REPLAY.unpack(columns, PLAIN)) for columns in running)
    blocked_of = _by_lane((number, unpack_row(*columns)) for number, *columns in blocked)
    waiting_of = _by_lane((number, unpack_row(*columns)) for number, *columns in waiting)
    loaded = {}
    for columns in lanes:
        number = columns[0]
        rows, horizon = up_to_horizon(waiting_of[number], limits[number])
        keys = ((number, sequence) for sequence in opened[number])
        kept = [(key[1], document_of[key]) for key in keys if key in document_of]
        loaded[number] = unpack_lane(
            columns, kept, (*rows, *blocked_of[number]), horizon, retries[number], replays[number]
        )
    return loaded


def _waits_since(tenant_id: int, of: Mapping[int, Subscription], most: int) -> Steps[dict[int, int]]:
    """See `LaneStore.waits_since`. `of` are the subscriptions by their numbers."""
    [lanes] = yield [Statement(_LOWEST, (numbers(of),))]
    asked = {number: stretches(of[number], head, packed, kept, most) for number, head, packed, *kept in lanes}
    each_once = {*chain.from_iterable(asked.values())}  # many that nobody reads have the same ones
    columns = zip(*each_once, strict=True) if each_once else ((), (), ())
    [found] = yield [Statement(_FIRST_AT, (tenant_id, *map(numbers, columns)))]
    made_at = {Stretch(*stretch): at for *stretch, at in found}
    waits = {number: next((each for each in among if each in made_at), None) for number, among in asked.items()}
    return {number: made_at[stretch] for number, stretch in waits.items() if stretch is not None}


def _documents_of(opened: Mapping[int, Sequence[int]], tenants: Mapping[int, int]) -> Statement:
    """The documents of lanes' open deliveries."""
    keys = [(number, tenants[number], sequence) for number, sequences in opened.items() for sequence in sequences]
    columns = zip(*keys, strict=True) if keys else ((), (), ())
    return Statement(_DOCUMENTS, tuple(map(numbers, columns)))


def _by_lane(found: Iterable[tuple[int, T]]) -> defaultdict[int, list[T]]:
    grouped: defaultdict[int, list[T]] = defaultdict(list)
    for number, each in found:
        grouped[number].append(each)
    return grouped
