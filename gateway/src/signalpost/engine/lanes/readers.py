"""Hands events to the readers of subscriptions, and takes their acknowledgements (`domain/delivery/reading.py`).

What a lane would send is found here when a reader asks: the events that follow in the log, of the subscription's types,
that meet its condition and are due. Any node does this, for each call anew, and writes the lane's row if no other call
did meanwhile. What is answered is recorded before.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from signalpost.commands.subscriptions import subscription_not_found
from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.delivery.reading import Reading, ReadLane
from signalpost.domain.erasure import ERASED, is_erased
from signalpost.domain.errors import Conflict, Unavailable
from signalpost.domain.event import Event
from signalpost.domain.language.subject import not_sent
from signalpost.domain.subscription import Subscription, wanted
from signalpost.domain.timestamps import SECOND
from signalpost.domain.wishes import Wishes, newest_kept, wishes_of
from signalpost.engine.counts import Counts
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.lanes.stats_writer import StatsWriter
from signalpost.engine.lanes.subjects import Subjects
from signalpost.engine.revisions import Revisions, Topic
from signalpost.runtime.clock import Clock
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.store.nouns.deliveries import AttemptRow
from signalpost.store.nouns.lanes import LaneFlush, LaneRow, LaneWanted
from signalpost.store.store import Store

PAGE = 256
LOOKED_AT = 4_096
"""How many events of the log one call looks at. If it found nothing among them, the next one goes on from there."""
BYTES_AT_ONCE = 1024 * 1024
"""No more is handed out once the events add up to this."""
HEAD_NOTED_EVERY = 256
"""How many events that are not wanted are passed before that alone is worth a write."""
TRIES = 20
"""How often a call begins anew because the lane was written meanwhile."""


class HandedOut(Struct, frozen=True):
    """What a reader gets."""

    events: Sequence[Event]
    """In order; empty if there is nothing for it now."""
    reading: Reading
    lost: int
    """How many events the retention removed before they were read, in all."""
    again_at: int | None = None
    """When it is worth looking again even if no event comes: a delay or the lease of another reader ends, or there is
    more to look at. In µs since the epoch."""


class _Search(Struct):
    """A look through the log, and what it found so far."""

    lane: ReadLane
    events: list[Event]
    settled: list[AttemptRow]
    """Events that turned out to need no reader, with the reason."""
    again_at: int | None = None
    lost: int = 0
    size: int = 0


class Readers:
    def __init__(
        self,
        store: Store,
        log: LogCache,
        clock: Clock,
        counts: Counts,
        subjects: Subjects,
        revisions: Revisions,
        turns: LoopTurns,
        check_config: Callable[[int, int], Awaitable[None]],
        stats: StatsWriter,
    ) -> None:
        self._store = store
        self._log = log
        self._clock = clock
        self._counts = counts
        self._subjects = subjects
        self._revisions = revisions
        self._turns = turns
        self._check_config = check_config
        self._stats = stats

    async def hand_out(
        self,
        find: Callable[[], Subscription],
        limit: int,
        lease: int,
        receipt: str,
        before: Callable[[Sequence[Event]], None],
    ) -> HandedOut:
        """Hand out what comes next, at most `limit` events, for `lease` µs; `receipt` will name it. `find` gives the
        subscription as it is now. `before` is told of the events before they are leased: if it raises, they are not.
        Raises what both do, and Unavailable."""
        for _ in range(TRIES):
            subscription = find()
            row = await self._load(subscription)
            now = self._clock.wall()
            lane = _lane_of(row, subscription)
            if subscription.status != "active":
                return HandedOut((), lane.reading, row.health.lost)
            if (until := lane.held_until(now)) is not None:
                return HandedOut((), lane.reading, row.health.lost, until)
            found = _Search(lane, [], [])
            if not await self._is_found(subscription, find, found, limit, now):
                continue  # the subscription was changed meanwhile
            if found.events:
                before(found.events)
            lane = found.lane
            lane = (
                lane.handed((e.sequence for e in found.events), receipt, now, lease)
                if found.events
                else lane.asked(now)
            )
            passed = lane.head - row.head
            is_worth_it = found.events or found.settled or found.lost or passed >= HEAD_NOTED_EVERY
            if not is_worth_it and lane.open == _open_of(row) and lane.reading == row.health.reading:
                return HandedOut((), lane.reading, row.health.lost, found.again_at)
            if await self._record(subscription, row, lane, found.settled, found.lost):
                return HandedOut(found.events, lane.reading, row.health.lost + found.lost, found.again_at)
        raise Unavailable("The subscription is being read by too many at once. Try again.")

    async def acknowledge(self, find: Callable[[], Subscription], receipt: str, through: int | None) -> int:
        """Settle what was handed out under a receipt, up to the sequence `through` or all of it. Returns how many
        events that were. Raises what `find` does, Conflict if it was handed out again since, and Unavailable."""
        for _ in range(TRIES):
            subscription = find()
            row = await self._load(subscription)
            now = self._clock.wall()
            lane = _lane_of(row, subscription)
            if lane.reading.receipt != receipt:
                detail = (
                    "The lease of these events is over, and they were handed out again since. Ask for what is next."
                )
                raise Conflict("lease_over", detail)
            after, done = lane.acknowledged(through, now)
            if after == lane:
                return 0  # a repeat
            attempts = await self._attempts(subscription, dict(row.open), lane.reading, done, now)
            if await self._record(subscription, row, after, attempts):
                return len(done)
        raise Unavailable("The subscription is being read by too many at once. Try again.")

    async def give_up_below(self, subscription: Subscription, floor: int) -> int:
        """Pass what the retention is about to remove. Returns how many events were never read."""
        for _ in range(TRIES):
            row = await self._load(subscription)
            lane = _lane_of(row, subscription)
            lost, passed = lane.unread_up_to(floor - 1), lane.past(floor - 1)
            is_as_it_was = (passed.head, passed.open) == (row.head, _open_of(row))
            if is_as_it_was or await self._record(subscription, row, passed, (), lost):
                return lost
        return 0

    # --- What comes next ----------------------------------------------------------------------------------------------

    async def _is_found(
        self, subscription: Subscription, find: Callable[[], Subscription], found: _Search, limit: int, now: int
    ) -> bool:
        """Find what comes next. Returns False if the subscription is not what it was when the search began."""
        wishes = wishes_of(subscription)
        if wishes is None and (subscription.when is not None or subscription.after is not None):
            return True  # this version of the gateway cannot read what it wants
        while found.lane.open and not found.events:
            await self._again(subscription, found, limit)
        if found.events:
            return True
        for _ in range(LOOKED_AT // PAGE):
            page = await self._store.log.after(subscription.tenant_id, found.lane.head, PAGE)
            await self._check_config(subscription.tenant_id, page.config_version)
            if find().version != subscription.version:
                return False
            if page.floor > found.lane.head + 1:
                found.lost += found.lane.unread_up_to(page.floor - 1)
                found.lane = found.lane.past(page.floor - 1)
            for event in self._log.erased.as_kept(page.events):
                if len(found.events) >= limit or found.size >= BYTES_AT_ONCE:
                    return True
                if not await self._takes(subscription, wishes, event, found, now):
                    return True
            if found.lane.head >= page.last:
                return True
            await self._turns.turn(subscription.tenant_id)
        found.again_at = now
        return True

    async def _again(self, subscription: Subscription, found: _Search, limit: int) -> None:
        """The first of what was handed out before, and was not acknowledged. What was erased or removed since is open
        no longer, so if that is all, the next of it follow: nothing later may be handed out before them."""
        asked = found.lane.open[:limit]
        events = await self._store.log.events(subscription.tenant_id, asked)
        floor = await self._store.log.floor(subscription.tenant_id)
        if asked[0] < floor:
            found.lost += found.lane.unread_up_to(floor - 1)
            found.lane = found.lane.past(floor - 1)
        for event in self._log.erased.as_kept(events):
            if found.size >= BYTES_AT_ONCE:
                break
            if is_erased(event):
                found.settled.append(self._not_read(event, not_sent(ERASED)))
            elif event.sequence >= floor:
                _add(found, event)
        removed = {*asked} - {each.sequence for each in events}
        found.lane = found.lane.without({each.sequence for each in found.settled} | removed)

    async def _takes(
        self, subscription: Subscription, wishes: Wishes | None, event: Event, found: _Search, now: int
    ) -> bool:
        """Look at the next event of the log. Returns False if it has to wait, and so does what follows."""
        if not _asks_for(subscription, event):
            found.lane = found.lane.looked_up_to(event.sequence)
            return True
        if wishes is not None and (due := wishes.delayed_until(event)) > now:
            found.again_at = due
            return False
        why = not_sent(ERASED) if is_erased(event) else None
        if why is None and wishes is not None:
            if wishes.asks_event and wishes.why_not(await self._subjects.of(event)) is not None:
                found.lane = found.lane.looked_up_to(event.sequence)
                return True
            why = await self._why_no_longer(wishes, event)
        if why is None:
            _add(found, event)
        else:
            found.settled.append(self._not_read(event, why))
        found.lane = found.lane.looked_up_to(event.sequence)
        return True

    async def _why_no_longer(self, wishes: Wishes, event: Event) -> str | None:
        if not wishes.asks_newest:
            return None
        newest = await self._store.log.newest(event.tenant_id, event.document_id)
        return wishes.why_no_longer(await self._subjects.of(newest_kept(event, newest)))

    # --- The lane's row -----------------------------------------------------------------------------------------------

    async def _load(self, subscription: Subscription) -> LaneRow:
        loaded = await self._store.lanes.load([LaneWanted(subscription, 1)])
        row = loaded.get(subscription.number)
        if row is None:
            raise subscription_not_found()
        return row

    async def _record(
        self, subscription: Subscription, row: LaneRow, lane: ReadLane, attempts: Iterable[AttemptRow], lost: int = 0
    ) -> bool:
        """Write the lane, unless another call did since its row was loaded."""
        health = replace(row.health, reading=lane.reading, lost=row.health.lost + lost)
        if lost:
            health = replace(health, lost_at=self._clock.wall())
        if any(each.failure is None for each in attempts):
            health = replace(health, delivered_at=self._clock.wall())
        flush = LaneFlush(
            tenant_id=subscription.tenant_id,
            subscription_number=subscription.number,
            version=row.version,
            head=lane.head,
            open=lane.open,
            gaps=lane.gaps,
            health=health,
            rows={},
            abandoned_to=0,
            delay=row.delay,
            skip_version=subscription.skip_version,
            attempts=[*attempts],
            retries_done=(),
            replays=(),
            look_up=(),
            refill=0,
            feed=None,
        )
        [flush] = self._log.erased.out_of([flush])
        if not await self._store.lanes.record_read(flush):
            return False
        self._counts.lost += lost
        self._stats.add(flush, subscription)
        self._revisions.note(subscription.tenant_id, Topic.DELIVERIES)
        return True

    async def _attempts(
        self, subscription: Subscription, documents: dict[int, str], reading: Reading, done: Sequence[int], now: int
    ) -> list[AttemptRow]:
        """What is kept of events that were acknowledged, and counted."""
        outcome = Outcome(started_at=reading.handed_at, elapsed_us=max(0, now - reading.handed_at))
        made = await self._made_at(subscription.tenant_id, done)
        attempts = []
        for sequence in done:
            due = made.get(sequence, reading.handed_at) + subscription.delay * SECOND
            is_promised = made.get(sequence, 0) >= subscription.created_at
            if is_promised:
                self._counts.count_delivery(subscription.kind, due, outcome)
            objective = subscription.objective if is_promised else None
            attempts.append(
                AttemptRow(
                    sequence=sequence,
                    started_at=outcome.started_at,
                    elapsed_us=outcome.elapsed_us,
                    number=reading.times,
                    run=0,
                    counted=True,
                    status=None,
                    failure=None,
                    detail="",
                    answer=b"",
                    document_id=documents.get(sequence, ""),
                    on_time=None if objective is None else now <= due + objective.within * SECOND,
                )
            )
        return attempts

    async def _made_at(self, tenant_id: int, sequences: Sequence[int]) -> dict[int, int]:
        """When these events were made, as far as they are kept."""
        known = {each: event.at for each in sequences if (event := self._log.get(tenant_id, each)) is not None}
        left = [each for each in sequences if each not in known]
        events = await self._store.log.events(tenant_id, left) if left else []
        return known | {event.sequence: event.at for event in events}

    def _not_read(self, event: Event, why: str) -> AttemptRow:
        return AttemptRow(
            sequence=event.sequence,
            started_at=self._clock.wall(),
            elapsed_us=0,
            number=1,
            run=0,
            counted=False,
            status=None,
            failure=Failure.SKIPPED,
            detail=why,
            answer=b"",
            document_id=event.document_id,
        )


def _lane_of(row: LaneRow, subscription: Subscription) -> ReadLane:
    reading = row.health.reading or Reading()
    return ReadLane.recorded(row.head, _open_of(row), subscription.skip_to, row.gaps, reading)


def _open_of(row: LaneRow) -> tuple[int, ...]:
    return tuple(sequence for sequence, _ in row.open)


def _asks_for(subscription: Subscription, event: Event) -> bool:
    return event.sequence > subscription.starts_after and bool(
        event.type & wanted(subscription.filters, event.sequence)
    )


def _add(found: _Search, event: Event) -> None:
    found.events.append(event)
    found.size += len(event.body)
