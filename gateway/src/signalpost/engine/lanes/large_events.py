"""Asks the conditions of lanes about a large event that comes next in their log: off the event loop, and once for all
lanes that have come to it. A lane waits meanwhile as for a page of the log (`log_reader.py`)."""

import asyncio
from collections.abc import Callable

from signalpost.domain.event import Event
from signalpost.domain.wishes import Wishes
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.log_reader import AGAIN_AFTER
from signalpost.engine.lanes.subjects import Subjects
from signalpost.runtime.logger import log
from signalpost.runtime.tasks import Tasks
from signalpost.sharing.loop_turns import LoopTurns


class LargeEvents:
    def __init__(
        self,
        subjects: Subjects,
        turns: LoopTurns,
        erased: ErasedEvents,
        on_answer: Callable[[LaneWorker, Event | None, str | None], None],
    ) -> None:
        """`on_answer` gets the event, and a sentence why the lane does not want it, or None if it does. If it has to be
        asked again, it gets no event. `erased` says of which events no answer counts any more."""
        self._subjects = subjects
        self._turns = turns
        self._erased = erased
        self._on_answer = on_answer
        self._waiting: dict[str, list[LaneWorker]] = {}
        """The lanes that are not asked for yet, by the id of the event: a database that went back gives its number
        twice."""
        self._asked: set[str] = set()
        """The events that are being asked about."""
        self._tasks = Tasks()

    def stop(self) -> None:
        """Ask no more. No caller gets an answer."""
        self._tasks.cancel()

    def ask(self, worker: LaneWorker, event: Event) -> None:
        """Ask whether the lane wants the event that follows its head."""
        worker.begin_reading()
        self._waiting.setdefault(event.id, []).append(worker)
        if event.id not in self._asked:
            self._asked.add(event.id)
            self._tasks.start(self._answer(event))

    async def _answer(self, event: Event) -> None:
        try:
            while workers := self._waiting.pop(event.id, None):
                asked = [(each, each.lane, each.wishes) for each in workers if each.wishes is not None]
                whys = await self._whys(event, [wishes for _, _, wishes in asked])
                found = {worker: (lane, wishes, why) for (worker, lane, wishes), why in zip(asked, whys, strict=False)}
                for worker in workers:
                    await self._turns.turn(event.tenant_id)
                    worker.end_reading()
                    # The lane may have been loaded again meanwhile, or have other wishes; the event may be erased.
                    lane, wishes, why = found.get(worker, (None, None, None))
                    is_next = worker.lane is lane and lane.head + 1 == event.sequence and worker.wishes is wishes
                    if is_next and not self._erased.has(event):
                        self._on_answer(worker, event, why)
                    else:
                        self._on_answer(worker, None, None)
        finally:
            self._asked.discard(event.id)

    async def _whys(self, event: Event, wishes: list[Wishes]) -> list[str | None]:
        try:
            _, whys = await self._subjects.judged(event, wishes)
        except Exception:
            log.exception("a condition could not be asked; trying again", event=event.id)
            await asyncio.sleep(AGAIN_AFTER)
            return []
        return whys
