"""What there is to replay.

What a replay may feed: of what has a row the failed (or what awaits its retry, if that is asked for), and if `all` is
asked for, also what has none and was settled. So its range is cut into parts. In a gap, which no lane ever took in, and
where no type was wanted, only rows count, and these are found through their index. Elsewhere the log is looked through,
a bounded number of entries at a time.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.replay import LeftOut, What
from signalpost.domain.event import EventType
from signalpost.domain.subscription import Filters, Subscription, wanted
from signalpost.store.lanes import LaneFlush
from signalpost.store.packing.lanes import decode_gaps
from signalpost.store.packing.sequences import unpack_sequences
from signalpost.store.replay_queries import LaneState, ReplayQueries, Stretch
from signalpost.store.replays import Candidate, Fed, ReplayPart

MAX_FED = 256
"""How many deliveries a lane is given at a time."""
MAX_FEED_SCANNED = 10_000
"""How many entries of the log one transaction looks through, for all lanes that it records together."""
MAX_COUNTED = 100_000
"""How far a replay is counted; see `ReplayStore.count`."""
_ALL_TYPES = sum(EventType)
_Gaps = Sequence[Sequence[int]]


async def count(
    queries: ReplayQueries, subscription: Subscription, from_sequence: int, to_sequence: int, what: What
) -> tuple[int, bool]:
    """How many deliveries of a range a replay would queue; see `ReplayStore.count`."""
    lane = await queries.lane_state(subscription.number) or LaneState(0, b"", b"[]")
    first = last = max(from_sequence, subscription.starts_after + 1)
    counted, scan, capped = 0, MAX_COUNTED, False
    for part in _parts(what, first, min(to_sequence, lane.head), subscription.filters, decode_gaps(lane.gaps)):
        limit = MAX_COUNTED + 1 - counted
        if part.types:
            last = min(part.last, part.first + scan - 1)
            scan -= last - part.first + 1
            counted += await queries.count_failed_or_without(_of(subscription, part.first, last), part.types, limit)
        else:
            last = part.last
            counted += await queries.count_in_state(_of(subscription, part.first, last), _state_of(what), limit)
        capped = last < part.last or counted > MAX_COUNTED
        if capped:
            break
    if what == "all":
        counted -= sum(first <= sequence <= last for sequence in unpack_sequences(lane.open))
    return min(counted, MAX_COUNTED), capped


async def left_out(
    queries: ReplayQueries,
    subscription: Subscription,
    from_sequence: int,
    to_sequence: int,
    head: int,
    what: What,
) -> LeftOut:
    """What a range has that a replay would not queue; see `ReplayStore.left_out`."""
    starts_after = subscription.starts_after
    floor = (await queries.ends(subscription.tenant_id)).floor
    removed = max(0, floor - 1 - starts_after) if from_sequence <= floor else 0
    first = max(from_sequence, starts_after + 1)
    unwanted = unread = 0
    for part in _stretches(first, to_sequence, subscription.filters):
        unwanted += await _count(queries, subscription, part, _ALL_TYPES & ~part.types)
        above = part._replace(first=max(part.first, head + 1))
        unread += await _count(queries, subscription, above, part.types)
    return LeftOut(
        removed=removed,
        unwanted=max(0, min(to_sequence, starts_after) - from_sequence + 1) + unwanted,
        waiting=unread + await _unsettled(queries, _of(subscription, first, to_sequence), what),
    )


async def feed(queries: ReplayQueries, flushes: Sequence[LaneFlush]) -> dict[int, Fed]:
    """The next part of what each lane replays, by subscription. Once MAX_FEED_SCANNED entries were looked through, the
    remaining lanes get nothing this time."""
    fed: dict[int, Fed] = {}
    scan = MAX_FEED_SCANNED
    for flush in flushes:
        if flush.feed is not None:
            fed[flush.subscription_number], scan = await _feed(queries, flush, flush.feed, scan)
    return fed


async def _feed(queries: ReplayQueries, flush: LaneFlush, asked: ReplayPart, scan: int) -> tuple[Fed, int]:
    """Returns what the lane gets, and how many entries may still be looked through."""
    cursor = asked.replay.cursor
    candidates: list[Candidate] = []
    for part in _parts(asked.replay.what, cursor + 1, asked.up_to, asked.filters, flush.gaps):
        limit = min(MAX_FED - len(candidates), scan)
        if limit <= 0:
            break
        last = min(part.last, part.first + scan - 1) if part.types else part.last
        stretch = Stretch(flush.tenant_id, flush.subscription_number, part.first, last)
        if part.types:
            found = await queries.failed_or_without(stretch, part.types, limit)
        else:
            found = await queries.in_state(stretch, _state_of(asked.replay.what), limit)
        cursor = found[-1].sequence if len(found) == limit else last
        scan -= cursor - part.first + 1 if part.types else len(found)
        candidates += [candidate for candidate in found if candidate.sequence not in flush.open]
        if cursor < part.last:
            break
    return Fed(tuple(candidates), cursor), scan


class _Part(NamedTuple):
    """A stretch of a replay's range in which the same deliveries count."""

    first: int
    last: int
    types: int
    """An event of one of these types (as bits) that has no row was delivered; 0 if there are none."""


def _parts(what: What, first: int, last: int, filters: Filters, gaps: _Gaps) -> Iterator[_Part]:
    if first > last:
        return
    if what != "all":
        yield _Part(first, last, 0)
        return
    edges = {after + 1 for after, _ in filters} | {edge for gap in gaps for edge in (gap[0], gap[1] + 1)}
    cuts = sorted({first, last + 1} | {edge for edge in edges if first < edge <= last})
    for start, following in pairwise(cuts):
        skipped = any(gap[0] <= start <= gap[1] for gap in gaps)
        yield _Part(start, following - 1, 0 if skipped else wanted(filters, start))


def _stretches(first: int, last: int, filters: Filters) -> Iterator[_Part]:
    """A range, cut where the types that the subscription wants changed."""
    cuts = sorted({first, last + 1} | {after + 1 for after, _ in filters if first <= after < last})
    for start, following in pairwise(cuts):
        yield _Part(start, following - 1, wanted(filters, start))


async def _count(queries: ReplayQueries, subscription: Subscription, part: _Part, types: int) -> int:
    """How many events of some types are in a part, of which only the first `MAX_COUNTED` entries are looked at."""
    last = min(part.last, part.first + MAX_COUNTED - 1)
    if not types or last < part.first:
        return 0
    return await queries.count_events(_of(subscription, part.first, last), types)


async def _unsettled(queries: ReplayQueries, stretch: Stretch, what: What) -> int:
    """How many deliveries of a stretch were taken in and neither settled nor given up. Those that wait for a retry do
    not count where a replay sends just these."""
    lane = await queries.lane_state(stretch.subscription_number)
    opened = [] if lane is None else unpack_sequences(lane.open)
    counted = sum(stretch.first <= sequence <= stretch.last for sequence in opened)
    for state in [State.BLOCKED] if what == "waiting" else [State.BLOCKED, State.AWAITING_RETRY]:
        counted += await queries.count_in_state(stretch, state, MAX_COUNTED)
    return counted


def _of(subscription: Subscription, first: int, last: int) -> Stretch:
    return Stretch(subscription.tenant_id, subscription.number, first, last)


def _state_of(what: What) -> State:
    """The state of the exception rows that a replay is about."""
    return State.AWAITING_RETRY if what == "waiting" else State.FAILED
