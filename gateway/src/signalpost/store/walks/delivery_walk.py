"""How a page of deliveries is found, of one subscription or of many, newest first.

Most deliveries are derived (`recorded_lane.py`). A page walks down the log in stretches. Each stretch names
*candidates*, which are pairs of a sequence and a subscription, in the way that suits the status:

- failed, retrying: the exception rows of that state are indexed;
- pending: what lanes have not read yet comes from the log, what they have is in their `open` lists or a blocked row;
- skipped: the attempts that found nothing to send are indexed, and the last attempt of a delivery counts; what did not
  meet a subscription's condition has no attempt at all, and is found as what was delivered is;
- delivered, or any: every event of the log with every lane.

With a document given, its own events take the log's place. A candidate then has to pass the rest of the filter. All
stretches of a page together look at `max_scanned` events or candidates: enough to find what is not rare, and few enough
that a page takes a few milliseconds whatever is asked. Stretches begin small, since most pages fill at once.

A tenant may have thousands of lanes, and a page shows those of fifty deliveries. So lanes are read where a candidate
needs them; all of them only where candidates are found by how far lanes are.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import islice
from operator import attrgetter, or_
from typing import NamedTuple

from signalpost.domain.delivery.delivery import State
from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.deliveries import DeliveryFilter, DeliveryPosition, DeliveryView, DeliveryViews
from signalpost.store.walks.delivery_queries import DeliveryPart, DeliveryQueries, DeliveryScope, ListedDelivery
from signalpost.store.walks.delivery_views import views_of
from signalpost.store.walks.recorded_lane import STATUS, RecordedLane, asked_for
from signalpost.store.walks.together import together

_BOTTOM = DeliveryPosition(0, 0)
_FAILURES = (DeliveryFilter(status="retrying"), DeliveryFilter(status="failed"))
"""What is looked for as a subscription's latest failure, one after the other."""
_FOUND_BY_LANES = ("pending", "delivered")
"""Statuses of which candidates are found by how far each lane is."""


async def page(
    queries: DeliveryQueries,
    tenant_id: int,
    subscriptions: Sequence[Subscription],
    wanted: DeliveryFilter,
    below: DeliveryPosition | None,
    limit: int,
    max_scanned: int,
) -> DeliveryViews:
    """A page of a list; see `DeliveryStore.page`. It looks at `max_scanned` events or candidates at most."""
    if not subscriptions:
        return DeliveryViews(())
    walk, position = await _begin(queries, tenant_id, subscriptions, wanted, below)
    found: list[ListedDelivery] = []
    for size in _stretch_sizes(limit, max_scanned):
        if position is None:
            break
        stretch = await walk.stretch(position, size)
        candidates = (each for each in stretch.candidates if walk.may_match(each, stretch.types))
        count = limit - len(found)
        while len(found) < limit and (some := [*islice(candidates, count)]):
            found += (await walk.matching(some))[: limit - len(found)]
            count *= 4
        position = stretch.reached
        if len(found) == limit:
            position = DeliveryPosition(found[-1].sequence, found[-1].subscription_number)
            break
    reached = position if len(found) < limit else None
    looked_at = {candidate.sequence for candidate in found} | ({reached.sequence} if reached else set())
    events = await queries.entries(tenant_id, looked_at)
    views = await views_of(
        queries, tenant_id, [(walk.lanes[each.subscription_number], events[each.sequence]) for each in found]
    )
    back_to = events.get(reached.sequence) if reached else None
    found_views = tuple(view for view in views if view is not None)
    return DeliveryViews(found_views, position, None if back_to is None else back_to.at)


async def latest_failures(
    queries: DeliveryQueries, tenant_id: int, subscriptions: Sequence[Subscription], max_scanned: int
) -> dict[str, DeliveryView]:
    """A delivery that failed at each subscription; see `DeliveryStore.latest_failures`."""
    found: dict[str, DeliveryView] = {}
    for status in _FAILURES:
        left = [each for each in subscriptions if each.id not in found]
        pages = await together(page(queries, tenant_id, [each], status, None, 1, max_scanned) for each in left)
        found |= {each.id: views.data[0] for each, views in zip(left, pages, strict=True) if views.data}
    return found


async def _begin(
    queries: DeliveryQueries,
    tenant_id: int,
    subscriptions: Sequence[Subscription],
    asked: DeliveryFilter,
    below: DeliveryPosition | None,
) -> tuple["_Walk", DeliveryPosition | None]:
    """A walk, and where it begins."""
    ends = await queries.ends(tenant_id)
    low, end = ends.floor, ends.last + 1
    if asked.created_from is not None:
        low = await queries.sequence_at(tenant_id, asked.created_from)
    if asked.created_to is not None:
        end = await queries.sequence_at(tenant_id, asked.created_to)
    low = max(low, min(map(attrgetter("starts_after"), subscriptions)) + 1)
    start = DeliveryPosition(end, 0)
    walk = _Walk(queries, tenant_id, subscriptions, asked, low)
    if asked.status in _FOUND_BY_LANES:
        await walk.read_lanes(subscriptions)
    return walk, start if below is None else min(start, below)


class _Stretch(NamedTuple):
    candidates: Iterable[ListedDelivery]
    """Candidates, newest first."""
    types: Mapping[int, int]
    """The types of events by sequence. An event that is missing here is not asked for."""
    reached: DeliveryPosition | None
    """How far down the walk has looked; None at its end."""


def _stretch_sizes(limit: int, max_scanned: int) -> Iterator[int]:
    """How much each stretch of a page may look at."""
    size, left = 2 * limit, max_scanned
    while left > 0:
        yield min(size, left)
        left -= size
        size *= 4


class _Walk:
    """Finds the candidates of one page, a stretch at a time."""

    def __init__(
        self,
        queries: DeliveryQueries,
        tenant_id: int,
        subscriptions: Sequence[Subscription],
        asked: DeliveryFilter,
        low: int,
    ) -> None:
        self._queries = queries
        self._tenant_id = tenant_id
        self._subscriptions = {
            each.number: each for each in sorted(subscriptions, key=attrgetter("number"), reverse=True)
        }
        """The subscriptions of which deliveries are asked for, by number, the highest first."""
        self.lanes: dict[int, RecordedLane] = {}
        """The lanes that were read. That of a subscription that was deleted a moment ago is missing."""
        self._asked = asked
        self._low = low
        """Nothing below this sequence is asked for."""
        filters = {*map(attrgetter("filters"), subscriptions)}
        self._types = asked.types & reduce(or_, (types for each in filters for _, types in each))
        self._whose = DeliveryScope(tenant_id, subscriptions[0].number if len(subscriptions) == 1 else None)

    async def stretch(self, below: DeliveryPosition, size: int) -> _Stretch:
        top = below.sequence if below.subscription_number > min(self._subscriptions) else below.sequence - 1
        by_document = self._asked.document_id is not None
        match self._asked.status:
            case "failed" | "retrying" as status:
                state = State.FAILED if status == "failed" else State.AWAITING_RETRY
                find = self._exceptions_of_document if by_document else self._exceptions
                return await find(state, below, top, size)
            case "pending":
                return await (self._pending_of_document if by_document else self._pending)(below, top, size)
            case "skipped":
                may_refuse = any(each.had_condition for each in self._subscriptions.values())
                return await (self._derived if by_document or may_refuse else self._skipped)(below, top, size)
            case "delivered":
                heads = (lane.head for lane in self.lanes.values())
                return await self._derived(below, min(top, max(heads, default=0)), size)
            case None:
                return await self._derived(below, top, size)

    def may_match(self, candidate: ListedDelivery, types: Mapping[int, int]) -> bool:
        """Whether a candidate is asked for, as far as that is known without its lane."""
        subscription = self._subscriptions.get(candidate.subscription_number)
        if subscription is None or (self._asked.status == "skipped" and not candidate.is_skipped):
            return False
        return asked_for(subscription, candidate.sequence, types.get(candidate.sequence, 0))

    async def matching(self, candidates: Collection[ListedDelivery]) -> list[ListedDelivery]:
        """The candidates that have the status that is asked for."""
        numbers = {each.subscription_number for each in candidates} - self.lanes.keys()
        await self.read_lanes([self._subscriptions[number] for number in numbers])
        return [each for each in candidates if self._matches(each)]

    async def read_lanes(self, subscriptions: Sequence[Subscription]) -> None:
        if subscriptions:
            self.lanes |= await self._queries.lanes(subscriptions)

    def _matches(self, candidate: ListedDelivery) -> bool:
        sequence, number, state, is_skipped = candidate
        lane = self.lanes.get(number)
        if lane is None:
            return False
        status = lane.status(sequence, state)
        if status == "delivered" and is_skipped:
            status = "skipped"
        return status is not None and self._asked.status in (None, status)

    # --- Stretches ----------------------------------------------------------------------------------------------------

    async def _exceptions(self, state: State, below: DeliveryPosition, _top: int, size: int) -> _Stretch:
        # Half as many: each costs a look at its event too.
        found, cut = await self._rows(state, self._low, below, max(1, size // 2))
        return _Stretch(found, await self._types_of(found), cut)

    async def _exceptions_of_document(self, state: State, below: DeliveryPosition, top: int, size: int) -> _Stretch:
        types, reached = await self._events(self._low, top, size)
        found, cut = await self._rows_of(types, (state,), below, size)
        return _Stretch(found, types, cut or reached)

    async def _derived(self, below: DeliveryPosition, top: int, size: int) -> _Stretch:
        types, reached = await self._events(self._low, top, size, size // len(self._subscriptions))
        exceptions, cut = await self._rows_of(types, STATUS, below, size)
        states = {(each.sequence, each.subscription_number): each.state for each in exceptions}
        reached = cut or reached
        skipped = frozenset[tuple[int, int]]()
        if self._asked.status is not None:
            skipped = await self._skipped_of(types) | await self._passed_over(types, states)
        candidates = (
            ListedDelivery(sequence, number, states.get((sequence, number)), (sequence, number) in skipped)
            for sequence in types
            for number in self._subscriptions
            if (reached or _BOTTOM) <= (sequence, number) < below
        )
        return _Stretch(candidates, types, reached)

    async def _skipped(self, below: DeliveryPosition, _top: int, size: int) -> _Stretch:
        size = max(1, size // 2)  # each costs a look at its event too
        deliveries = await self._queries.skipped(self._tenant_id, self._low, DeliveryPart(below, size))
        found = [ListedDelivery(sequence, number, None, is_skipped=True) for sequence, number in deliveries]
        return _Stretch(found, await self._types_of(found), _cut(found, size))

    async def _skipped_of(self, sequences: Collection[int]) -> frozenset[tuple[int, int]]:
        """The deliveries of some events whose last attempt found nothing to send, by sequence and subscription."""
        if not sequences:
            return frozenset()
        return frozenset(await self._queries.skipped_between(self._tenant_id, min(sequences), max(sequences)))

    async def _passed_over(
        self, types: Mapping[int, int], states: Mapping[tuple[int, int], int | None]
    ) -> frozenset[tuple[int, int]]:
        """The deliveries of some events that are settled without an attempt, if they are settled, by sequence and
        subscription: those that did not meet a condition."""
        asked = [
            (subscription.number, sequence)
            for subscription in self._subscriptions.values()
            if subscription.had_condition
            for sequence, event_type in types.items()
            if (sequence, subscription.number) not in states and asked_for(subscription, sequence, event_type)
        ]
        found = await self._queries.unattempted(self._tenant_id, asked) if asked else ()
        return frozenset((sequence, number) for number, sequence in found)

    async def _pending(self, below: DeliveryPosition, top: int, size: int) -> _Stretch:
        unread = [lane for lane in self.lanes.values() if lane.head < top]
        opened, low = self._opened(top, max(1, size // len(self._subscriptions)))
        types: Mapping[int, int] = {}
        if unread:
            # Below the lowest head nothing is unread, and the log need not be looked through.
            low = max(low, min(lane.head for lane in unread) + 1)
            types, reached = await self._events(low, top, size, size // len(unread))
            low = reached.sequence if reached else low
            opened = {each for each in opened if each.sequence in types}
        blocked, cut = await self._rows(State.BLOCKED, low, below, max(1, size // 2))
        reached = cut or (DeliveryPosition(low, 0) if low > self._low else None)
        candidates = _between({*opened, *blocked, *_unread(unread, types)}, below, reached)
        return _Stretch(candidates, types if unread else await self._types_of(candidates), reached)

    async def _pending_of_document(self, below: DeliveryPosition, top: int, size: int) -> _Stretch:
        unread = [lane for lane in self.lanes.values() if lane.head < top]
        types, reached = await self._events(self._low, top, size, size // max(1, len(unread)))
        blocked, cut = await self._rows_of(types, (State.BLOCKED,), below, size)
        lowest = min(types, default=top)
        opened = {
            ListedDelivery(sequence, number, None)
            for number, lane in self.lanes.items()
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
        for number, lane in self.lanes.items():
            opened = lane.open_between(low, top)
            if len(opened) > most:
                opened = opened[-most:]
                low = opened[0]
            found.update(ListedDelivery(sequence, number, None) for sequence in opened)
        return found, low

    async def _events(
        self, low: int, top: int, size: int, most: int | None = None
    ) -> tuple[dict[int, int], DeliveryPosition | None]:
        """The types of events that may match, by sequence, newest first, from `top` down to `low`.

        At most `size` events are looked at, and `most` of them returned (at least one). Also returns how far down that
        was, or None if it was down to `low`.
        """
        most = size if most is None else max(1, most)
        if self._asked.document_id is None:
            lowest = max(low, top - size + 1)
            found = await self._queries.types_between(self._tenant_id, lowest, top, self._types, most)
            lowest = found[-1][0] if len(found) == most else lowest
            return dict(found), DeliveryPosition(lowest, 0) if lowest > low else None
        looked_at = await self._queries.types_of_document(self._tenant_id, self._asked.document_id, low, top, size)
        found = [(sequence, event_type) for sequence, event_type in looked_at if event_type & self._types]
        if len(found) > most:
            return dict(found[:most]), DeliveryPosition(found[most - 1][0], 0)
        return dict(found), DeliveryPosition(looked_at[-1][0], 0) if len(looked_at) == size else None

    async def _types_of(self, candidates: Iterable[ListedDelivery]) -> dict[int, int]:
        sequences = {candidate.sequence for candidate in candidates}
        return dict(await self._queries.types_of(self._tenant_id, sequences, self._types))

    async def _rows(
        self, state: State, low: int, below: DeliveryPosition, most: int
    ) -> tuple[list[ListedDelivery], DeliveryPosition | None]:
        """Exception rows of a state, and where they were cut off, if they were."""
        found = await self._queries.rows_in_state(self._whose, state, low, DeliveryPart(below, most))
        return found, _cut(found, most)

    async def _rows_of(
        self, sequences: Collection[int], states: Collection[State], below: DeliveryPosition, most: int
    ) -> tuple[list[ListedDelivery], DeliveryPosition | None]:
        """Exception rows of some events, and where they were cut off, if they were."""
        found = await self._queries.rows_of_events(self._whose, sequences, states, DeliveryPart(below, most))
        return found, _cut(found, most)


def _cut(found: Sequence[ListedDelivery], most: int) -> DeliveryPosition | None:
    """Where a query with a limit was cut off; None if it found no more."""
    return DeliveryPosition(found[-1].sequence, found[-1].subscription_number) if len(found) == most else None


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
