"""Attempts: what becomes of a delivery that its lane's turn chose.

It has a slot from then on. If its event was not in memory, it waits for that; if time has passed since its lane came to
the event, for the answer whether it is still wanted (`still_wanted.py`). Then its lane's carrier makes the request. The
slot is given back when the attempt has ended, or when it turns out that none is made, and the lane gets its next turn.
"""

from collections.abc import Callable
from functools import partial

from signalpost.domain.delivery.attempt_trace import trace_of_attempt
from signalpost.domain.delivery.delivery import Delivery, taken_back, waits_until
from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.delivery.sending import Sending
from signalpost.domain.erasure import ERASED, is_erased
from signalpost.domain.event import Event
from signalpost.domain.language.subject import not_sent
from signalpost.domain.wishes import Wishes
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.outcomes import Outcomes
from signalpost.engine.lanes.owning_node import OwningNode
from signalpost.engine.lanes.still_wanted import StillWanted
from signalpost.engine.lanes.subjects import Subjects
from signalpost.runtime.clock import Clock
from signalpost.store.nouns.log import LogStore


class Attempts:
    def __init__(
        self,
        log: LogStore,
        erased: ErasedEvents,
        clock: Clock,
        owner: OwningNode,
        outcomes: Outcomes,
        subjects: Subjects,
        free_slot: Callable[[LaneWorker], None],
        on_change: Callable[[LaneWorker], None],
        give_turn: Callable[[LaneWorker], None],
    ) -> None:
        """`free_slot` gives back a slot of a lane, `on_change` is told of a lane that has something to record."""
        self._erased = erased
        self._clock = clock
        self._owner = owner
        self._outcomes = outcomes
        self._free_slot = free_slot
        self._on_change = on_change
        self._give_turn = give_turn
        self._still_wanted = StillWanted(log, subjects, clock, self._on_answer)

    def stop(self) -> None:
        """Make no attempt of what still waits for an answer."""
        self._still_wanted.stop()

    def begin(self, worker: LaneWorker, delivery: Delivery, event: Event) -> None:
        """Make an attempt of a delivery that has its slot, if there is to be one now. The event is as the log cache has
        it: a shell, if it was erased."""
        if is_erased(event):
            self._skip(worker, delivery, not_sent(ERASED))
            return
        if (wishes := worker.wishes) is not None:
            now = self._clock.steady()
            due = wishes.delayed_until(event) if delivery.is_delayed else 0
            if due > now:
                self._put_off(worker, delivery, due)
                return
            if (why := wishes.why_too_late(event, now)) is not None:
                self._skip(worker, delivery, why)
                return
            if wishes.asks_before(delivery):
                worker.rate_limit.promised += 1
                self._still_wanted.ask(worker, wishes, delivery, event)
                return
        self._carry(worker, delivery, event)

    def begin_late(self, worker: LaneWorker, delivery: Delivery, event: Event | None) -> None:
        """Do the same with an event that had to be read first; None if the retention removed it."""
        worker.rate_limit.promised -= 1
        if self._may_not_send(worker):
            self._take_back(worker, delivery)
        elif event is None:
            self._free_slot(worker)
            self._outcomes.give_up_removed(worker, delivery)
            self._move_on(worker)
        elif self._erased.has(event):
            self._skip(worker, delivery, not_sent(ERASED))
        else:
            self.begin(worker, delivery, event)

    def _on_answer(
        self, worker: LaneWorker, wishes: Wishes, delivery: Delivery, event: Event, why_not: str | None
    ) -> None:
        """Whether a delivery is still wanted was found out. If the subscription has other wishes by now, these are
        asked."""
        worker.rate_limit.promised -= 1
        if self._may_not_send(worker) or worker.wishes is not wishes:
            self._take_back(worker, delivery)
        elif is_erased(event) or self._erased.has(event):  # be it after it was read
            self._skip(worker, delivery, not_sent(ERASED))
        elif why_not is not None:
            self._skip(worker, delivery, why_not)
        else:
            self._carry(worker, delivery, event)

    def _may_not_send(self, worker: LaneWorker) -> bool:
        """Whether a delivery that had to wait since it was chosen must not be sent: its lane was paused, deleted or
        held."""
        return not worker.may_send or not self._owner.may_start()

    # --- How an attempt ends ------------------------------------------------------------------------------------------

    def _carry(self, worker: LaneWorker, delivery: Delivery, event: Event) -> None:
        subscription = worker.subscription
        if subscription.rate_limit is not None:
            worker.rate_limit.start(self._clock.steady())
        trace = trace_of_attempt(event, subscription.id, delivery, self._clock.wall()) if event.trace else None
        sending = Sending(subscription, delivery, event, trace)
        worker.carrier.carry(event, delivery, partial(self._done, worker, sending), trace)

    def _done(self, worker: LaneWorker, sending: Sending, outcome: Outcome | None) -> None:
        """An attempt has ended; without an outcome, it was not made."""
        if outcome is None:
            self._take_back(worker, sending.delivery)
            return
        self._free_slot(worker)
        self._outcomes.take(worker, sending, outcome)
        self._move_on(worker)

    def _skip(self, worker: LaneWorker, delivery: Delivery, why: str) -> None:
        """Settle a delivery that turned out not to be wanted."""
        self._free_slot(worker)
        self._outcomes.skip(worker, delivery, why)
        self._let_others_go(worker)
        self._move_on(worker)

    def _put_off(self, worker: LaneWorker, delivery: Delivery, due: int) -> None:
        """Let a delivery wait for the delay of its subscription. Nothing was tried, so nothing is counted."""
        self._free_slot(worker)
        worker.settle(delivery, waits_until(delivery, due))
        self._let_others_go(worker)
        self._move_on(worker)

    def _take_back(self, worker: LaneWorker, delivery: Delivery) -> None:
        """Settle a delivery that was not sent: since it was chosen, the lane was paused, deleted or held, or the
        gateway itself could not send it."""
        self._free_slot(worker)
        worker.settle(delivery, taken_back(delivery))
        self._let_others_go(worker)
        self._give_turn(worker)

    def _let_others_go(self, worker: LaneWorker) -> None:
        """No call was made for a delivery: others of its connection may have waited for it to end."""
        if worker.gate is not None:
            worker.gate.wake()

    def _move_on(self, worker: LaneWorker) -> None:
        """Note that the lane has a result to record, and give it its next turn."""
        self._on_change(worker)
        self._give_turn(worker)
