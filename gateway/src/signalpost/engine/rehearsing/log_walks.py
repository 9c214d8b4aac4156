"""Walks the log for rehearsals: backwards, a page at a time, on a thread, within bounds.

A page is judged on a thread that rests again and again, in turns between tenants, while the next one is read. A walk
that comes to one of its bounds ends early, and says how far back it came.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial, reduce
from itertools import chain
from operator import or_
from typing import Final, NamedTuple

from signalpost.domain.delivery.rehearsal import (
    MAX_EXAMPLES,
    NOT_LOOKED_AT,
    NOT_SENT_SO_FAR,
    EventWithSubject,
    JudgementTally,
    Name,
    RehearsedDocument,
)
from signalpost.domain.event import PastEvent
from signalpost.domain.language.subject import reader_of, subject_of
from signalpost.domain.timestamps import SECOND
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.engine.rehearsing.question import BOUNDS, Question, RehearsalBounds, WalkResult
from signalpost.engine.rehearsing.side import Side
from signalpost.runtime.clock import Clock
from signalpost.sharing.resting_turns import WALKS_REST, Rest, RestingTurns
from signalpost.store.nouns.log import LogStore

BYTES_IN_A_ROW: Final = 8 * 1024
"""After so many bytes of events, some 0.1 ms, the thread may rest."""
BYTES_ANYWAY: Final = 128
"""What an event counts for besides its body, which may not have been read."""
Made = Callable[[int, Sequence[str]], Awaitable[Mapping[str, Mapping[str, str]]]]
"""What the last deliveries of a subscription (its number) for some documents made, by document."""


class _Page(NamedTuple):
    events: Sequence[PastEvent]
    """Newest first, without those of erased documents."""
    documents: Mapping[bytes, RehearsedDocument]
    """What a kind of destination is told of the documents, if one is asked."""
    next: int | None
    """The sequence below which the walk goes on; None at the end of the log."""


class LogWalks:
    def __init__(
        self,
        log: LogStore,
        made: Made,
        thread: Executor,
        turns: RestingTurns,
        clock: Clock,
        erased: ErasedEvents,
        bounds: RehearsalBounds = BOUNDS,
    ) -> None:
        """`thread` judges pages, in these turns. Events that are `erased` are not looked at."""
        self._log = log
        self._made = made
        self._thread = thread
        self._turns = turns
        self._clock = clock
        self._erased = erased
        self._bounds = bounds

    async def walk(self, question: Question) -> WalkResult:
        """If the caller is cancelled, the threads end where they would rest."""
        walk = _LogWalk(question, self._bounds)
        ends_at = self._clock.steady() + self._bounds.seconds * SECOND
        page = await self._page(question, question.ahead + 1)
        while not walk.ends_with(page) and not walk.is_full and self._clock.steady() < ends_at:
            page, _ = await asyncio.gather(self._page(question, page.next), self._judge(walk, page))
        await self._judge(walk, page)
        return WalkResult(walk.tally, walk.reached)

    async def _judge(self, walk: "_LogWalk", page: _Page) -> None:
        await self._turns.run(walk.tenant_id, self._thread, partial(walk.judge, page), rests=WALKS_REST)

    async def _page(self, question: Question, before: int | None) -> _Page:
        assert before is not None, "the walk has not come to the end of the log"
        types = reduce(or_, (side.reads for side in question.sides))
        log, tenant_id, sides = self._log, question.tenant_id, question.sides
        # What was erased a moment ago is told by its document.
        with_content = bool(self._erased) or any(side.looks_closer for side in sides)
        limit = self._bounds.page if with_content else self._bounds.page_of_types
        events, after = await log.past(tenant_id, before, types, limit, with_content=with_content)
        if self._erased:
            covers = self._erased.covers
            events = [each for each in events if not covers(tenant_id, log.external_id(each.document), each.sequence)]
        documents: Mapping[bytes, RehearsedDocument] = {}
        if any(side.looks_at_made for side in sides):
            documents = await self._documents(question.now, {each.document for each in events})
        return _Page(events, documents, after)

    async def _documents(self, now: Side | None, documents: Iterable[bytes]) -> Mapping[bytes, RehearsedDocument]:
        ids = {each: self._log.external_id(each) for each in documents}
        made = {} if now is None else await self._made(now.subscription.number, [*ids.values()])
        return {each: RehearsedDocument(of, made.get(of, {})) for each, of in ids.items()}


_SAYS: Final[Mapping[bool, Name]] = {True: "less", False: "more"}
"""The examples that need the sentence of a side: what the changed one does not send, and what the present one does not
send."""


class _LogWalk:
    """What one walk has seen. Only the thread changes it."""

    def __init__(self, question: Question, bounds: RehearsalBounds) -> None:
        self._question = question
        self._bounds = bounds
        self.tenant_id = question.tenant_id
        self.tally = JudgementTally()
        self.reached = question.last + 1
        """The sequence down to which everything in the period was judged."""
        self._noting = [(side, _SAYS[side is question.then]) for side in question.sides if side.lookahead]
        """Each side that looks ahead, and the examples for which it says why it sends nothing."""
        names = [side.names for side in question.sides]
        self._read = subject_of if None in names else reader_of(chain.from_iterable(filter(None, names)))
        self._events = 0
        """How many events of the log were looked through."""

    def ends_with(self, page: _Page) -> bool:
        """Whether there is nothing to read after a page."""
        return page.next is None or page.next <= self._question.first

    @property
    def is_full(self) -> bool:
        """Whether as much was looked at as one rehearsal may."""
        kept = max(side.documents for side in self._question.sides)
        return self._events >= self._bounds.events or kept > self._bounds.documents

    def judge(self, page: _Page, rest: Rest) -> None:
        asked, noting, read, count = self._question, self._noting, self._read, self.tally.count
        counts, documents = self.tally.counts, page.documents
        first, last, now, then = asked.first, asked.last, asked.now, asked.then
        unrested = 0
        for event in page.events:
            if event.sequence < first:
                break
            unrested += len(event.body) + BYTES_ANYWAY
            if unrested >= BYTES_IN_A_ROW:
                unrested = 0
                rest()
            about = EventWithSubject(event, documents.get(event.document, NOT_LOOKED_AT), read)
            for side, example in noting:
                side.note(about, in_words=counts[example] < MAX_EXAMPLES)
            if event.sequence <= last:
                so_far = NOT_SENT_SO_FAR if now is None else now.judgement(about)
                count(about, so_far, then.judgement(about))
        down_to = first if page.next is None else max(first, page.next)
        self._events = self._question.ahead - down_to + 1
        self.reached = min(self.reached, down_to)
        if page.events:
            for side in self._question.sides:
                if side.documents > self._bounds.documents:
                    side.forget_before(page.events[-1].at)
