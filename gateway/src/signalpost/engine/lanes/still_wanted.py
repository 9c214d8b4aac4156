"""Asks before an attempt whether its event should still be sent, as far as a subscription has such wishes
(`domain/wishes.py`): time has passed since its lane came to the event.

Most deliveries need no question. For the others, later events of the document may have to be read. Nothing is tried
meanwhile and nothing is counted; while the log cannot be read, the delivery waits.
"""

import asyncio
from collections.abc import Callable

from signalpost.domain.delivery.delivery import Delivery
from signalpost.domain.erasure import ERASED, is_erased
from signalpost.domain.event import EVERY_TYPE, Event
from signalpost.domain.language.subject import not_sent
from signalpost.domain.wishes import Wishes, newest_kept
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.log_reader import AGAIN_AFTER, note_unread
from signalpost.engine.lanes.subjects import Subjects
from signalpost.runtime.clock import Clock
from signalpost.runtime.tasks import Tasks
from signalpost.store.nouns.log import LogStore

MAX_LATER = 100
"""How many later events of a document one look brings."""


class StillWanted:
    def __init__(
        self,
        log: LogStore,
        subjects: Subjects,
        clock: Clock,
        on_answer: Callable[[LaneWorker, Wishes, Delivery, Event, str | None], None],
    ) -> None:
        """`on_answer` gets a sentence why the event is not to be sent; None if it is."""
        self._log = log
        self._subjects = subjects
        self._clock = clock
        self._on_answer = on_answer
        self._tasks = Tasks()

    def stop(self) -> None:
        """Ask no more. No caller gets an answer."""
        self._tasks.cancel()

    def ask(self, worker: LaneWorker, wishes: Wishes, delivery: Delivery, event: Event) -> None:
        self._tasks.start(self._answer(worker, wishes, delivery, event))

    async def _answer(self, worker: LaneWorker, wishes: Wishes, delivery: Delivery, event: Event) -> None:
        while True:
            try:
                why = await self._why_not(wishes, delivery, event)
            except Exception as error:
                note_unread(error)
                await asyncio.sleep(AGAIN_AFTER)
            else:
                return self._on_answer(worker, wishes, delivery, event, why)

    async def _why_not(self, wishes: Wishes, delivery: Delivery, event: Event) -> str | None:
        if delivery.run and (why := await self._why_unwanted(wishes, event)) is not None:
            return why
        if wishes.asks_newest:
            newest = await self._log.newest(event.tenant_id, event.document_id)
            if newest is not None and is_erased(newest):
                return not_sent(ERASED)  # with this event, which was read before
            if (why := wishes.why_no_longer(await self._subjects.of(newest_kept(event, newest)))) is not None:
                return why
        if wishes.asks_later(delivery) and (later := await self._later_wanted(wishes, event)) is not None:
            return f"Not sent: event {later.id} of the same document came later and was wanted too."
        return None

    async def _why_unwanted(self, wishes: Wishes, event: Event) -> str | None:
        return wishes.why_not(await self._subjects.of(event)) if wishes.asks_event else None

    async def _later_wanted(self, wishes: Wishes, event: Event) -> Event | None:
        after, now = event.sequence, self._clock.steady()
        while True:
            later, reached = await self._log.feed(event.tenant_id, after, EVERY_TYPE, event.document_id, MAX_LATER)
            for each in later:
                if wishes.may_take_its_place(each, now) and await self._why_unwanted(wishes, each) is None:
                    return each
            if reached <= after:
                return None
            after = reached
