"""Decides who sends next, and sends: turns between tenants and lanes, bounded numbers under way, small slices of work.

A runner is listed when it may have something to do: an event that it wants was committed, an attempt ended, a time has
come, it was changed. Its turn takes in what follows in the log, makes due retries ready, and sends a few; then it goes
to the end of the line (`domain/delivery/turns.py`). Where no slot is free for it (`domain/delivery/slots.py`) it is set
aside until some are. Work is counted in units of some 2 µs. Nothing here is durable: the recorder writes what came of
it. What is logged is logged last, once all else was done.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from random import Random

from signalpost.destinations.webhook import Kind
from signalpost.domain.delivery import retry
from signalpost.domain.delivery.delivery import Delivery, Input, Verdict, decide
from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.delivery.slots import EndpointSlots, Limits, Trees, process_slots, tenant_slots
from signalpost.domain.delivery.turns import Turns
from signalpost.domain.event import Event
from signalpost.domain.timestamps import SECOND
from signalpost.engine.counts import Counts
from signalpost.engine.lanes.lane_worker import NEVER, LaneWorker
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.lanes.log_reader import LogReader
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.sender.transport import Transport
from signalpost.store.deliveries import Attempt
from signalpost.store.store import Store

MAX_UNRECORDED = 10_000
MAX_SLICE_COST = 1_024
"""Units of work after which the loop gets to its sockets."""
MAX_TURN_COST = 256
"""Units that one turn spends on sending at most, but for what its last send takes beyond them."""
MAX_TAKEN = 256
"""Entries of the log that one turn takes in at most, a unit each."""
REQUEST_COST = 16
"""Units of a request, and one more for each `BYTES_PER_COST_UNIT` bytes, which are hashed, copied and encrypted."""
BYTES_PER_COST_UNIT = 1_024
PAGE_WANTED_BELOW = 256
"""With more than that many open, a lane does not read a page yet: it could take in only a part of it."""
BEHIND_FROM = MAX_TURN_COST // REQUEST_COST
"""A lane with more than that to read or to send, which is what one turn sends at most, does not keep up."""
MAX_SKIPPED_UNRECORDED = 10_000


class Dispatcher:
    def __init__(
        self,
        store: Store,
        log_cache: LogCache,
        transport: Transport,
        clock: Clock,
        random: Random,
        counts: Counts,
        limits: Limits,
        on_change: Callable[[LaneWorker], None],
        on_failure: Callable[[LaneWorker], None],
    ) -> None:
        """`on_change` is told of a lane that has something to record, `on_failure` of one whose endpoint failed."""
        self._log = log_cache
        self._reader = LogReader(store, log_cache, self._on_page, self._on_event)
        self._transport = transport
        self._clock = clock
        self._random = random
        self._counts = counts
        self._on_change = on_change
        self._on_failure = on_failure
        self._turns: Turns[LaneWorker] = Turns(self._is_behind)
        self._limits = limits
        self._slots = process_slots(limits)
        self._slots_of: dict[int, Trees] = {}
        self._freed = 0
        """Slots that may have come free since runners were last recalled."""
        self._spent = 0
        """Units of work in this slice."""
        self.unrecorded = 0
        """Attempts that ended and are not recorded yet."""
        self._scheduled = False
        self._stopped = False

    @property
    def in_flight(self) -> int:
        return self._slots.every.held

    def slots_for(self, tenant_id: int) -> EndpointSlots:
        """Those of one more endpoint of a tenant."""
        tenant = self._slots_of.get(tenant_id)
        if tenant is None:
            tenant = self._slots_of[tenant_id] = tenant_slots(self._limits, self._slots)
        return EndpointSlots(self._limits, tenant)

    def enlist(self, worker: LaneWorker) -> None:
        """Give the runner a turn."""
        if not worker.listed and not worker.held:
            worker.listed = True
            self._turns.add(worker.subscription.tenant_id, worker)
            self._schedule()

    def recorded(self, count: int) -> None:
        """So many attempts are durable now."""
        self.unrecorded -= count
        self._schedule()

    async def stop(self, grace: float) -> None:
        """Start nothing more; let what flies end for `grace` seconds, then cut it short."""
        self._stopped = True
        self._reader.stop()
        await self._transport.close(grace)

    # --- Turns --------------------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        if not self._scheduled and (self._turns.ready or self._may_recall()) and self._may_start():
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._slice)

    def _may_start(self) -> bool:
        return self.in_flight < self._limits.process and self.unrecorded < MAX_UNRECORDED and not self._stopped

    def _may_recall(self) -> bool:
        return self._freed > 0 and self._turns.has_aside

    def _slice(self) -> None:
        self._scheduled = False
        now = self._clock.steady()
        self._spent = 0
        self._turns.recall(self._freed)
        self._freed = 0
        # Whoever is listed again during this slice waits for the next: the loop must get to its sockets in between.
        for _ in range(self._turns.ready):
            if self._spent >= MAX_SLICE_COST or not self._may_start():
                break
            worker = self._turns.next()
            worker.listed = False
            before = self._spent
            self._turn(worker, now)
            self._spent += 1
            self._turns.charge(worker.subscription.tenant_id, self._spent - before)
        self._schedule()

    def _turn(self, worker: LaneWorker, now: int) -> None:
        self._freed += 1  # the slot that it was recalled for, unless it is set aside again
        if worker.held or worker.subscription.status != "active":
            return
        worker.lane.make_due_ready(now)
        more = self._take_in(worker)
        if self._send_some(worker, now):
            if more:
                self.enlist(worker)
            self._wake_for_retries(worker, now)

    def _send_some(self, worker: LaneWorker, now: int) -> bool:
        """Send what may go in this turn. Tells whether the lane has nothing more that could."""
        lane = worker.lane
        if not lane.sendable:
            return True
        room, most = worker.slots.room, self._spent + MAX_TURN_COST
        while lane.sendable:
            at = worker.may_send_at(now)
            if at > now:
                self._wake_at(worker, at)
                return False
            if self._spent >= most:
                self.enlist(worker)
                return False
            if room == 0:
                self._set_aside(worker)
                return False
            delivery = lane.next_delivery()
            if delivery is None:
                break
            room -= 1
            self._send(worker, delivery)
        return True

    def _is_behind(self, worker: LaneWorker) -> bool:
        unread = 0 if worker.asleep else self._log.last.get(worker.subscription.tenant_id, 0) - worker.lane.head
        return unread + worker.lane.ready > BEHIND_FROM

    def _set_aside(self, worker: LaneWorker) -> None:
        self._freed -= 1
        worker.listed = True
        self._turns.set_aside(worker.subscription.tenant_id, worker)

    def _take_in(self, worker: LaneWorker) -> bool:
        """Read on in the log: as far as there is room, from the cache, for one turn's worth. Tells whether more could
        be taken in at once."""
        lane, tenant_id = worker.lane, worker.subscription.tenant_id
        last = self._log.last.get(tenant_id, 0)
        if worker.asleep:
            if last > lane.head:
                lane.skip(last)  # none of these was for it, or it would have been woken
            return False
        before, end = lane.head, lane.head + MAX_TAKEN
        while (sequence := lane.head + 1) <= last and sequence <= end and lane.has_room and not worker.reading:
            event = self._log.get(tenant_id, sequence)
            if event is None:
                if len(lane.open) <= PAGE_WANTED_BELOW:
                    self._reader.want_page(worker)
                break
            worker.pass_by(event)
        self._spent += lane.head - before
        worker.asleep = lane.head >= last
        if lane.head - worker.recorded_head > MAX_SKIPPED_UNRECORDED:
            self._on_change(worker)
        return lane.head == end and not worker.asleep

    def _on_page(self, worker: LaneWorker, page: list[Event] | None, last: int) -> None:
        if page is not None:
            self._take_page(worker, page, last)
        self.enlist(worker)

    def _take_page(self, worker: LaneWorker, page: list[Event], last: int) -> None:
        """Take it in at once: others may fill the cache before the lane has its turn."""
        first = page[0].sequence if page else last + 1
        if first > worker.lane.head + 1:
            self._lose(worker, first - 1)
        for event in page:
            if worker.lane.has_room:
                worker.pass_by(event)

    def _lose(self, worker: LaneWorker, up_to: int) -> None:
        """The retention was faster than the lane: say so, and go on behind the gap."""
        lost = worker.lane.abandon(up_to)
        worker.note_lost(lost)
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
            self._on_change(worker)  # the recorder brings the next ones
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
        self.enlist(worker)

    # --- Attempts -----------------------------------------------------------------------------------------------------

    def _send(self, worker: LaneWorker, delivery: Delivery) -> None:
        worker.slots.take()
        event = self._log.get(worker.subscription.tenant_id, delivery.sequence)
        if event is None:
            self._spent += REQUEST_COST
            worker.rate_limit.promised += 1
            self._reader.want_event(worker, delivery)
        else:
            self._spent += REQUEST_COST + len(event.body) // BYTES_PER_COST_UNIT
            self._post(worker, delivery, event)

    def _post(self, worker: LaneWorker, delivery: Delivery, event: Event) -> None:
        if worker.subscription.rate_limit is not None:
            worker.rate_limit.start(self._clock.steady())
        number = delivery.failed_attempts + 1
        kind = Kind.REPLAY if delivery.run > 0 else Kind.DELIVERY
        request = worker.webhook.prepare(event, number, kind, self._clock.wall())
        self._transport.send(request, partial(self._done, worker, worker.subscription.url, delivery, event.id))

    def _on_event(self, worker: LaneWorker, delivery: Delivery, event: Event | None) -> None:
        worker.rate_limit.promised -= 1
        if worker.held or worker.subscription.status != "active":
            self._take_back(worker, delivery)
        elif event is None:
            self._gone(worker, delivery)
        else:
            self._turns.charge(worker.subscription.tenant_id, len(event.body) // BYTES_PER_COST_UNIT)
            self._post(worker, delivery, event)

    def _take_back(self, worker: LaneWorker, delivery: Delivery) -> None:
        """It was paused, deleted or is to be loaded anew since: nothing more goes out, and nothing went."""
        self._free_slot(worker)
        back = Input.RETRY_INTERRUPTED if delivery.is_retry else Input.INTERRUPTED
        worker.lane.settle(delivery, Verdict(back), worker.subscription.attempts)
        self.enlist(worker)
        self._schedule()

    def _gone(self, worker: LaneWorker, delivery: Delivery) -> None:
        """The retention took the event while the delivery waited."""
        self._free_slot(worker)
        worker.note_lost(1)
        worker.lane.settle(delivery, Verdict(Input.GIVE_UP), worker.subscription.attempts)
        self._on_change(worker)
        self.enlist(worker)
        self._schedule()
        log.error(
            "an event was removed before it was delivered",
            subscription=worker.subscription.id,
            sequence=delivery.sequence,
        )

    def _free_slot(self, worker: LaneWorker) -> None:
        worker.slots.give_back()
        self._freed += 1

    def _done(self, worker: LaneWorker, url: str, delivery: Delivery, event_id: str, outcome: Outcome) -> None:
        self._free_slot(worker)
        self._counts.count_attempt(outcome)
        self._schedule()
        now = self._clock.steady()
        subscription = worker.subscription
        asked_for = None
        if outcome.retry_after is not None:
            asked_for = retry.parse_retry_after(outcome.retry_after, self._clock.wall())
        jitter = self._random.random()
        number = delivery.failed_attempts + 1
        verdict = decide(delivery, outcome, subscription.retry_delays, now, jitter, asked_for)
        worker.attempts.append(_attempt(delivery, number, verdict, outcome))
        worker.unrecorded += 1
        self.unrecorded += 1
        was_open = worker.health.breaker.is_open
        worker.lane.settle(delivery, verdict, subscription.attempts)
        if url == subscription.url:  # what another one answered says nothing of this one
            worker.note_outcome(outcome, now, jitter, asked_for)
        self._on_change(worker)
        self.enlist(worker)
        if outcome.failure is not None:
            self._on_failure(worker)
            self._log_failure(worker, delivery, event_id, number, outcome)
        if worker.health.breaker.is_open != was_open:
            log.warning("breaker closed" if was_open else "breaker opened", subscription=subscription.id)

    def _log_failure(
        self, worker: LaneWorker, delivery: Delivery, event_id: str, number: int, outcome: Outcome
    ) -> None:
        log.info(
            "attempt failed",
            event_id=event_id,
            subscription=worker.subscription.id,
            attempt=number,
            failure=str(outcome.failure),
            status=outcome.status,
            detail=outcome.detail,
            then=delivery.state.name.lower(),
        )


def _attempt(delivery: Delivery, number: int, verdict: Verdict, outcome: Outcome) -> Attempt:
    return Attempt(
        sequence=delivery.sequence,
        started_at=outcome.started_at,
        elapsed_us=outcome.elapsed_us,
        number=number,
        run=delivery.run,
        counted=verdict.counted,
        status=outcome.status,
        failure=outcome.failure,
        detail=outcome.detail,
        answer=outcome.answer,
    )
