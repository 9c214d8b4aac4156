"""Events that are read from the store for deliveries, and given to them in small slices."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from signalpost.domain.delivery.delivery import Delivery
from signalpost.domain.event import Event, EventType
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.lanes.log_reader import BYTES_IN_A_ROW, LogReader
from signalpost.store.store import Store

EVENT = Event(1, 1, 0, "id", EventType.CREATED, "document", b"x" * 983_000)


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
        reader = LogReader(store, LogCache(), lambda *_: None, take)
        worker = cast(LaneWorker, SimpleNamespace(subscription=SimpleNamespace(tenant_id=1)))
        for _ in range(300):
            reader.want_event(worker, cast(Delivery, SimpleNamespace(sequence=1)))
        while len(given) < 300:
            turn += 1
            await asyncio.sleep(0)

    asyncio.run(scenario())
    most = max(given.count(each) for each in set(given))
    assert most * len(EVENT.body) < BYTES_IN_A_ROW + len(EVENT.body)
