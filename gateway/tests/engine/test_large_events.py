"""Conditions of large events: decoded once for all lanes, asked off the event loop, and never answered for another
event, lane or condition than was asked about."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from gateway.tests.bodies import new_document
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.patience import PATIENCE
from gateway.tests.world.virtual_time import VirtualClock
from msgspec.structs import replace

from signalpost.commands.documents import CreateDocument
from signalpost.domain.erasure import Erasure
from signalpost.domain.event import Event, EventType, build
from signalpost.domain.language.names import Subject
from signalpost.engine.lanes.dispatcher import MAX_TURN_TIME
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.engine.lanes.large_events import LargeEvents
from signalpost.engine.lanes.subjects import LARGE_BYTES, Subjects, is_large
from signalpost.runtime.clock import Clock
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.sharing.resting_turns import RestingTurns

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

IS_A = {"field": "document.title", "is": "a"}


def event(sequence: int, size: int = 0) -> Event:
    name = f"00000000-0000-7000-8000-{sequence:012}"
    body = build(EventType.CREATED, 0, name, b'{"title":"%b"}' % (b"x" * size))
    return Event(1, sequence, 0, name, EventType.CREATED, "d", body)


LARGE = event(7, LARGE_BYTES)


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


@pytest.fixture
def erased() -> ErasedEvents:
    return ErasedEvents()


@pytest.fixture
def subjects(thread: ThreadPoolExecutor, erased: ErasedEvents) -> Subjects:
    return Subjects(thread, RestingTurns(), erased)


class Wishes:
    """Wants what its title says, once it may answer."""

    def __init__(self, why: str | None = None, may_answer: threading.Event | None = None) -> None:
        self._why = why
        self._may_answer = may_answer
        self.asked = threading.Event()

    def why_not(self, _: Subject) -> str | None:
        self.asked.set()
        assert self._may_answer is None or self._may_answer.wait(PATIENCE)
        return self._why


# --- Decoded once -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, LARGE_BYTES])
def test_an_event_is_decoded_once_for_all_who_look_at_it(subjects: Subjects, size: int) -> None:
    async def look() -> list[Subject]:
        return await asyncio.gather(*(subjects.of(event(1, size)) for _ in range(300)))

    first, *others = asyncio.run(look())
    assert first.document["title"] == "x" * size
    assert all(each is first for each in others)


def test_what_is_decoded_is_bounded_and_forgotten_when_told(thread: ThreadPoolExecutor) -> None:
    subjects = Subjects(thread, RestingTurns(), ErasedEvents(), max_bytes=100 * 1024)
    first = subjects.at_once(event(1))
    assert subjects.at_once(event(1)) is first
    for sequence in range(2, 100):
        subjects.at_once(event(sequence, 1_000))
    assert subjects.at_once(event(1)) is not first
    last = subjects.at_once(event(99, 1_000))
    assert subjects.at_once(event(99, 1_000)) is last
    subjects.forget()
    assert subjects.at_once(event(99, 1_000)) is not last


def test_an_event_with_the_number_of_another_is_not_taken_for_it(subjects: Subjects) -> None:
    """A database that went back gives a number twice."""
    subjects.at_once(event(1))
    another = Event(1, 1, 0, "another", EventType.CREATED, "d", build(EventType.CREATED, 0, "another", b"{}"))
    assert subjects.at_once(another).event["id"] == "another"


# --- Asked off the loop -----------------------------------------------------------------------------------------------


class Lane:
    """A lane at work, as much of it as is asked about."""

    def __init__(self, wishes: Wishes) -> None:
        self.wishes: Wishes | None = wishes
        self.lane = SimpleNamespace(head=LARGE.sequence - 1)
        self.waits = False

    def begin_reading(self) -> None:
        assert not self.waits
        self.waits = True

    def end_reading(self) -> None:
        assert self.waits
        self.waits = False


Answers = list[tuple[Lane, bool, str | None]]
Step = Callable[[LargeEvents, Lane], None]
NOTHING = ErasedEvents()


def ask(subjects: Subjects, *lanes: Lane, erased: ErasedEvents = NOTHING, meanwhile: Step | None = None) -> Answers:
    """The lanes' answers. `meanwhile` happens on the loop while the first condition is asked."""
    answers: Answers = []

    async def run() -> None:
        all_answered = asyncio.Event()

        def note(worker: Any, found: Event | None, why: str | None) -> None:
            answers.append((worker, found is LARGE, why))
            if len(answers) == len(lanes):
                all_answered.set()

        large = LargeEvents(subjects, LoopTurns(), erased, note)
        first: Any
        for first in lanes if meanwhile is None else lanes[:1]:
            large.ask(first, LARGE)
        if meanwhile is not None:
            assert lanes[0].wishes is not None
            await asyncio.to_thread(lanes[0].wishes.asked.wait, PATIENCE)
            meanwhile(large, lanes[0])
        await asyncio.wait_for(all_answered.wait(), PATIENCE)

    asyncio.run(run())
    assert not any(each.waits for each in lanes)
    return answers


def test_the_loop_goes_on_while_a_condition_of_a_large_event_is_asked(subjects: Subjects) -> None:
    """If it were asked on the loop, it would wait for ever."""
    may_answer = threading.Event()
    lane = Lane(Wishes("no", may_answer))
    assert ask(subjects, lane, meanwhile=lambda *_: may_answer.set()) == [(lane, True, "no")]


def test_each_lane_gets_the_answer_to_its_own_condition(subjects: Subjects) -> None:
    lanes = [Lane(Wishes(None if number % 2 else f"no {number}")) for number in range(50)]
    answers = ask(subjects, *lanes)
    assert answers == [(each, True, None if number % 2 else f"no {number}") for number, each in enumerate(lanes)]


def test_a_lane_that_comes_while_others_are_asked_is_asked_next(subjects: Subjects) -> None:
    may_answer = threading.Event()
    first, later = Lane(Wishes("a", may_answer)), Lane(Wishes("b"))

    def come(large: LargeEvents, _: Lane) -> None:
        worker: Any = later
        large.ask(worker, LARGE)
        may_answer.set()

    assert ask(subjects, first, later, meanwhile=come) == [(first, True, "a"), (later, True, "b")]


def changed(lane: Lane) -> None:
    lane.wishes = Wishes()


def loaded_again(lane: Lane) -> None:
    lane.lane = SimpleNamespace(head=LARGE.sequence - 1)


def moved_on(lane: Lane) -> None:
    lane.lane.head += 1


def without_wishes(lane: Lane) -> None:
    lane.wishes = None


@pytest.mark.parametrize("change", [changed, loaded_again, moved_on, without_wishes])
def test_a_lane_that_changed_meanwhile_is_asked_again(subjects: Subjects, change: Callable[[Lane], None]) -> None:
    may_answer = threading.Event()

    def happen(_: LargeEvents, lane: Lane) -> None:
        change(lane)
        may_answer.set()

    lane = Lane(Wishes("no", may_answer))
    assert ask(subjects, lane, meanwhile=happen) == [(lane, False, None)]


def erasure(tenant_id: int, document_id: str | None, to_sequence: int) -> Erasure:
    return Erasure(
        id="e", tenant_id=tenant_id, tenant="t", document_id=document_id, asked_at=1, to_sequence=to_sequence
    )


@pytest.mark.parametrize(
    ("erasing", "counts"),
    [
        (erasure(LARGE.tenant_id, LARGE.document_id, LARGE.sequence), False),
        (erasure(LARGE.tenant_id, None, LARGE.sequence), False),
        (erasure(LARGE.tenant_id, LARGE.document_id, LARGE.sequence - 1), True),
        (erasure(LARGE.tenant_id, "another", LARGE.sequence), True),
        (erasure(LARGE.tenant_id + 1, None, LARGE.sequence), True),
    ],
    ids=["of the document", "of the tenant", "of what came before", "of another document", "of another tenant"],
)
def test_only_what_was_found_out_of_an_event_that_is_being_erased_counts_no_more(
    subjects: Subjects, erased: ErasedEvents, erasing: Erasure, counts: bool
) -> None:
    """Otherwise any erasure had the conditions on large events of all tenants asked again."""
    may_answer = threading.Event()

    def erase(_: LargeEvents, __: Lane) -> None:
        erased.note(erasing)
        subjects.erase(erasing)
        may_answer.set()

    lane = Lane(Wishes("document.title is 'a secret'.", may_answer))
    answers = ask(subjects, lane, erased=erased, meanwhile=erase)
    assert answers == [(lane, counts, "document.title is 'a secret'." if counts else None)]


def test_a_lane_that_asks_about_another_event_of_that_number_is_not_told_of_the_first(subjects: Subjects) -> None:
    """A database that went back gives a number twice."""
    may_answer = threading.Event()
    first, later = Lane(Wishes("a", may_answer)), Lane(Wishes("b"))
    another = replace(LARGE, id="another")

    def come(large: LargeEvents, _: Lane) -> None:
        worker: Any = later
        large.ask(worker, another)
        may_answer.set()

    assert ask(subjects, first, later, meanwhile=come) == [(first, True, "a"), (later, False, "b")]


# --- In a gateway -----------------------------------------------------------------------------------------------------


def large(world: ScriptedWorld, name: str) -> CreateDocument:
    facts = {f"fact {number}": "x" * 4_000 for number in range(6)}
    new = new_document(
        type="letter", title=name, ownerEmail="o@example.com", authorEmail="a@example.com", additionalFacts=facts
    )
    return CreateDocument(tenant_id=TENANT, document_id=world.uuid(name), new=new, source_app="test")


def test_large_and_small_events_meet_the_same_conditions_in_their_order(world: ScriptedWorld) -> None:
    some, every = world.endpoint("some.example"), world.endpoint("all.example")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("some.example", when=IS_A)
        await gateway.subscribe("all.example", when={"field": "document.title", "isNot": "nobody's"})
        for name in ("a", "b", "c"):
            await gateway.submit(large(world, name))
            await gateway.create(f"small {name}")
        await gateway.until(lambda: len(every.calls) == 6)
        (first,) = await gateway.store.log.events(TENANT, [1])
        assert is_large(first)
        await gateway.unsubscribe("all.example")
        await gateway.change("some.example", status="paused")
        await gateway.submit(large(world, "d"))
        await gateway.change("some.example", when={"field": "document.title", "is": "d"}, status="active")
        await gateway.until(lambda: len(some.calls) == 2)

    world.run(scenario)
    assert every.sequences == [1, 2, 3, 4, 5, 6]
    assert some.sequences == [1, 7], "the condition of the time at which the lane comes to the event counts"


class TickingClock(VirtualClock):
    """Time passes whenever it is read: everything takes long."""

    ticks = 0

    def steady(self) -> int:
        self.ticks += 1
        return super().steady() + self.ticks * 100


class SlowGateway(RunningGateway):
    def _clock_of_machine(self) -> Clock:
        return TickingClock(self.world.wall, self.loop)


def test_the_loop_gets_to_its_sockets_between_conditions_that_take_long(world: ScriptedWorld) -> None:
    """Counted by units of work alone, all of them were one step of the loop."""
    steps: list[int] = []

    async def before(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", when=IS_A, status="paused")
        await gateway.create(*(f"b{number}" for number in range(200)))

    async def after(gateway: RunningGateway) -> None:
        await gateway.change("a.example", status="active")
        lag = 200
        while lag:
            await asyncio.sleep(0)
            lag, former = gateway.health("a.example")["lag"], lag
            steps.append(former - lag)

    world.run(before)
    world.gateway_kind = SlowGateway
    world.run(after)
    assert sum(steps) == 200
    assert max(steps) <= MAX_TURN_TIME // 100 + 1


def test_lanes_that_read_large_events_from_the_store_meet_them_too(world: ScriptedWorld) -> None:
    endpoint = world.endpoint("a.example")

    async def before(gateway: RunningGateway) -> None:
        await gateway.subscribe("a.example", when=IS_A, status="paused")
        for name in ("b", "a", "c"):
            await gateway.submit(large(world, name))

    async def after(gateway: RunningGateway) -> None:
        await gateway.change("a.example", status="active")
        await gateway.until(lambda: len(endpoint.calls) == 1)

    world.run(before)
    world.run(after)
    assert endpoint.sequences == [2]
