"""Events that are read from the store for deliveries, and given to them in small slices."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import msgspec
from gateway.tests.world.virtual_time import VirtualLoop, VirtualTime

from signalpost.domain.delivery.delivery import Delivery
from signalpost.domain.event import Event, EventType
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.lanes.log_reader import BYTES_IN_A_ROW, LogReader
from signalpost.store.nouns.log import LogPart
from signalpost.store.store import Store

EVENT = Event(1, 1, 0, "id", EventType.CREATED, "document", b"x" * 983_000)


async def known(_tenant_id: int, _version: int) -> None:
    """The configuration is known."""


def test_hundreds_that_wait_for_one_large_event_do_not_get_it_in_one_turn_of_the_loop() -> None:
    """Each is signed as it is given: 300 of a megabyte held everything up for half a second."""
    given: list[int] = []
    turn = 0

    async def read(_tenant_id: int, _sequences: Any) -> list[Event]:
        return [EVENT]

    def take(_worker: LaneWorker, _delivery: Delivery, event: Event | None) -> None:
        assert event is EVENT
        given.append(turn)

    async def scenario() -> None:
        nonlocal turn
        store = cast(Store, SimpleNamespace(log=SimpleNamespace(events=read)))
        reader = LogReader(store, LogCache(), known, lambda *_: None, take)
        worker = cast(LaneWorker, SimpleNamespace(subscription=SimpleNamespace(tenant_id=1)))
        for _ in range(300):
            reader.want_event(worker, cast(Delivery, SimpleNamespace(sequence=1)))
        while len(given) < 300:
            turn += 1
            await asyncio.sleep(0)

    asyncio.run(scenario())
    most = max(given.count(each) for each in set(given))
    assert most * len(EVENT.body) < BYTES_IN_A_ROW + len(EVENT.body)


def test_a_lane_reads_until_it_is_given_its_page_so_a_turn_meanwhile_makes_it_read_nothing_more() -> None:
    """A lane that went on between the page's arrival and its own turn was given the page a second time."""
    steps: list[tuple[str, int]] = []

    class Worker:
        def __init__(self, number: int) -> None:
            self.number = number
            self.subscription = SimpleNamespace(tenant_id=1)
            self.lane = SimpleNamespace(head=0)

        def begin_reading(self) -> None:
            """Nothing is counted here."""

        def end_reading(self) -> None:
            steps.append(("ends reading", self.number))

    async def read(*_: Any) -> LogPart:
        return LogPart([], 1, 1, 1)

    async def scenario() -> None:
        store = cast(Store, SimpleNamespace(log=SimpleNamespace(after=read)))
        reader = LogReader(
            store,
            LogCache(),
            known,
            lambda worker, _: steps.append(("page", cast(Any, worker).number)),
            lambda *_: None,
        )
        for number in (1, 2):
            reader.want_page(cast(LaneWorker, Worker(number)))
        while len(steps) < 4:
            await asyncio.sleep(0)

    asyncio.run(scenario())
    assert steps == [("ends reading", 1), ("page", 1), ("ends reading", 2), ("page", 2)]


def test_events_that_the_store_reads_in_parts_all_reach_their_deliveries_and_those_that_are_gone_are_told() -> None:
    """A part ends near 4 MiB: hundreds of a megabyte were in memory at once."""
    kept = {number: msgspec.structs.replace(EVENT, sequence=number) for number in (4, 5, 6, 7, 8)}
    asked: list[list[int]] = []
    given: dict[int, Event | None] = {}

    async def read(_tenant_id: int, sequences: list[int]) -> list[Event]:
        asked.append(sequences)
        return [kept[number] for number in sequences if number in kept][:2]

    async def floor(_tenant_id: int) -> int:
        return 4

    async def scenario() -> None:
        store = cast(Store, SimpleNamespace(log=SimpleNamespace(events=read, floor=floor)))
        told = asyncio.Event()

        def take(_worker: LaneWorker, delivery: Delivery, event: Event | None) -> None:
            assert delivery.sequence not in given
            given[delivery.sequence] = event
            if len(given) == 8:
                told.set()

        reader = LogReader(store, LogCache(), known, lambda *_: None, take)
        worker = cast(LaneWorker, SimpleNamespace(subscription=SimpleNamespace(tenant_id=1)))
        for sequence in (8, 3, 1, 7, 2, 5, 4, 6):
            reader.want_event(worker, cast(Delivery, SimpleNamespace(sequence=sequence)))
        await told.wait()

    asyncio.run(scenario())
    assert given == {number: kept.get(number) for number in range(1, 9)}
    assert [len(each) for each in asked] == [8, 3, 1]


def test_an_event_that_is_missing_above_the_floor_is_asked_for_again_and_not_given_up() -> None:
    """A standby that lags behind does not have it yet; only the retention takes events away."""
    asked = 0

    async def read(_tenant_id: int, _sequences: list[int]) -> list[Event]:
        nonlocal asked
        asked += 1
        return [] if asked == 1 else [EVENT]

    async def floor(_tenant_id: int) -> int:
        return 1

    async def scenario() -> None:
        store = cast(Store, SimpleNamespace(log=SimpleNamespace(events=read, floor=floor)))
        given: asyncio.Future[Event | None] = asyncio.get_running_loop().create_future()
        reader = LogReader(
            store, LogCache(), known, lambda *_: None, lambda _worker, _delivery, event: given.set_result(event)
        )
        worker = cast(LaneWorker, SimpleNamespace(subscription=SimpleNamespace(tenant_id=1)))
        reader.want_event(worker, cast(Delivery, SimpleNamespace(sequence=1)))
        assert await given is EVENT

    loop = VirtualLoop(VirtualTime(0.0))
    loop.run_until_complete(scenario())
    loop.close()
    assert asked == 2
