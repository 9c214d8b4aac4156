"""Rehearsals: the log is walked, and what was found of it is told with examples and exact requests.

Of each caller the newest rehearsal counts: while a person types, the one before ends. A long walk is made by a process
of its own if it can be, else by the thread of this one. What is shown of it is read here, at the end.
"""

import asyncio
from collections.abc import Hashable, Iterable, Mapping
from concurrent.futures import Executor
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from signalpost.domain.delivery.rehearsal import JudgementTally, Name, RehearsedEvent, shown
from signalpost.domain.erasure import is_erased
from signalpost.domain.errors import Conflict, Stopping, TooMany
from signalpost.domain.event import Event
from signalpost.engine.connectors.shown_requests import ShownRequest
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.engine.rehearsing.question import Question, Walks
from signalpost.runtime.clock import Clock
from signalpost.sharing.resting_turns import Rest, RestingTurns
from signalpost.store.store import Store


class RehearsalResult(Struct, frozen=True, kw_only=True):
    tally: JudgementTally
    reached: int
    """The sequence down to which the log was looked through: the period's first, unless the walk ended early."""
    reached_at: int | None
    """When the event of that sequence was made, if the walk ended early."""
    examples: Mapping[Name, list[RehearsedEvent]]
    requests: list[tuple[str, list[ShownRequest]]]
    """The exact requests of some events that are sent, with the id of each event."""


class _Running(Struct, frozen=True, eq=False):
    """A rehearsal that is under way."""

    caller: Hashable
    answering: "asyncio.Task[RehearsalResult]"


class Rehearsals:
    def __init__(
        self, store: Store, walks: Walks, thread: Executor, turns: RestingTurns, clock: Clock, erased: ErasedEvents
    ) -> None:
        """`thread` makes requests, in these turns. Nothing is shown of the events that are `erased`."""
        self._store = store
        self._walks = walks
        self._thread = thread
        self._turns = turns
        self._clock = clock
        self._erased = erased
        self._running: dict[int, _Running] = {}
        """Who rehearses in each tenant."""
        self._is_closed = False

    async def run(self, question: Question) -> RehearsalResult:
        """Raises TooMany while another caller of the tenant has a rehearsal, Conflict if the same caller asks for
        another one meanwhile, and Stopping once these are closed."""
        tenant_id, before = question.tenant_id, self._running.get(question.tenant_id)
        if before is not None and before.caller != question.caller:
            detail = "Somebody else rehearses in this tenant right now. Repeat the request in a moment."
            raise TooMany("rehearsal_running", detail, retry_after=5)
        mine = _Running(question.caller, asyncio.create_task(self._answered(question, before)))
        self._running[tenant_id] = mine
        try:
            return await mine.answering
        except asyncio.CancelledError:
            if self._is_closed:
                raise Stopping from None
            if self._running.get(tenant_id) is mine:  # whoever waited for it has left
                raise
            detail = "You asked for another rehearsal meanwhile, which took the place of this."
            raise Conflict("superseded", detail) from None
        finally:
            if self._running.get(tenant_id) is mine:
                del self._running[tenant_id]

    async def close(self) -> None:
        """End those that are under way."""
        self._is_closed = True
        under_way = [each.answering for each in self._running.values()]
        for answering in under_way:
            answering.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _answered(self, question: Question, before: _Running | None) -> RehearsalResult:
        if before is not None:
            before.answering.cancel()
            await asyncio.wait((before.answering,))
        tenant_id, found = question.tenant_id, await self._walks.walk(question)
        tally, is_whole = found.tally, found.reached <= question.first
        events = await self._in_full(tenant_id, tally.sequences)
        sent = [events[each] for each in tally.shown if each in events]
        made = await self._made(question, sent)
        requests = partial(_requests, question, sent, made, self._clock.wall())
        return RehearsalResult(
            tally=tally,
            reached=found.reached,
            reached_at=None if is_whole else await self._time_of(tenant_id, found.reached),
            examples={
                name: [replace(shown(events[sequence]), why=why) for sequence, why in some if sequence in events]
                for name, some in tally.examples.items()
            },
            requests=await self._turns.run(tenant_id, self._thread, requests),
        )

    async def _time_of(self, tenant_id: int, sequence: int) -> int | None:
        found = await self._store.log.events(tenant_id, [sequence])
        return found[0].at if found else None

    async def _in_full(self, tenant_id: int, sequences: Iterable[int]) -> dict[int, Event]:
        """Whole events by sequence, without those that were erased or removed since they were judged."""
        events, left = dict[int, Event](), sorted(sequences)
        while left and (found := await self._store.log.events(tenant_id, left)):
            events |= {each.sequence: each for each in found if not is_erased(each) and not self._erased.has(each)}
            left = [each for each in left if each > found[-1].sequence]
        return events

    async def _made(self, question: Question, events: Iterable[Event]) -> Mapping[str, Mapping[str, str]]:
        """What the last deliveries for the documents of these events made, by document, if a side looks at it."""
        if question.now is None or not any(side.looks_at_made for side in question.sides):
            return {}
        number = question.now.subscription.number
        return await self._store.connections.made(number, [each.document_id for each in events])


def _requests(
    question: Question, events: Iterable[Event], made: Mapping[str, Mapping[str, str]], now: int, _: Rest
) -> list[tuple[str, list[ShownRequest]]]:
    """The exact requests of some events, as they would go out `now`, with the id of each."""
    return [(each.id, question.then.requests(each, made.get(each.document_id, {}), now)) for each in events]
