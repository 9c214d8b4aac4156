"""Rehearsals on every database: the log is walked from its end to the beginning of a period, over many pages, on a
thread or by a process of its own."""

import asyncio
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from msgspec.structs import replace

from signalpost.domain.subscription import Delay, Subscription
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.engine.rehearsing.log_walks import LogWalks
from signalpost.engine.rehearsing.process_walks import ProcessWalks, start_process
from signalpost.engine.rehearsing.question import Question, RehearsalBounds, WalkResult, Walks
from signalpost.engine.rehearsing.rehearsals import Rehearsals
from signalpost.engine.rehearsing.side import Side
from signalpost.runtime.child_process import ChildProcess
from signalpost.runtime.clock import SystemClock
from signalpost.sharing.resting_turns import RestingTurns

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

PAGE = 300
COUNT = 2 * PAGE + 30
TITLED = {"field": "document.title", "is": "changed"}


def walks_here(shop: "Shop", erased: ErasedEvents) -> LogWalks:
    bounds = RehearsalBounds(page=PAGE, page_of_types=PAGE)
    log, made = shop.store.log, shop.store.connections.made
    return LogWalks(log, made, ThreadPoolExecutor(1), RestingTurns(), SystemClock(), erased, bounds)


def asked(now: Subscription, then: Subscription, last: int) -> Question:
    return Question(
        tenant_id=1, caller=1, from_at=0, to_at=0, first=1, last=last, ahead=last,
        now=Side(now, None), then=Side(then, None),
    )  # fmt: skip


def test_every_event_of_a_period_is_judged_once(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe(eventTypes=1)
        for first in range(0, COUNT, 200):
            await shop.publish(*(make.create(number) for number in range(first, min(first + 200, COUNT))))
        await shop.publish(*(make.patch(number, "changed") for number in range(10)))
        erased = ErasedEvents()
        work = ThreadPoolExecutor(1), RestingTurns()
        rehearsals = Rehearsals(shop.store, walks_here(shop, erased), *work, SystemClock(), erased)
        then = replace(subscription, filters=((0, 3),), after=Delay(seconds=3600, condition={"not": TITLED}))
        whole = asked(subscription, then, COUNT + 10)
        answer = await rehearsals.run(replace(whole, first=6, last=COUNT))
        assert (answer.reached, answer.reached_at) == (6, None)
        assert answer.tally.counts == {"both": COUNT - 10, "more": 0, "less": 5, "cannot": 0}
        answer = await rehearsals.run(asked(subscription, then, COUNT + 10))
        assert answer.tally.counts == {"both": COUNT - 10, "more": 0, "less": 10, "cannot": 0}
        assert [each.sequence for each in answer.examples["less"]] == [*range(10, 0, -1)]

    play(scenario)


class NoWalks:
    async def walk(self, question: Question) -> WalkResult:
        raise AssertionError("it was for a process")


class Processes:
    """The processes that were started, at the lowest priority that they give themselves."""

    def __init__(self) -> None:
        self.started: list[ChildProcess] = []

    def __call__(self) -> ChildProcess:
        self.started.append(start_process())
        return self.started[-1]


def walks_of_a_process(
    shop: "Shop", erased: ErasedEvents, here: Walks | None = None, start: Callable[[], ChildProcess] = start_process
) -> ProcessWalks:
    return ProcessWalks(here or NoWalks(), shop.url, 0, erased, start, long=30)


def test_a_process_finds_what_a_thread_finds(play: "Play", make: "type[Tools]") -> None:
    """With conditions, types that changed, a delay whose condition ended meanwhile, and an erased document."""

    async def scenario(shop: "Shop") -> None:
        subscription = await shop.subscribe(eventTypes=1)
        await shop.publish(*(make.create(number) for number in range(40)))
        await shop.publish(*(make.patch(number, "changed") for number in range(10)))
        now = replace(subscription, filters=((0, 1), (45, 3)), starts_after=5)
        erased = ErasedEvents()
        erased.add(1, make.document_id(20), 50)
        erased.add(2, make.document_id(21), 50)
        still = Delay(seconds=3600, condition={"not": TITLED})
        for then in (
            replace(subscription, filters=((0, 3),), when={"field": "document.title", "changed": True}),
            replace(subscription, filters=((0, 3),), after=still),
        ):
            here = await walks_here(shop, erased).walk(asked(now, then, 50))
            there = await walks_of_a_process(shop, erased).walk(asked(now, then, 50))
            assert there == here
            assert there.tally.now == 40 - 5 - 1 + 5
        alone = replace(asked(now, subscription, 50), now=None)
        assert await walks_of_a_process(shop, erased).walk(alone) == await walks_here(shop, erased).walk(alone)

    play(scenario)


def test_a_walk_for_which_nobody_waits_ends_its_process(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription, erased, processes = await shop.subscribe(), ErasedEvents(), Processes()
        await shop.publish(*(make.create(number) for number in range(40)))
        question = asked(subscription, subscription, 40)
        walks = walks_of_a_process(shop, erased, start=processes)
        first = asyncio.create_task(walks.walk(question))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait((first,))
        assert first.cancelled()
        await processes.started[0].wait()
        assert (await walks.walk(question)).tally.then == 40

    play(scenario)


def test_a_thread_walks_if_a_process_is_busy_or_fails_or_cannot_be_started(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        subscription, erased, processes = await shop.subscribe(), ErasedEvents(), Processes()
        await shop.publish(*(make.create(number) for number in range(40)))
        question, here = asked(subscription, subscription, 40), walks_here(shop, erased)

        def killed() -> ChildProcess:
            process = processes()
            process.kill()
            return process

        def refused() -> ChildProcess:
            raise OSError("there are too many processes")

        for start in (killed, refused):
            assert (await walks_of_a_process(shop, erased, here, start).walk(question)).tally.then == 40
        wrong = ProcessWalks(here, "sqlite:////nowhere/at/all.db", 1, erased, long=30)
        assert (await wrong.walk(question)).tally.then == 40

        def stands_still() -> ChildProcess:
            process = processes()
            os.kill(process.pid, signal.SIGSTOP)
            return process

        starved = ProcessWalks(here, shop.url, 0, erased, stands_still, long=30, patience=0.1)
        assert (await starved.walk(question)).tally.then == 40
        walks, before = walks_of_a_process(shop, erased, here, processes), len(processes.started)
        both = await asyncio.gather(walks.walk(question), walks.walk(question))
        assert [each.tally.then for each in both] == [40, 40]
        assert len(processes.started) == before + 1
        assert (await walks.walk(replace(question, first=20))).tally.then == 21, "it is short"
        assert len(processes.started) == before + 1

    play(scenario)
