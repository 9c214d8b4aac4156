"""How many subscriptions wanted each of some events, and how many got it.

Nothing is kept for an event and a subscription that go well, so this follows from what is: who wanted events of its
type then, less those whose lane has not come so far, who have an exception row, or where nothing was to be sent. Of the
last, those have no attempt whose condition was not met.

So every lane is looked at, unless there are more of them than `COUNTED_AMONG`. Then only those are counted that need
a person and have an index: deliveries that failed, up to `MAX_FAILED` of each event.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from signalpost.domain.delivery.delivery import State
from signalpost.domain.event import EVERY_TYPE
from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.deliveries import COUNTED_AMONG, MAX_FAILED, Arrivals, DeliveryPosition
from signalpost.store.walks.delivery_queries import DeliveryPart, DeliveryQueries, DeliveryScope
from signalpost.store.walks.recorded_lane import RecordedLane, asked_for
from signalpost.store.walks.together import together

_BEYOND: Final = 2**62


async def arrivals(
    queries: DeliveryQueries,
    tenant_id: int,
    subscriptions: Sequence[Subscription],
    shadows: Collection[int],
    sequences: Collection[int],
) -> dict[int, Arrivals]:
    """How many subscriptions got the events with these sequences; see `DeliveryStore.arrivals`."""
    types = dict(await queries.types_of(tenant_id, sequences, EVERY_TYPE)) if sequences else {}
    if not types:
        return {}
    if len(subscriptions) > COUNTED_AMONG:
        return await _failures(queries, tenant_id, shadows, types)
    wanted = _wanted(((each, each.starts_after) for each in subscriptions), types)
    lanes = await queries.lanes_with_unsettled(subscriptions, max(types))
    waiting, gone = await _underway(queries, lanes.values(), types)
    rows = await queries.row_counts(tenant_id, types, shadows)
    settled = await queries.skipped_for_good(tenant_id, types)
    skipped = Counter(sequence for sequence, number in settled if number not in shadows)
    skipped += await _passed_over(queries, tenant_id, subscriptions, lanes, types)
    shown = {}
    for sequence in types:
        waits = waiting[sequence] + rows[sequence, State.AWAITING_RETRY] + rows[sequence, State.BLOCKED]
        failed, none_sent = rows[sequence, State.FAILED], skipped[sequence]
        delivered = wanted[sequence] - gone[sequence] - waits - failed - none_sent
        shown[sequence] = Arrivals(max(0, delivered), waits, failed, none_sent)  # rows outlive a deleted subscription
    return shown


async def _failures(
    queries: DeliveryQueries, tenant_id: int, shadows: Collection[int], sequences: Iterable[int]
) -> dict[int, Arrivals]:
    scope, part = DeliveryScope(tenant_id, None), DeliveryPart(DeliveryPosition(_BEYOND, 0), MAX_FAILED + len(shadows))
    asked = {each: queries.rows_of_events(scope, [each], [State.FAILED], part) for each in sequences}
    failed = {}
    for each, rows in zip(asked, await together(asked.values()), strict=True):
        counted = sum(row.subscription_number not in shadows for row in rows)
        failed[each] = Arrivals(None, None, min(counted, MAX_FAILED), None)
    return failed


async def _passed_over(
    queries: DeliveryQueries,
    tenant_id: int,
    subscriptions: Iterable[Subscription],
    unsettled: Mapping[int, RecordedLane],
    types: Mapping[int, int],
) -> Counter[int]:
    """How many lanes passed over each event because it did not meet their condition. `unsettled` has the lanes that may
    have an event before them."""
    asked = {
        (each.number, sequence)
        for each in subscriptions
        if each.had_condition
        for sequence, event_type in types.items()
        if asked_for(each, sequence, event_type)
        and ((lane := unsettled.get(each.number)) is None or lane.status(sequence, None) == "delivered")
    }
    if not asked:
        return Counter()
    settled = asked - (await queries.row_states(asked)).keys()
    return Counter(sequence for _, sequence in await queries.unattempted(tenant_id, settled))


def _wanted(subscriptions: Iterable[tuple[Subscription, int]], types: Mapping[int, int]) -> dict[int, int]:
    """How many subscriptions wanted each event when it was made. Each subscription counts after the sequence that is
    given with it."""
    ordered = sorted(types)
    changes: dict[int, list[int]] = {each: [0] * (len(ordered) + 1) for each in set(types.values())}
    for subscription, begins_after in subscriptions:
        for (after, wanted), (until, _) in pairwise((*subscription.filters, (_BEYOND, 0))):
            first = bisect_right(ordered, max(after, begins_after))
            end = bisect_right(ordered, until)
            for each in changes:
                if each & wanted and first < end:
                    changes[each][first] += 1
                    changes[each][end] -= 1
    counted, found = dict.fromkeys(changes, 0), {}
    for index, sequence in enumerate(ordered):
        for each, at in changes.items():
            counted[each] += at[index]
        found[sequence] = counted[types[sequence]]
    return found


async def _underway(
    queries: DeliveryQueries, lanes: Collection[RecordedLane], types: Mapping[int, int]
) -> tuple[Counter[int], Counter[int]]:
    """How many lanes have each event before them or in its first attempt, and how many never took it in."""
    ordered = sorted(types)
    before_them = ((lane.subscription, max(lane.subscription.starts_after, lane.head)) for lane in lanes)
    waiting, passed = Counter(_wanted(before_them, types)), list[tuple[int, int]]()
    for lane in lanes:
        known = ordered[: bisect_right(ordered, lane.head)]
        unsettled = lane.open_among(known)
        waiting.update(unsettled)
        for sequence in lane.never_taken_in_among(known):
            if sequence not in unsettled and asked_for(lane.subscription, sequence, types[sequence]):
                passed.append((lane.subscription.number, sequence))
    kept = await queries.row_states(passed) if passed else {}
    return waiting, Counter(sequence for number, sequence in passed if (number, sequence) not in kept)
