"""What there is to replay.

What a replay may feed: of what has a row the failed (or what awaits its retry, if that is asked for), and if `all` is
asked for, also what has none and was settled. So its range is cut into parts. In a gap, which no lane ever took in, and
where no type was wanted, only rows count, and these are found through their index. Elsewhere the log is looked through,
a bounded number of entries at a time. What one document had is found by its index, wherever it is.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from msgspec.structs import replace

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.replay import LeftOut, ReplayChoice, What
from signalpost.domain.event import EVERY_TYPE, Event
from signalpost.domain.subscription import Filters, Subscription, wanted
from signalpost.store.nouns.lanes import LaneFlush
from signalpost.store.nouns.replays import Candidate, Fed, ReplayPart
from signalpost.store.packing.lanes import decode_gaps
from signalpost.store.packing.sequences import unpack_sequences
from signalpost.store.walks.replay_queries import Entry, LaneState, ReplayQueries, Stretch

MAX_FED = 256
"""How many deliveries a lane is given at a time."""
MAX_FEED_SCANNED = 10_000
"""How many entries of the log one transaction looks through, for all lanes that it records together."""
MAX_FED_BYTES = 256 * 1024
"""How many bytes of events a lane is given at a time that has a condition on them: to look at so many takes the event
loop some 2 ms."""
MOSTLY_SENT = 8
"""How many events are looked at for each that may be found, if it is asked for what was never sent: most were."""
MAX_COUNTED = 100_000
"""How far a replay is counted; see `ReplayStore.count`."""
_Gaps = Sequence[Sequence[int]]


async def count(
    queries: ReplayQueries, subscription: Subscription, from_sequence: int, to_sequence: int, choice: ReplayChoice
) -> tuple[int, bool]:
    """How many deliveries of a range a replay would queue; see `ReplayStore.count`."""
    lane = await queries.lane_state(subscription.number) or LaneState(0, b"", b"[]")
    first = last = max(from_sequence, subscription.starts_after + 1)
    counted, scan, capped = 0, MAX_COUNTED, False
    last_known = _last_known(choice, to_sequence, lane)
    for part in _parts(choice, first, last_known, subscription.filters, decode_gaps(lane.gaps)):
        limit = MAX_COUNTED + 1 - counted
        stretch = _of(subscription, part.first, part.last)
        if choice.what == "unsent":
            found = await _unsent(queries, stretch, part.types, min(limit, MAX_FEED_SCANNED))
            last, opened = found.up_to, unpack_sequences(lane.open)
            counted += sum(each.sequence not in opened for each in found.candidates)
        elif choice.document_id is not None:
            found = await _found(queries, choice, stretch, part.types, limit)
            last = found.up_to
            counted += len(found.candidates)
        elif part.types:
            last = min(part.last, part.first + scan - 1)
            scan -= last - part.first + 1
            counted += await queries.count_failed_or_without(_of(subscription, part.first, last), part.types, limit)
        else:
            state, last = _state_of(choice.what), part.last
            looked_at = await queries.count_in_state(stretch, state, limit)
            counted += await _of_these(queries, stretch, state, choice, looked_at)
            capped = looked_at == limit
        capped = capped or last < part.last or counted > MAX_COUNTED
        if capped:
            break
    if choice.what == "all":
        counted -= await _count_open(queries, _of(subscription, first, last), lane, choice)
    return min(counted, MAX_COUNTED), capped


async def left_out(
    queries: ReplayQueries,
    subscription: Subscription,
    from_sequence: int,
    to_sequence: int,
    head: int,
    choice: ReplayChoice,
) -> LeftOut:
    """What a range has that a replay would not queue; see `ReplayStore.left_out`."""
    starts_after = subscription.starts_after
    floor = (await queries.ends(subscription.tenant_id)).floor
    removed = max(0, floor - 1 - starts_after) if from_sequence <= floor else 0
    first = max(from_sequence, starts_after + 1)
    older = _Part(from_sequence, min(to_sequence, starts_after), 0)
    unwanted = max(0, older.last - older.first + 1)
    if not choice.is_every_event:
        unwanted = await _count(queries, subscription, older, choice)
    unread = 0
    for part in _stretches(first, to_sequence, subscription.filters):
        unwanted += await _count(queries, subscription, part, replace(choice, types=choice.types & ~part.types))
        above = part._replace(first=max(part.first, head + 1))
        unread += await _count(queries, subscription, above, replace(choice, types=choice.types & part.types))
    return LeftOut(
        removed=removed,
        unwanted=unwanted,
        waiting=unread + await _unsettled(queries, _of(subscription, first, to_sequence), choice),
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


async def part(
    queries: ReplayQueries, subscription: Subscription, from_sequence: int, to_sequence: int, choice: ReplayChoice
) -> Fed:
    """The first deliveries of a range that a replay would queue; see `ReplayStore.part`."""
    lane = await queries.lane_state(subscription.number) or LaneState(0, b"", b"[]")
    first, last = max(from_sequence, subscription.starts_after + 1), _last_known(choice, to_sequence, lane)
    parts = _parts(choice, first, last, subscription.filters, decode_gaps(lane.gaps))
    whole = _of(subscription, first, last)
    fed, _ = await _next_of(queries, choice, whole, parts, unpack_sequences(lane.open), MAX_FEED_SCANNED)
    return await _with_events(queries, subscription.tenant_id, fed)


async def _feed(queries: ReplayQueries, flush: LaneFlush, asked: ReplayPart, scan: int) -> tuple[Fed, int]:
    """Returns what the lane gets, and how many entries may still be looked through."""
    choice = asked.replay.choice
    whole = Stretch(flush.tenant_id, flush.subscription_number, asked.replay.cursor + 1, asked.up_to)
    parts = _parts(choice, whole.first, whole.last, asked.filters, flush.gaps)
    fed, scan = await _next_of(queries, choice, whole, parts, flush.open, scan)
    return await _with_events(queries, flush.tenant_id, fed) if asked.with_events else fed, scan


async def _with_events(queries: ReplayQueries, tenant_id: int, fed: Fed) -> Fed:
    """The deliveries with their events: as many as there is room for, one at least."""
    events: dict[int, Event] = {}
    size = 0
    for event in await queries.events(tenant_id, [each.sequence for each in fed.candidates]):
        size += len(event.body)
        if events and size > MAX_FED_BYTES:
            reached = max(events)
            return Fed(tuple(each for each in fed.candidates if each.sequence <= reached), reached, events)
        events[event.sequence] = event
    return Fed(fed.candidates, fed.cursor, events)


async def _next_of(
    queries: ReplayQueries,
    choice: ReplayChoice,
    whole: Stretch,
    parts: Iterable["_Part"],
    opened: Collection[int],
    scan: int,
) -> tuple[Fed, int]:
    """The next deliveries of a range, without those that are open. Also returns how many entries may still be looked
    through."""
    cursor = whole.first - 1
    candidates: list[Candidate] = []
    for part in parts:
        limit = min(MAX_FED - len(candidates), scan)
        if limit <= 0:
            break
        walks_the_log = part.types and choice.document_id is None
        last = min(part.last, part.first + scan - 1) if walks_the_log else part.last
        stretch = whole._replace(first=part.first, last=last)
        found = await _found(queries, choice, stretch, part.types, limit)
        cursor = found.up_to
        scan -= cursor - part.first + 1 if walks_the_log else found.looked_at
        candidates += [candidate for candidate in found.candidates if candidate.sequence not in opened]
        if cursor < part.last:
            break
    return Fed(tuple(candidates), cursor), scan


class _ToReplay(NamedTuple):
    """The deliveries to replay in a stretch of the log."""

    candidates: list[Candidate]
    up_to: int
    """There are no others up to this sequence."""
    looked_at: int
    """How many rows that took."""


async def _found(queries: ReplayQueries, choice: ReplayChoice, stretch: Stretch, types: int, limit: int) -> _ToReplay:
    """`types` are those of which what has no row was delivered, as in `_Part`. At most `limit` rows are looked at (of
    what was never sent, at most that many are found)."""
    found: list[Candidate]
    looked_at: Sequence[Candidate | Entry]
    if choice.what == "unsent":
        return await _unsent(queries, stretch, types, limit)
    if choice.document_id is not None:
        looked_at = entries = await queries.of_document(stretch, choice.document_id, types or choice.types, limit)
        states = (None, State.FAILED) if types else (_state_of(choice.what),)
        found = [_candidate(each) for each in entries if (each.row and each.row.state) in states]
    elif types:
        looked_at = found = await queries.failed_or_without(stretch, types, limit)
    else:
        looked_at = found = await queries.in_state(stretch, _state_of(choice.what), limit)
        if choice.types != EVERY_TYPE:
            entries = await queries.entries(stretch, [each.sequence for each in found])
            found = [_candidate(each) for each in entries if each.type & choice.types]
    up_to = looked_at[-1].sequence if len(looked_at) == limit else stretch.last
    return _ToReplay(found, up_to, len(looked_at))


async def _unsent(queries: ReplayQueries, stretch: Stretch, types: int, limit: int) -> _ToReplay:
    """The events of some types for which nothing was ever sent, although they were settled or given up."""
    most = limit * MOSTLY_SENT
    looked_at = await queries.failed_or_without(stretch, types, most) if types else []
    sent = await queries.sent(stretch, [each.sequence for each in looked_at]) if looked_at else frozenset[int]()
    found = [each for each in looked_at if each.sequence not in sent]
    if len(found) > limit:
        return _ToReplay(found[:limit], found[limit - 1].sequence, len(looked_at))
    return _ToReplay(found, looked_at[-1].sequence if len(looked_at) == most else stretch.last, len(looked_at))


def _candidate(entry: Entry) -> Candidate:
    return Candidate(entry.sequence, entry.document_id, entry.row)


class _Part(NamedTuple):
    """A stretch of a replay's range in which the same deliveries count."""

    first: int
    last: int
    types: int
    """An event of one of these types (as bits) that has no row was delivered; 0 if there are none."""


def _parts(choice: ReplayChoice, first: int, last: int, filters: Filters, gaps: _Gaps) -> Iterator[_Part]:
    if first > last:
        return
    if choice.what == "unsent":  # of the types that count now, whatever counted then
        filters = ((0, choice.types),)
    elif choice.what != "all":
        yield _Part(first, last, 0)
        return
    edges = {after + 1 for after, _ in filters} | {edge for gap in gaps for edge in (gap[0], gap[1] + 1)}
    cuts = sorted({first, last + 1} | {edge for edge in edges if first < edge <= last})
    for start, following in pairwise(cuts):
        skipped = any(gap[0] <= start <= gap[1] for gap in gaps)
        yield _Part(start, following - 1, 0 if skipped else wanted(filters, start) & choice.types)


def _stretches(first: int, last: int, filters: Filters) -> Iterator[_Part]:
    """A range, cut where the types that the subscription wants changed."""
    cuts = sorted({first, last + 1} | {after + 1 for after, _ in filters if first <= after < last})
    for start, following in pairwise(cuts):
        yield _Part(start, following - 1, wanted(filters, start))


async def _count(queries: ReplayQueries, subscription: Subscription, part: _Part, choice: ReplayChoice) -> int:
    """How many events of the types and of the document are in a part, of which only the first `MAX_COUNTED` entries are
    looked at."""
    if not choice.types or part.last < part.first:
        return 0
    if choice.document_id is not None:
        stretch = _of(subscription, part.first, part.last)
        return len(await queries.of_document(stretch, choice.document_id, choice.types, MAX_COUNTED))
    last = min(part.last, part.first + MAX_COUNTED - 1)
    return await queries.count_events(_of(subscription, part.first, last), choice.types)


async def _unsettled(queries: ReplayQueries, stretch: Stretch, choice: ReplayChoice) -> int:
    """How many deliveries of a stretch were taken in and neither settled nor given up. Those that wait for a retry do
    not count where a replay sends just these."""
    lane = await queries.lane_state(stretch.subscription_number)
    counted = 0 if lane is None else await _count_open(queries, stretch, lane, choice)
    states = [State.BLOCKED] if choice.what == "waiting" else [State.BLOCKED, State.AWAITING_RETRY]
    if choice.document_id is not None:
        entries = await queries.of_document(stretch, choice.document_id, choice.types, MAX_COUNTED)
        return counted + sum(each.row is not None and each.row.state in states for each in entries)
    for state in states:
        counted += await _of_these(queries, stretch, state, choice, MAX_COUNTED)
    return counted


async def _of_these(queries: ReplayQueries, stretch: Stretch, state: State, choice: ReplayChoice, limit: int) -> int:
    """How many of the first `limit` deliveries in a state are of the chosen types."""
    if choice.types == EVERY_TYPE:
        return await queries.count_in_state(stretch, state, limit)
    return await queries.count_of_types(stretch, state, choice.types, limit)


async def _count_open(queries: ReplayQueries, stretch: Stretch, lane: LaneState, choice: ReplayChoice) -> int:
    """How many chosen deliveries of a stretch are in their first attempt, or before it."""
    opened = [each for each in unpack_sequences(lane.open) if stretch.first <= each <= stretch.last]
    if choice.is_every_event:
        return len(opened)
    entries = await queries.entries(stretch, opened)
    return sum(bool(each.type & choice.types) and choice.document_id in (None, each.document_id) for each in entries)


def _last_known(choice: ReplayChoice, to_sequence: int, lane: LaneState) -> int:
    """The last sequence of a range that can be counted. A lane that passes over events moves its head without a write:
    of what was never sent, the caller says how far the lane is."""
    return to_sequence if choice.what == "unsent" else min(to_sequence, lane.head)


def _of(subscription: Subscription, first: int, last: int) -> Stretch:
    return Stretch(subscription.tenant_id, subscription.number, first, last)


def _state_of(what: What) -> State:
    """The state of the exception rows that a replay is about."""
    return State.AWAITING_RETRY if what == "waiting" else State.FAILED
