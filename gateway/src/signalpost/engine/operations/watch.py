"""The watch: every few seconds it compares what is wrong with the conditions that are kept, and has notices written.

Every node tells what it sees itself: its lanes, its disk. One node, which has the job `watch`, tells the rest and has
the notices written, so that conditions of one kind are in one notice wherever they were seen. Nothing is remembered
between two looks that matters: after a crash, or on another node, the next look goes on.

Thousands may be wrong at once, and to compare them takes milliseconds, as does to let go of them. So a thread does both
while the event loop delivers.

Rows and notices are written by commands that wait in the background, outside of any tenant's limits, and while the disk
is too full for documents, too. While the database cannot be reached, nothing is told: that is for those who ask
`/health`.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from signalpost.commands.command import Command, CommandOutcome
from signalpost.commands.notices import FollowCondition, OpenCondition, WriteNotice
from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.errors import NotFound
from signalpost.domain.operations.conditions import (
    ConditionRow,
    Differences,
    Fact,
    NoticeTerms,
    Telling,
    compare,
    to_be_told,
)
from signalpost.engine.directory import Directory
from signalpost.engine.lanes.lane_views import OF_THE_GATEWAY
from signalpost.engine.lanes.lanes import Lanes
from signalpost.engine.maintenance.jobs import Jobs
from signalpost.engine.maintenance.passes import make_pass
from signalpost.engine.operations.fact_source import FactSource
from signalpost.runtime.clock import Clock
from signalpost.sharing.resting_turns import Rest, RestingTurns, with_rests
from signalpost.store.statements import Row
from signalpost.store.store import Store

WRITTEN_AT_ONCE: Final = 64
"""How many commands of a look are under way at a time. Each is a task, and thousands may be wrong at once."""
Enqueue = Callable[[Command[Any]], Awaitable[asyncio.Future[CommandOutcome[Any]]]]


class OpenCounts(NamedTuple):
    """How many conditions were open at the last look."""

    of_kinds: Counter[str]
    of_tenants: Counter[int]


class Watch:
    def __init__(
        self,
        store: Store,
        directory: Directory,
        lanes: Lanes,
        clock: Clock,
        enqueue: Enqueue,
        terms: NoticeTerms,
        public_url: str,
        thread: Executor,
        turns: RestingTurns,
    ) -> None:
        """`thread` compares, in these turns."""
        self._store = store
        self._directory = directory
        self._clock = clock
        self._enqueue = enqueue
        self._terms = terms
        self._public_url = public_url
        self._thread = thread
        self._turns = turns
        self._jobs = Jobs(store.fleet)
        self._sources: list[FactSource] = []
        self.is_first = False
        """Whether this node has the job: it tells what is no node's own, and writes the notices."""
        self.open: Sequence[ConditionRow] = ()
        """What was open at the last look."""
        self.counts = OpenCounts(Counter(), Counter())
        self._lanes = lanes

    @property
    def undelivered(self) -> int:
        """How many deliveries of notices this node's lanes are yet to send, or gave up and keep."""
        views = map(self._lanes.views.here, self._directory.originals(OPERATIONS_TENANT))
        return sum(view.lag + view.standing.counts.awaiting_retry + view.failed for view in views if view is not None)

    def add(self, *sources: FactSource) -> None:
        """Have the looks ask these, too."""
        self._sources += sources

    async def run(self, every: float) -> None:
        """Look again after so many seconds each time."""
        while True:
            await asyncio.sleep(every)
            await make_pass(self.look, "conditions could not be looked at; trying again")

    async def look(self) -> None:
        """Compare what is so with what is kept, and write what changed. Raises Unavailable."""
        self.is_first = await self._jobs.take("watch")
        facts = [await source.facts(self._clock.wall()) for source in self._sources]
        packed, now = await self._store.lists.every_packed(ConditionRow), self._clock.wall()
        compared = partial(self._compared, packed, facts, now)
        found, tellings = await self._turns.run(OF_THE_GATEWAY, self._thread, compared)
        await self._follow(found)
        await self._tell(tellings, now)

    def _compared(
        self, packed: list[Row], facts: Sequence[list[Fact]], now: int, rest: Rest
    ) -> tuple[Differences, Sequence[Telling]]:
        """What changed, and what is to be told. The thread does this."""
        known = [*with_rests(self._store.lists.unpacked(ConditionRow, packed), rest)]
        every_fact = with_rests(chain.from_iterable(facts), rest)
        found = compare(with_rests(known, rest), every_fact, self._sees, now, self._terms)
        tellings = to_be_told(with_rests(known, rest), now, self._terms) if self.is_first else ()
        self.counts = OpenCounts(Counter(row.kind for row in known), Counter(row.tenant_id for row in known))
        self.open = known
        packed.clear()
        for each in facts:
            each.clear()
        return found, tellings

    async def _follow(self, found: Differences) -> None:
        to = OPERATIONS_TENANT
        gone = (FollowCondition(tenant_id=to, condition_id=row.id, fact=None) for row in found.gone)
        back = (FollowCondition(tenant_id=to, condition_id=row.id, fact=fact) for row, fact in found.back)
        await self._write(chain[Command[Any]](self._openings(found.opened), gone, back))

    def _openings(self, opened: Sequence[Fact]) -> Iterator[OpenCondition]:
        for fact in opened:
            if (tenant := self._directory.tenant_with(fact.tenant_id)) is not None:
                yield OpenCondition(tenant_id=OPERATIONS_TENANT, tenant=tenant.name, fact=fact)

    def _sees(self, condition: ConditionRow) -> bool:
        return any(source.sees(condition) for source in self._sources if condition.kind in source.kinds)

    async def _tell(self, tellings: Sequence[Telling], now: int) -> None:
        if tellings:
            tenants = {tenant.id: tenant.name for tenant in self._directory.tenants()}
            await self._write(
                [
                    WriteNotice(
                        tenant_id=OPERATIONS_TENANT,
                        telling=telling,
                        looked_at=now,
                        tenants=tenants,
                        public_url=self._public_url,
                    )
                    for telling in tellings
                ]
            )

    async def _write(self, commands: Iterable[Command[Any]]) -> None:
        """Have commands committed, as background work. Raises what the first failed with, once all that began have
        ended: the next look makes the others again."""
        left = iter(commands)
        while some := [*islice(left, WRITTEN_AT_ONCE)]:
            ended = await asyncio.gather(*map(self._commit, some), return_exceptions=True)
            for failed in (each for each in ended if isinstance(each, BaseException)):
                raise failed

    async def _commit(self, command: Command[Any]) -> None:
        with suppress(NotFound):  # it went away meanwhile, or its tenant did
            await (await self._enqueue(command))
