"""A page of deliveries reads no more than it needs: a tenant may have thousands of lanes."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, cast

from gateway.tests.engine.subscriptions import subscription

from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.deliveries import DeliveryFilter, DeliveryStatus
from signalpost.store.nouns.log import LogRow
from signalpost.store.packing.sequences import pack_sequences
from signalpost.store.walks import delivery_walk
from signalpost.store.walks.delivery_queries import DeliveryQueries
from signalpost.store.walks.log_queries import LogEnds
from signalpost.store.walks.recorded_lane import RecordedLane

LANES = [subscription(number=number) for number in range(1, 1_001)]


class OneEvent:
    """A log of one event, which every lane has settled, but for those that never took it in."""

    def __init__(self, never_taken_in: Collection[int] = ()) -> None:
        self.read: list[int] = []
        """How many lanes were read each time."""
        self._never_taken_in = never_taken_in

    async def lanes(self, of: Sequence[Subscription]) -> dict[int, RecordedLane]:
        self.read.append(len(of))
        return {each.number: RecordedLane(each, 1, pack_sequences([]), self._gaps(each.number), b"{}") for each in of}

    def _gaps(self, number: int) -> bytes:
        return b"[[1,1]]" if number in self._never_taken_in else b"[]"

    async def ends(self, _tenant_id: int) -> LogEnds:
        return LogEnds(1, 1, 0)

    async def types_between(self, *_: int) -> list[tuple[int, int]]:
        return [(1, 1)]

    async def entries(self, _tenant_id: int, sequences: Collection[int]) -> dict[int, LogRow]:
        return {sequence: LogRow(sequence, 0, "e", 1, "d") for sequence in sequences}

    async def row_states(self, _deliveries: Any) -> dict[Any, Any]:
        return {}

    async def last_attempts(self, _tenant_id: int, _deliveries: Any) -> dict[Any, Any]:
        return {}

    async def skipped_between(self, *_: int) -> list[tuple[int, int]]:
        return []

    async def rows_of_events(self, *_: Any) -> list[Any]:
        return []


def listed(log: OneEvent, status: DeliveryStatus | None = None) -> int:
    """How many deliveries a page of fifty has."""
    asked = DeliveryFilter(status=status)
    page = delivery_walk.page(cast(DeliveryQueries, log), 1, LANES, asked, None, 50, 10_000)
    return len(asyncio.run(cast(Any, page)).data)


def test_a_page_reads_the_lanes_of_the_deliveries_that_it_shows() -> None:
    log = OneEvent()
    assert listed(log) == 50
    assert log.read == [50]


def test_a_page_that_finds_little_reads_more_lanes_at_a_time() -> None:
    log = OneEvent(never_taken_in=range(31, 1_001))
    assert listed(log) == 30
    assert log.read == [50, 200, 750]


def test_what_is_found_by_how_far_lanes_are_reads_all_of_them_at_once() -> None:
    log = OneEvent()
    assert listed(log, "delivered") == 50
    assert log.read == [1_000]
