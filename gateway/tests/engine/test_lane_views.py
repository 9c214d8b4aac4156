"""To see how hundreds of lanes do takes the event loop long, so that is done in slices."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from signalpost.domain.event import EventType
from signalpost.domain.subscription import Subscription
from signalpost.engine.lanes.lane_views import LOOKED_AT_IN_A_ROW, LaneViews
from signalpost.engine.lanes.lane_workers import LaneWorkers
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.runtime.clock import SystemClock
from signalpost.runtime.loop_turns import LoopTurns
from signalpost.store.lanes import LaneStanding

LANES = 10 * LOOKED_AT_IN_A_ROW


class Elsewhere:
    """A store that knows of lanes of another node."""

    async def standings(self, _tenant_id: int, numbers: Sequence[int]) -> dict[int, LaneStanding]:
        return {number: LaneStanding() for number in numbers}


def subscription(number: int) -> Subscription:
    return Subscription(
        id=f"00000000-0000-4000-8000-{number:012}",
        tenant_id=1,
        number=number,
        name="a",
        url="https://example.com/hook",
        secret="a secret of mine",
        headers={},
        status="active",
        ordering="loose",
        rate_limit=None,
        retry_delays=(10,),
        starts_after=0,
        filters=((0, EventType.CREATED),),
        created_at=0,
        updated_at=0,
    )


def test_others_have_their_turn_while_many_lanes_are_looked_at() -> None:
    async def scenario() -> tuple[list[int], int]:
        store: Any = SimpleNamespace(lanes=Elsewhere())
        views = LaneViews(store, SystemClock(), LaneWorkers(), LogCache(1_000), set(), LoopTurns())
        rounds = 0

        async def count_rounds() -> None:
            nonlocal rounds
            while True:
                rounds += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(count_rounds())
        found = await views.of_all([subscription(number) for number in range(LANES)])
        beside.cancel()
        return [each.subscription.number for each in found], rounds

    found, rounds = asyncio.run(scenario())
    assert found == list(range(LANES))
    assert rounds >= LANES // LOOKED_AT_IN_A_ROW
