"""Hundreds of lanes take long to look at, so that is done in slices."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any

from gateway.tests.engine.subscriptions import subscription

from signalpost.domain.delivery.exception_row import RowCounts
from signalpost.engine.lanes.lane_health import LaneView
from signalpost.engine.lanes.lane_views import LOOKED_AT_IN_A_ROW, RETRIES_IN_A_ROW, LaneViews
from signalpost.engine.lanes.lane_workers import LaneWorkers
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.lanes.resting_lanes import RestingLanes
from signalpost.runtime.clock import SystemClock
from signalpost.runtime.loop_turns import LoopTurns
from signalpost.store.lanes import LaneStanding

LANES = 10 * LOOKED_AT_IN_A_ROW


class Elsewhere:
    """A store that knows of lanes of another node."""

    async def standings(self, _tenant_id: int, numbers: Sequence[int]) -> dict[int, LaneStanding]:
        return {number: LaneStanding() for number in numbers}


def rounds_of_the_loop(look: Callable[[LaneViews], Awaitable[list[LaneView]]]) -> tuple[list[int], int]:
    """The numbers of the subscriptions whose lanes were looked at, and in how many rounds of the event loop."""

    async def scenario() -> tuple[list[int], int]:
        store: Any = SimpleNamespace(lanes=Elsewhere())
        views = LaneViews(store, SystemClock(), LaneWorkers(), RestingLanes(), LogCache(1_000), set(), LoopTurns())
        rounds = 0

        async def count_rounds() -> None:
            nonlocal rounds
            while True:
                rounds += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(count_rounds())
        found = await look(views)
        beside.cancel()
        return [each.subscription.number for each in found], rounds

    return asyncio.run(scenario())


def test_others_have_their_turn_while_many_lanes_are_looked_at() -> None:
    found, rounds = rounds_of_the_loop(
        lambda views: views.of_all([subscription(number=number) for number in range(LANES)])
    )
    assert found == list(range(LANES))
    assert rounds >= LANES // LOOKED_AT_IN_A_ROW


def test_others_have_their_turn_between_lanes_with_many_retries_that_are_looked_at_closely() -> None:
    standing = LaneStanding(counts=RowCounts(awaiting_retry=RETRIES_IN_A_ROW // 2))
    glances = [LaneView(subscription(number=number), standing, tenant_is_paused=False) for number in range(20)]
    found, rounds = rounds_of_the_loop(lambda views: views.closer(glances))
    assert found == list(range(20))
    assert rounds >= 10
