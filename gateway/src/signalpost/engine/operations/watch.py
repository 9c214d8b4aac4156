"""The watch: every few seconds it compares what is wrong with the conditions that are kept, and has notices written.

Every node tells what it sees itself: its lanes, its disk. One node, which has the job `watch`, tells the rest and has
the notices written, so that conditions of one kind are in one notice wherever they were seen. Nothing is remembered
between two looks that matters: after a crash, or on another node, the next look goes on.

Rows and notices are written by commands that wait in the background, outside of any tenant's limits, and while the disk
is too full for documents, too. While the database cannot be reached, nothing is told: that is for those who ask
`/health`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from signalpost.commands.command import Command, CommandOutcome
from signalpost.commands.notices import FollowCondition, OpenCondition, WriteNotice
from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.errors import NotFound
from signalpost.domain.operations.conditions import ConditionRow, Fact, NoticeTerms, compare, to_be_told
from signalpost.engine.directory import Directory
from signalpost.engine.lanes.lanes import Lanes
from signalpost.engine.maintenance.jobs import Jobs
from signalpost.engine.maintenance.passes import make_pass
from signalpost.engine.operations.fact_source import FactSource
from signalpost.runtime.clock import Clock
from signalpost.store.store import Store

WRITTEN_AT_ONCE: Final = 64
"""How many commands of a look are under way at a time. Each is a task, and thousands may be wrong at once."""
Enqueue = Callable[[Command[Any]], Awaitable[asyncio.Future[CommandOutcome[Any]]]]


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
    ) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock
        self._enqueue = enqueue
        self._terms = terms
        self._public_url = public_url
        self._jobs = Jobs(store.fleet)
        self._sources: list[FactSource] = []
        self.is_first = False
        """Whether this node has the job: it tells what is no node's own, and writes the notices."""
        self.open: Sequence[ConditionRow] = ()
        """What was open at the last look."""
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
        facts = [fact for source in self._sources for fact in await source.facts(self._clock.wall())]
        known = await self._store.lists.every(ConditionRow)
        now = self._clock.wall()
        await self._follow(known, facts, now)
        if self.is_first:
            await self._tell(known, now)
        self.open = known

    async def _follow(self, known: Sequence[ConditionRow], facts: Sequence[Fact], now: int) -> None:
        found, to = compare(known, facts, self._sees, now, self._terms), OPERATIONS_TENANT
        await self._write(
            [
                *self._openings(found.opened),
                *(FollowCondition(tenant_id=to, condition_id=row.id, fact=None) for row in found.gone),
                *(FollowCondition(tenant_id=to, condition_id=row.id, fact=fact) for row, fact in found.back),
            ]
        )

    def _openings(self, opened: Sequence[Fact]) -> Iterator[OpenCondition]:
        for fact in opened:
            if (tenant := self._directory.tenant_with(fact.tenant_id)) is not None:
                yield OpenCondition(tenant_id=OPERATIONS_TENANT, tenant=tenant.name, fact=fact)

    def _sees(self, condition: ConditionRow) -> bool:
        return any(source.sees(condition) for source in self._sources if condition.kind in source.kinds)

    async def _tell(self, known: Sequence[ConditionRow], now: int) -> None:
        tellings = to_be_told(known, now, self._terms)
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

    async def _write(self, commands: Sequence[Command[Any]]) -> None:
        """Have commands committed, as background work. Raises what the first failed with, once all that began have
        ended: the next look makes the others again."""
        for begin in range(0, len(commands), WRITTEN_AT_ONCE):
            some = map(self._commit, commands[begin : begin + WRITTEN_AT_ONCE])
            ended = await asyncio.gather(*some, return_exceptions=True)
            for failed in (each for each in ended if isinstance(each, BaseException)):
                raise failed

    async def _commit(self, command: Command[Any]) -> None:
        with suppress(NotFound):  # it went away meanwhile, or its tenant did
            await (await self._enqueue(command))
