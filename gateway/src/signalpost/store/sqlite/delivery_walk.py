"""How a page of deliveries is found, of one subscription or of many, newest first.

Most deliveries are derived (`recorded_lane.py`). A page walks down the log in stretches. Each stretch names
*candidates*, which are pairs of a sequence and a subscription, in the way that suits the status:

- failed, retrying: the exception rows of that state are indexed;
- pending: what lanes have not read yet comes from the log, what they have is in their `open` lists or a blocked row;
- skipped: the attempts that found nothing to send are indexed, and the last attempt of a delivery counts;
- delivered, or any: every event of the log with every lane.

With a document given, its own events take the log's place. A candidate then has to pass the rest of the filter. All
stretches of a page together look at `max_scanned` events or candidates: enough to find what is not rare, and few enough
that a page takes a few milliseconds whatever is asked. Stretches begin small, since most pages fill at once.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import NamedTuple

import apsw

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.outcome import Failure
from signalpost.store.deliveries import DeliveryFilter, DeliveryPosition, DeliveryViews
from signalpost.store.log import LogRow
from signalpost.store.sqlite import log
from signalpost.store.sqlite.codec import list_numbers, pack_uuid, unpack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.delivery_views import view_of
from signalpost.store.sqlite.recorded_lane import STATUS, RecordedLane

_SKIPPED = (
    "a.sequence, a.subscription_number FROM attempt a INDEXED BY attempt_skipped"  # noqa: S608
    f" WHERE a.tenant_id = ? AND a.failure = '{Failure.SKIPPED}' AND NOT EXISTS (SELECT 1 FROM attempt b"
    " WHERE b.tenant_id = a.tenant_id AND b.sequence = a.sequence AND b.subscription_number = a.subscription_number"
    " AND b.started_at > a.started_at)"
)
"""Deliveries of a tenant whose last attempt found nothing to send."""
_BOTTOM = DeliveryPosition(0, 0)


class ListedDelivery(NamedTuple):
    sequence: int
    subscription_number: int
    state: int | None
    """The state of its exception row, if it has one."""
    is_skipped: bool = False
    """Whether its last attempt found nothing to send, as far as the page asks for that."""


class _Stretch(NamedTuple):
    candidates: Iterable[ListedDelivery]
    """Candidates, newest first."""
    types: Mapping[int, int]
    """The types of events by sequence. An event that is missing here is not asked for."""
    reached: DeliveryPosition | None
    """How far down the walk has looked; None at its end."""


def stretch_sizes(limit: int, max_scanned: int) -> Iterator[int]:
    """How much each stretch of a page may look at."""
    size, left = 2 * limit, max_scanned
    while left > 0:
        yield min(size, left)
        left -= size
        size *= 4


class Walk:
    """Finds the candidates of one page, a stretch at a time."""

    def __init__(
        self, connection: apsw.Connection, tenant_id: int, lanes: Mapping[int, RecordedLane], asked: DeliveryFilter
    ) -> None:
        self._connection = connection
        self._tenant_id = tenant_id
        self._lanes = lanes
        self._asked = asked
        low = log.floor(connection, tenant_id)
        if asked.created_from is not None:
            low = log.sequence_at(connection, tenant_id, asked.created_from)
        self._low = max(low, min(lane.subscription.starts_after for lane in lanes.values()) + 1)
        self._types = asked.types & reduce(or_, (m for lane in lanes.values() for _, m in lane.subscription.filters))
        # The rows of one subscription are found under it, those of many under their tenant.
        self._under = "delivery INDEXED BY delivery_tenant_state WHERE tenant_id = ?", tenant_id
        if len(lanes) == 1:
            self._under = "delivery INDEXED BY delivery_state WHERE subscription_number = ?", min(lanes)

    def start(self, below: DeliveryPosition | None) -> DeliveryPosition:
        end = log.last_sequence(self._connection, self._tenant_id) + 1
        if self._asked.created_to is not None:
            end = log.sequence_at(self._connection, self._tenant_id, self._asked.created_to)
        start = DeliveryPosition(end, 0)
        return start if below is None else min(start, below)

    def stretch(self, below: DeliveryPosition, size: int) -> _Stretch:
        top = below.sequence if below.subscription_number > min(self._lanes) else below.sequence - 1
        by_document = self._asked.document_id is not None
        match self._asked.status:
            case "failed" | "retrying" as status:
                state = State.FAILED if status == "failed" else State.AWAITING_RETRY
                find = self._exceptions_of_document if by_document else self._exceptions
                return find(state, below, top, size)
            case "pending":
                return (self._pending_of_document if by_document else self._pending)(below, top, size)
            case "skipped":
                return (self._derived if by_document else self._skipped)(below, top, size)
            case "delivered":
                return self._derived(below, min(top, max(lane.head for lane in self._lanes.values())), size)
            case None:
                return self._derived(below, top, size)

    def matches(self, candidate: ListedDelivery, types: Mapping[int, int]) -> bool:
        sequence, number, state, is_skipped = candidate
        lane = self._lanes.get(number)
        if lane is None or not lane.asked_for(sequence, types.get(sequence, 0)):
            return False
        status = lane.status(sequence, state)
        if status == "delivered" and is_skipped:
            status = "skipped"
        return status is not None and self._asked.status in (None, status)

    def page(self, found: Sequence[ListedDelivery], reached: DeliveryPosition | None) -> DeliveryViews:
        events = _entries(self._connection, self._tenant_id, {candidate.sequence for candidate in found})
        views = (
            view_of(self._connection, self._lanes[candidate.subscription_number], events[candidate.sequence])
            for candidate in found
        )
        return DeliveryViews(tuple(view for view in views if view is not None), reached)

    # --- Stretches ----------------------------------------------------------------------------------------------------

    def _exceptions(self, state: State, below: DeliveryPosition, _top: int, size: int) -> _Stretch:
        # Half as many: each costs a look at its event too.
        found, cut = self._rows(state, self._low, below, max(1, size // 2))
        return _Stretch(found, self._types_of(found), cut)

    def _exceptions_of_document(self, state: State, below: DeliveryPosition, top: int, size: int) -> _Stretch:
        types, reached = self._events(self._low, top, size)
        found, cut = self._rows_of(types, (state,), below, size)
        return _Stretch(found, types, cut or reached)

    def _derived(self, below: DeliveryPosition, top: int, size: int) -> _Stretch:
        types, reached = self._events(self._low, top, size, size // len(self._lanes))
        exceptions, cut = self._rows_of(types, STATUS, below, size)
        states = {(each.sequence, each.subscription_number): each.state for each in exceptions}
        reached = cut or reached
        skipped = self._skipped_of(types) if self._asked.status is not None else frozenset[tuple[int, int]]()
        candidates = (
            ListedDelivery(sequence, number, states.get((sequence, number)), (sequence, number) in skipped)
            for sequence in types
            for number in self._lanes
            if (reached or _BOTTOM) <= (sequence, number) < below
        )
        return _Stretch(candidates, types, reached)

    def _skipped(self, below: DeliveryPosition, _top: int, size: int) -> _Stretch:
        size = max(1, size // 2)  # each costs a look at its event too
        found = [
            ListedDelivery(sequence, number, None, is_skipped=True)
            for sequence, number in rows(
                self._connection,
                f"SELECT {_SKIPPED} AND a.sequence >= ? AND (a.sequence, a.subscription_number) < (?, ?)"
                " ORDER BY a.sequence DESC, a.subscription_number DESC LIMIT ?",
                (self._tenant_id, self._low, *below, size),
            )
        ]
        cut = DeliveryPosition(found[-1].sequence, found[-1].subscription_number) if len(found) == size else None
        return _Stretch(found, self._types_of(found), cut)

    def _skipped_of(self, sequences: Collection[int]) -> frozenset[tuple[int, int]]:
        """The deliveries of some events whose last attempt found nothing to send, by sequence and subscription."""
        if not sequences:
            return frozenset()
        statement = f"SELECT {_SKIPPED} AND a.sequence BETWEEN ? AND ?"
        return frozenset(rows(self._connection, statement, (self._tenant_id, min(sequences), max(sequences))))

    def _pending(self, below: DeliveryPosition, top: int, size: int) -> _Stretch:
        unread = [lane for lane in self._lanes.values() if lane.head < top]
        opened, low = self._opened(top, max(1, size // len(self._lanes)))
        types: Mapping[int, int] = {}
        if unread:
            # Below the lowest head nothing is unread, and the log need not be looked through.
            low = max(low, min(lane.head for lane in unread) + 1)
            types, reached = self._events(low, top, size, size // len(unread))
            low = reached.sequence if reached else low
            opened = {each for each in opened if each.sequence in types}
        blocked, cut = self._rows(State.BLOCKED, low, below, max(1, size // 2))
        reached = cut or (DeliveryPosition(low, 0) if low > self._low else None)
        candidates = _between({*opened, *blocked, *_unread(unread, types)}, below, reached)
        return _Stretch(candidates, types if unread else self._types_of(candidates), reached)

    def _pending_of_document(self, below: DeliveryPosition, top: int, size: int) -> _Stretch:
        unread = [lane for lane in self._lanes.values() if lane.head < top]
        types, reached = self._events(self._low, top, size, size // max(1, len(unread)))
        blocked, cut = self._rows_of(types, (State.BLOCKED,), below, size)
        lowest = min(types, default=top)
        opened = {
            ListedDelivery(sequence, number, None)
            for number, lane in self._lanes.items()
            for sequence in types.keys() & lane.open_between(lowest, top)
        }
        candidates = _between({*opened, *blocked, *_unread(unread, types)}, below, cut or reached)
        return _Stretch(candidates, types, cut or reached)

    # --- What they are made of ----------------------------------------------------------------------------------------

    def _opened(self, top: int, most: int) -> tuple[set[ListedDelivery], int]:
        """Open deliveries from `top` down, at most `most` of each lane.

        Also returns the lowest sequence down to which these are all that there are.
        """
        low = self._low
        found: set[ListedDelivery] = set()
        for number, lane in self._lanes.items():
            opened = lane.open_between(low, top)
            if len(opened) > most:
                opened = opened[-most:]
                low = opened[0]
            found.update(ListedDelivery(sequence, number, None) for sequence in opened)
        return found, low

    def _events(
        self, low: int, top: int, size: int, most: int | None = None
    ) -> tuple[dict[int, int], DeliveryPosition | None]:
        """The types of events that may match, by sequence, newest first, from `top` down to `low`.

        At most `size` events are looked at, and `most` of them returned (at least one). Also returns how far down that
        was, or None if it was down to `low`.
        """
        most = size if most is None else max(1, most)
        if self._asked.document_id is None:
            lowest = max(low, top - size + 1)
            found = rows(
                self._connection,
                "SELECT sequence, type FROM event INDEXED BY event_log"
                " WHERE tenant_id = ? AND sequence >= ? AND sequence <= ? AND type & ? ORDER BY sequence DESC LIMIT ?",
                (self._tenant_id, lowest, top, self._types, most),
            )
            lowest = found[-1][0] if len(found) == most else lowest
            return dict(found), DeliveryPosition(lowest, 0) if lowest > low else None
        looked_at = rows(
            self._connection,
            "SELECT sequence, type FROM event INDEXED BY event_document WHERE tenant_id = ? AND document_id = ?"
            " AND sequence >= ? AND sequence <= ? ORDER BY sequence DESC LIMIT ?",
            (self._tenant_id, pack_uuid(self._asked.document_id), low, top, size),
        )
        found = [(sequence, event_type) for sequence, event_type in looked_at if event_type & self._types]
        if len(found) > most:
            return dict(found[:most]), DeliveryPosition(found[most - 1][0], 0)
        return dict(found), DeliveryPosition(looked_at[-1][0], 0) if len(looked_at) == size else None

    def _types_of(self, candidates: Iterable[ListedDelivery]) -> dict[int, int]:
        return dict(
            rows(
                self._connection,
                "SELECT sequence, type FROM event INDEXED BY event_log"
                " WHERE tenant_id = ? AND sequence IN (SELECT value FROM json_each(?)) AND type & ?",
                (self._tenant_id, list_numbers({candidate.sequence for candidate in candidates}), self._types),
            )
        )

    def _rows(
        self, state: State, low: int, below: DeliveryPosition, most: int
    ) -> tuple[list[ListedDelivery], DeliveryPosition | None]:
        """Exception rows of a state, and where they were cut off, if they were."""
        return self._candidates("state = ? AND sequence >= ?", (state, low), below, most)

    def _rows_of(
        self, sequences: Iterable[int], states: Iterable[State], below: DeliveryPosition, most: int
    ) -> tuple[list[ListedDelivery], DeliveryPosition | None]:
        """Exception rows of some events, and where they were cut off, if they were."""
        condition = "state IN (SELECT value FROM json_each(?)) AND sequence IN (SELECT value FROM json_each(?))"
        return self._candidates(condition, (list_numbers(states), list_numbers(sequences)), below, most)

    def _candidates(
        self, condition: str, bindings: tuple[object, ...], below: DeliveryPosition, most: int
    ) -> tuple[list[ListedDelivery], DeliveryPosition | None]:
        source, value = self._under
        found = [
            ListedDelivery(*columns)
            for columns in rows(
                self._connection,
                f"SELECT sequence, subscription_number, state FROM {source} AND {condition}"  # noqa: S608
                " AND (sequence, subscription_number) < (?, ?)"
                " ORDER BY sequence DESC, subscription_number DESC LIMIT ?",
                (value, *bindings, *below, most),
            )
        ]
        return found, DeliveryPosition(found[-1].sequence, found[-1].subscription_number) if len(
            found
        ) == most else None


def _unread(lanes: Iterable[RecordedLane], sequences: Iterable[int]) -> Iterator[ListedDelivery]:
    return (
        ListedDelivery(sequence, lane.subscription.number, None)
        for sequence in sequences
        for lane in lanes
        if sequence > lane.head
    )


def _between(
    found: Iterable[ListedDelivery], below: DeliveryPosition, reached: DeliveryPosition | None
) -> list[ListedDelivery]:
    return sorted((each for each in found if (reached or _BOTTOM) <= each[:2] < below), key=_place, reverse=True)


def _place(candidate: ListedDelivery) -> tuple[int, int]:
    return candidate[:2]


def _entries(connection: apsw.Connection, tenant_id: int, sequences: Iterable[int]) -> dict[int, LogRow]:
    found = rows(
        connection,
        "SELECT sequence, at, id, type, document_id FROM event"
        " WHERE tenant_id = ? AND sequence IN (SELECT value FROM json_each(?))",
        (tenant_id, list_numbers(sequences)),
    )
    return {
        sequence: LogRow(sequence, at, unpack_uuid(identity), event_type, unpack_uuid(document_id))
        for sequence, at, identity, event_type, document_id in found
    }
