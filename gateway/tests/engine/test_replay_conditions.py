"""Conditions about what a replay found: asked where they hold nothing up, and before anything is queued."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.engine.test_large_events import event, large
from gateway.tests.patience import PATIENCE
from gateway.tests.world.network import BROKEN, Reply

from signalpost.domain.delivery.lane import Lane
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.erasure import erased
from signalpost.domain.event import Event
from signalpost.domain.language.names import Subject
from signalpost.engine.lanes.dispatcher import MAX_TURN_TIME
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.engine.lanes.replay_conditions import ReplayConditions
from signalpost.engine.lanes.replay_feeder import ReplayFeeder
from signalpost.engine.lanes.subjects import LARGE_BYTES, Subjects, is_large
from signalpost.runtime.clock import Clock, SystemClock
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.sharing.resting_turns import RestingTurns
from signalpost.store.nouns.replays import Candidate, Fed, ReplayPart

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

REPLAY = Replay(
    number=1, id="r1", tenant_id=1, subscription_number=1, what="all", from_at=0, to_at=0,
    from_sequence=1, to_sequence=999, count=0, count_is_capped=False, created_at=0, cursor=0,
)  # fmt: skip
PART = ReplayPart(REPLAY, 999, ((0, 7),), with_events=True)


class Wishes:
    """Wants events with an even number, and notes on which thread it was asked about which."""

    asks_event = True

    def __init__(self) -> None:
        self.asked: list[tuple[int, bool]] = []

    def why_not(self, subject: Subject) -> str | None:
        sequence = int(subject.event["id"][-12:])
        self.asked.append((sequence, threading.current_thread() is threading.main_thread()))
        return "odd" if sequence % 2 else None


class StandingClock(SystemClock):
    """Nothing takes any time."""

    def steady(self) -> int:
        return 0


class TickingClock(SystemClock):
    """Everything takes 100 µs between two looks at it."""

    ticks = 0

    def steady(self) -> int:
        self.ticks += 100
        return self.ticks


class Worker:
    """A lane at work, as much of it as a replay needs."""

    def __init__(self) -> None:
        self.wishes: Any = Wishes()
        self.lane = Lane(999, strict=False)
        self.replay_feeder = ReplayFeeder([REPLAY])
        self.subscription = SimpleNamespace(id="s")

    @property
    def queued(self) -> set[int]:
        return set(self.lane.changes().rows)


class Asking:
    """Gives a lane what its replay found, as the recorder does: again after each change, while none is asked about."""

    def __init__(self, subjects: Subjects, clock: Clock) -> None:
        self.conditions = ReplayConditions(subjects, LoopTurns(), clock, self._on_change)
        self.changed = asyncio.Event()

    def _on_change(self, _worker: Any) -> None:
        self.changed.set()

    async def feed(self, worker: Worker, events: list[Event]) -> int:
        """How often the store was asked until the part was queued."""
        found = Fed(tuple(Candidate(each.sequence, "d", None) for each in events), 999, {e.sequence: e for e in events})
        times = 0
        while worker.replay_feeder.next is not None:
            times += 1
            self.changed.clear()
            self.conditions.take(cast(Any, worker), PART, found)
            await asyncio.wait_for(self.changed.wait(), PATIENCE)
            assert not worker.replay_feeder.is_asking
        return times


@pytest.fixture
def subjects() -> Iterator[Subjects]:
    with ThreadPoolExecutor(1) as thread:
        yield Subjects(thread, RestingTurns(), ErasedEvents())


def test_a_large_event_that_a_replay_found_is_asked_about_off_the_loop_and_once(subjects: Subjects) -> None:
    worker = Worker()
    events = [event(1), event(2), event(3, LARGE_BYTES), event(4, LARGE_BYTES), event(5)]

    async def run() -> None:
        assert await Asking(subjects, StandingClock()).feed(worker, events) == 2

    asyncio.run(run())
    assert worker.queued == {2, 4}
    assert sorted(worker.wishes.asked) == [(1, True), (2, True), (3, False), (4, False), (5, True)]


def test_small_events_are_queued_as_soon_as_they_are_found(subjects: Subjects) -> None:
    worker = Worker()

    async def run() -> None:
        assert await Asking(subjects, StandingClock()).feed(worker, [event(1), event(2)]) == 1

    asyncio.run(run())
    assert worker.queued == {2}


def test_the_loop_gets_to_its_sockets_while_much_is_asked_about(subjects: Subjects) -> None:
    worker, most = Worker(), MAX_TURN_TIME // 100 + 1

    async def run() -> None:
        feeding = asyncio.create_task(
            Asking(subjects, TickingClock()).feed(worker, [event(each) for each in range(1, 201)])
        )
        asked = 0
        while not feeding.done():
            await asyncio.sleep(0)
            assert len(worker.wishes.asked) - asked <= most
            asked = len(worker.wishes.asked)
        await feeding

    asyncio.run(run())
    assert worker.queued == set(range(2, 201, 2))
    assert len(worker.wishes.asked) == 200


def test_an_event_that_was_erased_meanwhile_is_not_queued(subjects: Subjects) -> None:
    worker = Worker()

    async def run() -> None:
        await Asking(subjects, SystemClock()).feed(worker, [erased(event(2)), event(4)])

    asyncio.run(run())
    assert worker.queued == {4}
    assert worker.wishes.asked == [(4, True)]


def test_other_wishes_are_asked_for_themselves(subjects: Subjects) -> None:
    worker = Worker()

    async def run() -> None:
        asking = Asking(subjects, SystemClock())
        events = [event(2), event(4, LARGE_BYTES)]
        fed = Fed((Candidate(4, "d", None),), 999, {each.sequence: each for each in events})
        asking.conditions.take(cast(Any, worker), PART, fed)
        await asyncio.wait_for(asking.changed.wait(), PATIENCE)
        worker.wishes = Wishes()
        await asking.feed(worker, events)

    asyncio.run(run())
    assert [sequence for sequence, _ in worker.wishes.asked] == [2, 4]


def test_a_replay_of_large_events_sends_what_meets_the_condition_of_now(world: ScriptedWorld) -> None:
    endpoint = world.endpoint("a.example")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", delays=())
        endpoint.answers(BROKEN)
        for name in ("a", "b", "c"):
            await gateway.submit(large(world, name))
            await gateway.create(f"small {name}")
        await gateway.until(lambda: gateway.health("a.example")["failed"] == 6)
        assert sum(map(is_large, await gateway.store.log.events(TENANT, [1, 2, 3, 4, 5, 6]))) == 3
        endpoint.answers(Reply(204))
        endpoint.calls.clear()
        await gateway.change("a.example", when={"field": "document.title", "in": ["a", "c", "small b"]})
        identity = await gateway.replay("a.example", "failed")
        await gateway.until(lambda: len(endpoint.calls) == 3)
        await asyncio.sleep(600)
        assert (await gateway.replay_of("a.example", identity)).queued == 3

    world.run(scenario)
    assert sorted(endpoint.sequences) == [1, 4, 5]
