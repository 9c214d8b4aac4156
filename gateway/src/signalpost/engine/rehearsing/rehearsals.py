"""Walks the log for rehearsals: backwards, a page at a time, off the event loop, within bounds.

A page is judged on a thread that rests again and again, in turns between tenants, while the next one is read. A walk
that comes to one of its bounds ends early, and says how far back it came. Of each caller the newest rehearsal counts:
while a person types, the one before ends.
"""

import asyncio
from collections.abc import Hashable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial, reduce
from itertools import chain
from operator import or_
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from signalpost.domain.delivery.rehearsal import (
    MAX_EXAMPLES,
    NOT_LOOKED_AT,
    NOT_SENT_SO_FAR,
    EventWithSubject,
    JudgementTally,
    Name,
    RehearsedDocument,
    RehearsedEvent,
    shown,
)
from signalpost.domain.erasure import is_erased
from signalpost.domain.errors import Conflict, TooMany
from signalpost.domain.event import Event, PastEvent
from signalpost.domain.language.subject import reader_of, subject_of
from signalpost.domain.timestamps import SECOND
from signalpost.engine.connectors.shown_requests import ShownRequest
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.engine.rehearsing.side import Side
from signalpost.runtime.clock import Clock
from signalpost.sharing.resting_turns import WALKS_REST, Rest, RestingTurns
from signalpost.store.store import Store


class RehearsalBounds(NamedTuple):
    """Where a walk ends, although it has not come to the beginning of its period, and how much it does at once."""

    events: int = 2_000_000
    seconds: int = 25
    """Less than clients wait for an answer."""
    documents: int = 200_000
    """The number of documents of which answers of later events are kept for a delay's condition."""
    page: int = 1_000
    """How many numbers of the log one page looks through at most: it is judged while the next one is read."""
    page_of_types: int = 4_000
    """The same if nothing but the types of events is looked at, which takes a fifth as long."""


BOUNDS: Final = RehearsalBounds()
BYTES_IN_A_ROW: Final = 8 * 1024
"""After so many bytes of events, some 0.1 ms, the thread may rest."""
BYTES_ANYWAY: Final = 128
"""What an event counts for besides its body, which may not have been read."""


class Question(Struct, frozen=True, kw_only=True):
    """What is to be rehearsed."""

    tenant_id: int
    caller: Hashable
    from_at: int
    to_at: int
    """The period: from the first moment, up to and without the second."""
    first: int
    last: int
    """The sequences of the period, both included."""
    ahead: int
    """The last sequence that may matter to a delay's condition."""
    now: Side | None
    """The subscription as it is; None if there is none yet."""
    then: Side

    @property
    def sides(self) -> Sequence[Side]:
        return (self.then,) if self.now is None else (self.now, self.then)


class RehearsalResult(Struct, frozen=True, kw_only=True):
    tally: JudgementTally
    reached: int
    """The sequence down to which the log was looked through: the period's first, unless the walk ended early."""
    reached_at: int | None
    """When the event of that sequence was made, if the walk ended early."""
    examples: Mapping[Name, list[RehearsedEvent]]
    requests: list[tuple[str, list[ShownRequest]]]
    """The exact requests of some events that are sent, with the id of each event."""


class _Page(NamedTuple):
    events: Sequence[PastEvent]
    """Newest first, without those of erased documents."""
    documents: Mapping[bytes | str, RehearsedDocument]
    """What a kind of destination is told of the documents, if one is asked."""
    next: int | None
    """The sequence below which the walk goes on; None at the end of the log."""


class Rehearsals:
    def __init__(
        self,
        store: Store,
        thread: Executor,
        turns: RestingTurns,
        clock: Clock,
        erased: ErasedEvents,
        bounds: RehearsalBounds = BOUNDS,
    ) -> None:
        """`thread` judges pages, in these turns. Nothing is shown of the events that are `erased`."""
        self._store = store
        self._thread = thread
        self._turns = turns
        self._clock = clock
        self._erased = erased
        self._bounds = bounds
        self._running: dict[int, tuple[Hashable, object]] = {}
        """Who rehearses in each tenant, and what stands for this very rehearsal."""

    async def run(self, question: Question) -> RehearsalResult:
        """Raises TooMany while another caller of the tenant has a rehearsal, and Conflict if the same caller asks for
        another one meanwhile."""
        mine, tenant_id = object(), question.tenant_id
        running = self._running.get(tenant_id)
        if running is not None and running[0] != question.caller:
            detail = "Somebody else rehearses in this tenant right now. Repeat the request in a moment."
            raise TooMany("rehearsal_running", detail, retry_after=5)
        self._running[tenant_id] = question.caller, mine
        try:
            return await self._answered(question, mine)
        finally:
            if self._running.get(tenant_id) == (question.caller, mine):
                del self._running[tenant_id]

    async def _answered(self, question: Question, mine: object) -> RehearsalResult:
        tenant_id, walk = question.tenant_id, _RehearsalWalk(question, self._bounds)
        ends_at = self._clock.steady() + self._bounds.seconds * SECOND
        page = await self._page(question, question.ahead + 1)
        while not walk.ends_with(page) and not walk.is_full and self._clock.steady() < ends_at:
            page, _ = await asyncio.gather(self._page(question, page.next), self._judge(walk, page))
            if self._running.get(tenant_id) != (question.caller, mine):
                raise Conflict("superseded", "You asked for another rehearsal meanwhile, which took the place of this.")
        await self._judge(walk, page)
        reached_at = await self._time_of(tenant_id, walk.reached) if walk.reached > question.first else None
        events = await self._in_full(tenant_id, walk.tally.sequences)
        requests = partial(walk.requests, events, self._clock.wall())
        return RehearsalResult(
            tally=walk.tally,
            reached=walk.reached,
            reached_at=reached_at,
            examples={
                name: [replace(shown(events[sequence]), why=why) for sequence, why in found if sequence in events]
                for name, found in walk.tally.examples.items()
            },
            requests=await self._turns.run(tenant_id, self._thread, requests),
        )

    async def _judge(self, walk: "_RehearsalWalk", page: _Page) -> None:
        await self._turns.run(walk.tenant_id, self._thread, partial(walk.judge, page), rests=WALKS_REST)

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

    async def _page(self, question: Question, before: int | None) -> _Page:
        assert before is not None, "the walk has not come to the end of the log"
        types = reduce(or_, (side.reads for side in question.sides))
        log, tenant_id, sides = self._store.log, question.tenant_id, question.sides
        # What was erased a moment ago is told by its document.
        with_content = bool(self._erased) or any(side.looks_closer for side in sides)
        limit = self._bounds.page if with_content else self._bounds.page_of_types
        events, after = await log.past(tenant_id, before, types, limit, with_content=with_content)
        if self._erased:
            covers = self._erased.covers
            events = [each for each in events if not covers(tenant_id, log.external_id(each.document), each.sequence)]
        documents: Mapping[bytes | str, RehearsedDocument] = {}
        if any(side.looks_at_made for side in sides):
            documents = await self._documents(question.now, {each.document for each in events})
        return _Page(events, documents, after)

    async def _documents(
        self, now: Side | None, documents: Iterable[bytes | str]
    ) -> Mapping[bytes | str, RehearsedDocument]:
        ids = {each: self._store.log.external_id(each) for each in documents}
        made: Mapping[str, Mapping[str, str]] = {}
        if now is not None:
            made = await self._store.connections.made(now.subscription.number, [*ids.values()])
        return {each: RehearsedDocument(of, made.get(of, {})) for each, of in ids.items()}


_SAYS: Final[Mapping[bool, Name]] = {True: "less", False: "more"}
"""The examples that need the sentence of a side: what the changed one does not send, and what the present one does not
send."""


class _RehearsalWalk:
    """What one rehearsal has seen. Only the thread changes it."""

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

    def requests(self, events: Mapping[int, Event], now: int, _: Rest) -> list[tuple[str, list[ShownRequest]]]:
        """The exact requests of some of these events, as they would go out `now`, with the id of each."""
        sent = [(each, events[each.event.sequence]) for each in self.tally.shown if each.event.sequence in events]
        return [(event.id, self._question.then.requests(about, event, now)) for about, event in sent]
