"""A lane has a turn only if that could change something: at slow rates, turns for nothing were half of its work."""

import asyncio

from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld, types
from gateway.tests.world.network import BROKEN, Reply

from signalpost.engine.lanes.lane_worker import LaneWorker

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

CREATED, DELETED = types("documentCreated"), types("documentDeleted")


def worker_of(gateway: RunningGateway, host: str) -> LaneWorker:
    worker = gateway.engine.lanes.here.workers.get(gateway.of(host).number)
    assert worker is not None
    return worker


def test_a_lane_whose_only_delivery_has_ended_has_nothing_to_do_until_its_head_has_to_move(
    world: ScriptedWorld,
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", types=CREATED)
        await gateway.create("first")
        await gateway.until_recorded()
        worker = worker_of(gateway, "a")
        assert worker.has_nothing_to_do(1)
        assert not worker.has_nothing_to_do(2), "its head has to pass what it does not want"
        await gateway.submit(world.delete("first"))
        await gateway.create("second")
        await gateway.until_recorded()
        assert worker.has_nothing_to_do(3)

    world.run(scenario)
    assert world.endpoint("a").sequences == [1, 3]


def test_a_lane_with_a_retry_to_come_has_something_to_do(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        world.endpoint("a").answers(BROKEN)
        await gateway.subscribe("a", types=CREATED)
        await gateway.create("first")
        await asyncio.sleep(1)
        assert not worker_of(gateway, "a").has_nothing_to_do(1)
        world.endpoint("a").answers(Reply())
        await gateway.until(lambda: world.endpoint("a").sequences == [1])
        await gateway.until_recorded()
        assert worker_of(gateway, "a").has_nothing_to_do(1)

    world.run(scenario)
