"""Asks a lane's condition about the events that its replay found, before they are queued: about large ones off the
event loop, about small ones for half a millisecond at a time.

What the store found is right at the end of the write that asked for it, and no longer. So what takes longer is asked
ahead: the lane keeps the answers, asks the store for the same part once more, and queues what is found then.
"""

import asyncio
from collections.abc import Callable, Iterable

from signalpost.domain.erasure import is_erased
from signalpost.domain.event import Event
from signalpost.domain.wishes import Wishes
from signalpost.engine.lanes.dispatcher import MAX_TURN_TIME
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.log_reader import AGAIN_AFTER
from signalpost.engine.lanes.subjects import Subjects, is_large
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.runtime.tasks import Tasks
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.store.nouns.replays import Fed, ReplayPart


class ReplayConditions:
    def __init__(
        self, subjects: Subjects, turns: LoopTurns, clock: Clock, on_change: Callable[[LaneWorker], None]
    ) -> None:
        """`on_change` is told of a lane that has something to record, or to ask the store with a record."""
        self._subjects = subjects
        self._turns = turns
        self._clock = clock
        self._on_change = on_change
        self._tasks = Tasks()

    def stop(self) -> None:
        """Ask no more. What was not queued is found again after the next start."""
        self._tasks.cancel()

    def take(self, worker: LaneWorker, asked: ReplayPart, fed: Fed) -> None:
        """Queue what a part of a replay found, without what the lane's condition does not want; if that has to be asked
        first, ask."""
        feeder, wishes = worker.replay_feeder, worker.wishes
        unwanted = {sequence for sequence, event in fed.events.items() if is_erased(event)}
        if wishes is not None and wishes.asks_event:
            answers = feeder.answers_of(wishes)
            left = [event for sequence, event in fed.events.items() if sequence not in unwanted]
            if not self._ask_some(left, wishes, answers):
                feeder.is_asking = True
                self._tasks.start(self._ask(worker, left, wishes, answers))
                return
            unwanted.update(event.sequence for event in left if not answers[event.id])
        feeder.queue(worker.lane, unwanted, asked, fed, self._clock.steady(), self._clock.wall())
        self._on_change(worker)

    def _ask_some(self, events: Iterable[Event], wishes: Wishes, answers: dict[str, bool]) -> bool:
        """Ask about small events for as long as a turn may take. Returns whether everything is answered."""
        ends_at = self._clock.steady() + MAX_TURN_TIME
        for event in events:
            if event.id in answers:
                continue
            if is_large(event) or self._clock.steady() >= ends_at:
                return False
            answers[event.id] = wishes.why_not(self._subjects.at_once(event)) is None
        return True

    async def _ask(self, worker: LaneWorker, events: list[Event], wishes: Wishes, answers: dict[str, bool]) -> None:
        feeder = worker.replay_feeder  # the lane gets another if it is loaded again
        try:
            while not self._ask_some(events, wishes, answers):
                event = next(event for event in events if event.id not in answers)
                if is_large(event):
                    _, [why] = await self._subjects.judged(event, [wishes])
                    answers[event.id] = why is None
                else:
                    await self._turns.turn(event.tenant_id)
        except Exception:
            log.exception("a condition could not be asked; trying again", subscription=worker.subscription.id)
            await asyncio.sleep(AGAIN_AFTER)
        feeder.is_asking = False
        self._on_change(worker)
