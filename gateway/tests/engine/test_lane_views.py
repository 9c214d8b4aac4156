"""Hundreds of lanes take long to look at, so that is done in slices."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

from gateway.tests.engine.off_loop import OffLoop
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.engine.subscriptions import subscription
from gateway.tests.world.network import HANG, Reply

from signalpost.domain.delivery.exception_row import RowCounts
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.engine.lanes.lane_health import LanesOverview, LaneView
from signalpost.engine.lanes.lane_views import COUNTED_IN_A_ROW, LOOKED_AT_IN_A_ROW, RETRIES_IN_A_ROW, LaneViews
from signalpost.engine.lanes.lane_workers import LaneWorkers
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.lanes.resting_lanes import RestingLanes
from signalpost.runtime.clock import SystemClock
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.store.nouns.lanes import LaneStanding

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

LANES = 10 * LOOKED_AT_IN_A_ROW


class Elsewhere:
    """A store that knows of lanes of another node."""

    async def standings(self, _tenant_id: int, subscriptions: Sequence[Subscription]) -> dict[int, LaneStanding]:
        return {each.number: LaneStanding() for each in subscriptions}


def rounds_of_the_loop(look: Callable[[LaneViews], Awaitable[list[LaneView]]]) -> tuple[list[int], int]:
    """The numbers of the subscriptions whose lanes were looked at, and in how many rounds of the event loop."""

    async def scenario() -> tuple[list[int], int]:
        store: Any = SimpleNamespace(lanes=Elsewhere())
        here: Any = SimpleNamespace(workers=LaneWorkers(), resting=RestingLanes(), paused_tenants=set())
        views = LaneViews(store, SystemClock(), here, LogCache(1_000), LoopTurns())
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


def test_of_a_backlog_that_stands_still_the_store_is_asked_once() -> None:
    """Else metrics of many tenants with backlogs would take longer than a scraper waits."""
    asked: list[tuple[int, list[int]]] = []

    class Log:
        async def events(self, tenant_id: int, sequences: list[int]) -> list[Any]:
            asked.append((tenant_id, sequences))
            return [SimpleNamespace(at=sequence * SECOND) for sequence in sequences if sequence != 9]

    async def scenario() -> None:
        store: Any = SimpleNamespace(log=Log())
        here: Any = SimpleNamespace(workers=LaneWorkers(), resting=RestingLanes(), paused_tenants=set())
        clock: Any = SimpleNamespace(wall=lambda: 100 * SECOND)
        views, overview = LaneViews(store, clock, here, LogCache(1_000), LoopTurns()), LanesOverview()
        overview.pending = {1: 40, 2: 70, 3: 9}
        for _ in range(2):
            assert await views.pending_seconds(overview) == {1: 60, 2: 30}, "the third was removed meanwhile"
        assert asked == [(1, [40]), (2, [70]), (3, [9]), (3, [9])]
        overview.pending = {1: 41}
        assert await views.pending_seconds(overview) == {1: 59}
        overview.pending = {2: 70}
        assert await views.pending_seconds(overview) == {2: 30}
        assert asked[4:] == [(1, [41]), (2, [70])]

    asyncio.run(scenario())


def test_others_have_their_turn_while_many_lanes_are_looked_at() -> None:
    found, rounds = rounds_of_the_loop(
        lambda views: views.of_all([subscription(number=number) for number in range(LANES)])
    )
    assert found == list(range(LANES))
    assert rounds >= LANES // LOOKED_AT_IN_A_ROW


def test_others_have_their_turn_while_metrics_count_all_lanes_at_work(world: ScriptedWorld) -> None:
    many = 4 * COUNTED_IN_A_ROW

    async def scenario(gateway: RunningGateway) -> None:
        for begin in range(0, many, COUNTED_IN_A_ROW):
            hosts = [f"p{number}" for number in range(begin, begin + COUNTED_IN_A_ROW)]
            await gateway.submit(*(world.subscription(host, status="paused") for host in hosts))
        counting = asyncio.create_task(gateway.engine.lanes.views.overview())
        rounds = 0
        while not counting.done():
            rounds += 1
            await asyncio.sleep(0)
        assert counting.result().subscriptions["paused"] == many
        assert rounds >= many // COUNTED_IN_A_ROW

    world.run(scenario)


def test_what_a_tenant_has_in_flight_is_counted_on_a_thread_and_no_lane_is_kept_for_it(world: ScriptedWorld) -> None:
    thread = OffLoop()

    def in_flight(lanes: Iterable[LaneView]) -> dict[str, int]:
        assert thread.is_at_work
        assert iter(lanes) is lanes, "each is looked at as it is taken"
        return {lane.subscription.id: lane.standing.now.in_flight for lane in lanes}

    async def scenario(gateway: RunningGateway) -> None:
        for host in ("a", "b"):
            await gateway.subscribe(host)
            world.endpoint(host).answers(HANG)
        await gateway.subscribe("paused", status="paused")
        await gateway.create("d", "e")
        await gateway.until(lambda: world.endpoint("a").in_flight == world.endpoint("b").in_flight == 2)
        engine = gateway.engine
        found, resting = await engine.lanes.views.noteworthy(engine.directory, TENANT, thread, in_flight)
        assert found == {gateway.of("a").id: 2, gateway.of("b").id: 2, gateway.of("paused").id: 0}
        assert resting == 0

    world.run(scenario)


def test_what_holds_up_deliveries_is_looked_at_where_the_store_is_read(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("asks-to-wait")
        await gateway.subscribe("paused", status="paused")
        world.endpoint("asks-to-wait").answers(Reply(status=503, retry_after="100"))
        await gateway.create("d")
        await gateway.until(lambda: bool(gateway.attempts("asks-to-wait", 1)))
        views, of = gateway.engine.lanes.views, [gateway.of("paused"), gateway.of("asks-to-wait")]
        found = await gateway.store.reading(lambda: views.undated(of))
        assert [each.subscription.id for each in found] == [each.id for each in of]
        assert [each.held_up.asked_to_wait_until is not None for each in found] == [False, True]

    world.run(scenario)


def test_lanes_of_other_nodes_are_put_in_order_on_a_thread_and_none_is_kept() -> None:
    thread = OffLoop()

    def listed(lanes: Iterable[LaneView]) -> list[LaneView]:
        assert thread.is_at_work
        assert iter(lanes) is lanes, "each is made as it is taken"
        return [*lanes]

    found, _ = rounds_of_the_loop(
        lambda views: views.glances([subscription(number=number) for number in range(LANES)], thread, listed)
    )
    assert found == [*range(LANES)]


def test_others_have_their_turn_between_lanes_with_many_retries_that_are_looked_at_closely() -> None:
    standing = LaneStanding(counts=RowCounts(awaiting_retry=RETRIES_IN_A_ROW // 2))
    glances = [LaneView(subscription(number=number), standing, tenant_is_paused=False) for number in range(20)]
    found, rounds = rounds_of_the_loop(lambda views: views.closer(glances))
    assert found == list(range(20))
    assert rounds >= 10
