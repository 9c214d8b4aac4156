"""Decides which lane sends next: lanes take turns, what is in flight is bounded, work is done in small slices.

A lane gets a turn when it may have something to do: an event that it wants was committed, an attempt ended, a retry is
due, or its subscription changed. Its turn makes due retries ready, takes in what follows in the log, and sends a few; a
lane with more to do goes to the end of the queue (`sharing/turns.py`). Where no slot is free for it
(`sharing/slots.py`) it waits until one is.

Shadows are of a rank of their own (`sharing/rank.py`): they have turns once no other lane wants one, and slots that no
other lane could have.

What is sent becomes an attempt (`attempts.py`). When that has ended, the lane gets its next turn.

Work is counted in units of some 2 µs, and what takes longer than it is counted for, by time: conditions may be about
kilobytes. Nothing here is durable: the recorder writes the results.
"""

import asyncio
from collections.abc import Callable

from signalpost.domain.delivery.delivery import Delivery
from signalpost.domain.event import Event
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.engine.lanes.attempts import Attempts
from signalpost.engine.lanes.carriers import NEVER
from signalpost.engine.lanes.lane_holds import what_holds
from signalpost.engine.lanes.lane_states import BEHIND, IDLE, NOT_HELD, WAITING_FOR_SLOT
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.large_events import LargeEvents
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.lanes.log_reader import LogReader
from signalpost.engine.lanes.outcomes import Outcomes
from signalpost.engine.lanes.owning_node import OwningNode
from signalpost.engine.lanes.subjects import Subjects
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.sharing.rank import Rank
from signalpost.sharing.slots import EndpointSlots, Limits
from signalpost.store.nouns.log import LogPart
from signalpost.store.store import Store

MAX_UNRECORDED = 10_000
"""How many attempts of all lanes may have ended without being recorded; beyond that none is started."""
MAX_SLICE_COST = 1_024
"""How many units of work a slice may take before the loop gets to its sockets."""
UNIT = 2
"""How many µs a unit of work takes."""
MAX_TURN_COST = 256
"""How many units one turn may spend on sending; its last send may go beyond them."""
MAX_TURN_TIME = UNIT * MAX_TURN_COST
"""After how many µs a turn asks no more conditions."""
MAX_TAKEN = 256
"""How many entries of the log one turn may take in, a unit each."""
REQUEST_COST = 16
"""How many units a request costs; each `BYTES_PER_COST_UNIT` bytes, which are hashed, copied and encrypted, cost one
more."""
BYTES_PER_COST_UNIT = 768
HEAD_RECORDED_EVERY = 5 * SECOND
"""µs between two records of a lane's head only because its condition does not want what it passed over."""
CONDITION_COST = 4
"""Units that it costs to find out that an event does not meet a condition."""
PAGE_WANTED_BELOW = 256
"""A lane with more than so many open deliveries does not read a page yet, since it could take in only a part of it."""
BEHIND_FROM = MAX_TURN_COST // REQUEST_COST
"""A lane that has more to read or to send than one turn can send is behind."""
SHADOWS_HAVE = 8
"""Shadows have one slot more for so many of the others."""
MAX_SKIPPED_UNRECORDED = 10_000
"""How many events a lane may pass while it catches up before its head is recorded."""


class Dispatcher:
    def __init__(
        self,
        log_cache: LogCache,
        store: Store,
        clock: Clock,
        limits: Limits,
        owner: OwningNode,
        outcomes: Outcomes,
        subjects: Subjects,
        turns: LoopTurns,
        on_end: Callable[[int, int], None],
        on_change: Callable[[LaneWorker], None],
    ) -> None:
        """`on_end` is told how far a tenant's log went when a page of it was read, `on_change` of a lane that has
        something to record."""
        self._log = log_cache
        self._reader = LogReader(store, log_cache, owner.check_config, self._on_page, self._on_event)
        self._large_events = LargeEvents(subjects, turns, log_cache.erased, self._on_judged)
        self._attempts = Attempts(
            store.log, log_cache.erased, clock, owner, outcomes, subjects, self._free_slot, on_change, self.give_turn
        )
        self._owner = owner
        self._notes_holds = outcomes.are_traced
        self._on_end = on_end
        self._clock = clock
        self._outcomes = outcomes
        self._on_change = on_change
        self._limits = limits
        self._first: Rank[LaneWorker] = Rank(limits, self._is_behind)
        self._shadows: Rank[LaneWorker] = Rank(limits, self._is_behind, part=SHADOWS_HAVE)
        self._spent = 0
        """How many units this slice has taken."""
        self._scheduled = False
        self._stopped = False

    @property
    def in_flight(self) -> int:
        return self._first.slots.every.held + self._shadows.slots.every.held

    def rank_of(self, subscription: Subscription) -> Rank[LaneWorker]:
        """The rank of a subscription's lane."""
        return self._first if subscription.shadow_of is None else self._shadows

    def slots_for(self, subscription: Subscription) -> EndpointSlots:
        """The slots of the endpoint of one more subscription."""
        tenant_id = subscription.tenant_id
        return self.rank_of(subscription).slots_for(tenant_id, self._most_of(tenant_id))

    def bound_tenant(self, tenant_id: int) -> None:
        """Apply a change of how many attempts of a tenant may be in flight."""
        most = self._most_of(tenant_id)
        for rank in (self._first, self._shadows):
            if rank.bound_tenant(tenant_id, most):
                self._schedule()

    def bound_tenants(self) -> None:
        """Work out again how many attempts of each tenant may be in flight, because lanes or nodes have come or
        gone."""
        for tenant_id in {*self._first.tenant_ids, *self._shadows.tenant_ids}:
            self.bound_tenant(tenant_id)

    def _most_of(self, tenant_id: int) -> int:
        own = self._owner.in_flight_of(tenant_id)
        return self._limits.tenant if own is None else min(own, self._limits.tenant)

    def give_turn(self, worker: LaneWorker) -> None:
        """Queue the lane for a turn, unless it is queued or held, or would find nothing to do."""
        if worker.turn is not IDLE:  # as after most attempts of a lane that has more to send
            return
        tenant_id = worker.subscription.tenant_id
        if not worker.has_nothing_to_do(self._log.seen.get(tenant_id, 0)) and worker.ask_for_turn():
            worker.rank.turns.add(tenant_id, worker)
            self._schedule()

    def go_on(self) -> None:
        """Start attempts again, or more of them."""
        self._schedule()

    def stop(self) -> None:
        """Start no more attempts."""
        self._stopped = True
        self._reader.stop()
        self._large_events.stop()
        self._attempts.stop()

    # --- Turns --------------------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        if not self._scheduled and (self._first.has_work or self._shadows.has_work) and self._may_start():
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._slice)

    def _may_start(self) -> bool:
        held = self._first.slots.every.held
        return held < self._limits.process and self._outcomes.unrecorded < MAX_UNRECORDED and not self._stopped

    def _slice(self) -> None:
        """Give turns to lanes until the loop has to get to its sockets."""
        self._scheduled = False
        if not self._owner.may_start():
            return  # what lets them start again says so
        self._spent = 0
        began = self._clock.steady()
        now = self._give_turns(self._first, began, began + MAX_SLICE_COST * UNIT)
        if self._shadows.has_work and not self._first.turns.ready:
            self._give_turns(self._shadows, now, began + MAX_SLICE_COST * UNIT)
        self._schedule()

    def _give_turns(self, rank: Rank[LaneWorker], now: int, ends_at: int) -> int:
        """Give turns to lanes of a rank from now on, until `ends_at` at the latest. Returns when the last has ended."""
        for worker in rank.give_freed_slots():
            worker.note_freed_slot()
        # A lane that is queued during this slice waits for the next: the loop must get to its sockets in between.
        for _ in range(rank.turns.ready):
            if self._spent >= MAX_SLICE_COST or now >= ends_at or not self._may_start():
                break
            now = self._next_turn(rank, now)
        return now

    def _next_turn(self, rank: Rank[LaneWorker], now: int) -> int:
        """Give a lane its turn now. Returns when it has ended."""
        worker = rank.turns.next()
        worker.begin_turn()
        spent_before = self._spent
        if worker.hold is NOT_HELD and worker.is_active:
            self._turn(worker, now)
        if worker.turn is not WAITING_FOR_SLOT:
            rank.freed += 1  # the slot that it may have been given, or one that it left to others
        self._spent += 1
        ended = self._clock.steady()
        rank.turns.charge(worker.subscription.tenant_id, max(self._spent - spent_before, (ended - now) // UNIT))
        return ended

    def _turn(self, worker: LaneWorker, now: int) -> None:
        worker.lane.make_due_ready(now)
        may_take_more = self._take_in(worker, now)
        if worker.record_by <= now:
            worker.head_recorded_at = now
            self._on_change(worker)
        else:
            self._wake_at(worker, worker.record_by)
        if self._send_some(worker, now):
            if may_take_more:
                self.give_turn(worker)
            self._wake_for_retries(worker, now)

    def _take_in(self, worker: LaneWorker, now: int) -> bool:
        """Read on in the log: as far as there is room, from the cache, for one turn's worth. Returns whether more could
        be taken in at once."""
        lane, tenant_id = worker.lane, worker.subscription.tenant_id
        if worker.progress is not BEHIND:
            worker.skip_unwanted(self._log.seen.get(tenant_id, 0))
            return False
        if lane.may_overtake(now):
            return False
        last = self._log.end.get(tenant_id, 0)
        before, end = lane.head, lane.head + MAX_TAKEN
        has_wishes = worker.wishes is not None
        ends_at = self._clock.steady() + MAX_TURN_TIME if has_wishes else NEVER
        while (sequence := lane.head + 1) <= last and sequence <= end and lane.has_room:
            event = self._log.get(tenant_id, sequence)
            if event is None:
                if len(lane.open) <= PAGE_WANTED_BELOW:
                    self._reader.want_page(worker)
                break
            if has_wishes and worker.is_to_be_judged(event):
                self._large_events.ask(worker, event)
                break
            if worker.pass_by(event, now):
                self._note_passed_over(worker)
            if has_wishes and self._clock.steady() >= ends_at:
                end = lane.head
        self._spent += lane.head - before
        if lane.head - worker.recorded_head > MAX_SKIPPED_UNRECORDED:
            self._on_change(worker)
        if lane.head >= last:
            worker.reach_end()
            return False
        return lane.head == end

    def _send_some(self, worker: LaneWorker, now: int) -> bool:
        """Send what may go in this turn. Returns whether the lane has nothing more that could."""
        lane = worker.lane
        if not lane.sendable:
            return True
        room, max_spent = worker.slots.room, self._spent + MAX_TURN_COST
        while lane.sendable:
            at = worker.may_send_at(now)
            if at > now:
                self._wake_at(worker, at)
                if self._notes_holds and (reason := what_holds(worker, now)) is not None:
                    worker.held = reason, now
                return False
            if self._spent >= max_spent:
                self.give_turn(worker)
                return False
            if room == 0:
                worker.wait_for_slot()
                worker.rank.turns.wait_for_slot(worker.subscription.tenant_id, worker)
                return False
            delivery = worker.next_delivery()
            if delivery is None:
                break
            room -= 1
            self._send(worker, delivery)
        return True

    def _is_behind(self, worker: LaneWorker) -> bool:
        last = self._log.end.get(worker.subscription.tenant_id, 0)
        return worker.unread(last) + worker.lane.ready > BEHIND_FROM

    # --- Pages of the log ---------------------------------------------------------------------------------------------

    def _on_page(self, worker: LaneWorker, page: LogPart | None) -> None:
        if page is not None:
            self._take_page(worker, page)
        self.give_turn(worker)

    def _take_page(self, worker: LaneWorker, page: LogPart) -> None:
        """Take the page in at once, because other lanes may push it out of the cache before this lane has its turn."""
        self._on_end(worker.subscription.tenant_id, page.last)
        if page.floor > worker.lane.head + 1:
            self._skip_removed(worker, page.floor - 1)
        now = self._clock.steady()
        if worker.lane.may_overtake(now):
            return
        ends_at = now + MAX_TURN_TIME
        for event in page.events:
            if not worker.lane.has_room or (worker.wishes is not None and self._clock.steady() >= ends_at):
                break
            if worker.is_to_be_judged(event):
                self._large_events.ask(worker, event)
                break
            if worker.pass_by(event, now):
                self._note_passed_over(worker)

    def _on_judged(self, worker: LaneWorker, event: Event | None, why: str | None) -> None:
        """The condition of a lane was asked about a large event that follows its head."""
        self.give_turn(worker)
        if event is None or worker.lane.may_overtake(self._clock.steady()):
            return
        if worker.pass_judged(event, why):
            self._note_passed_over(worker)

    def _note_passed_over(self, worker: LaneWorker) -> None:
        """The lane passed over an event that its condition does not want. Nothing is kept of that, and its head is
        recorded soon, so that people see it, but not often."""
        self._spent += CONDITION_COST
        if worker.record_by == NEVER:
            worker.record_by = max(self._clock.steady(), worker.head_recorded_at + HEAD_RECORDED_EVERY)
        self._wake_at(worker, worker.record_by)

    def _skip_removed(self, worker: LaneWorker, up_to: int) -> None:
        """Skip what the retention removed before the lane read it, and log that."""
        lost = worker.lane.abandon(up_to)
        self._outcomes.note_lost(worker, lost)
        self._on_change(worker)
        log.error(
            "events were removed before they were delivered",
            subscription=worker.subscription.id,
            lost=lost,
            up_to=up_to,
        )

    # --- Times --------------------------------------------------------------------------------------------------------

    def _wake_for_retries(self, worker: LaneWorker, now: int) -> None:
        if worker.lane.retry_queue.wants_refill and (worker.lane.retry_queue.horizon or 0) <= now:
            self._on_change(worker)  # a record asks the store for the next ones
        elif (due := worker.lane.retry_queue.next_due) is not None and due > now:
            self._wake_at(worker, due)

    def _wake_at(self, worker: LaneWorker, at: int) -> None:
        if at >= NEVER or at >= worker.timer_at:
            return
        if worker.timer is not None:
            worker.timer.cancel()
        worker.timer_at = at
        delay = max(0.0, (at - self._clock.steady()) / SECOND)
        # uvloop counts milliseconds: a little later is right, a little earlier would spin.
        worker.timer = asyncio.get_running_loop().call_later(delay + 0.001, self._wake, worker)

    def _wake(self, worker: LaneWorker) -> None:
        worker.timer, worker.timer_at = None, NEVER
        self.give_turn(worker)

    # --- Sending -----------------------------------------------------------------------------------------------------

    def _send(self, worker: LaneWorker, delivery: Delivery) -> None:
        worker.slots.take()
        event = self._log.get(worker.subscription.tenant_id, delivery.sequence)
        if event is None:
            self._spent += REQUEST_COST
            worker.rate_limit.promised += 1
            self._reader.want_event(worker, delivery)
        else:
            self._spent += REQUEST_COST + len(event.body) // BYTES_PER_COST_UNIT
            self._attempts.begin(worker, delivery, event)

    def _on_event(self, worker: LaneWorker, delivery: Delivery, event: Event | None) -> None:
        """The event of a delivery was read. Its slot was taken before."""
        if event is not None:
            worker.rank.turns.charge(worker.subscription.tenant_id, len(event.body) // BYTES_PER_COST_UNIT)
        self._attempts.begin_late(worker, delivery, event)

    def _free_slot(self, worker: LaneWorker) -> None:
        worker.slots.give_back()
        worker.rank.freed += 1
        self._schedule()
