"""Which events keep the objective of their subscription: each counts once, when its first run ends."""

import asyncio

from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld
from gateway.tests.world.network import Reply

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

HOST = "hooks.example"


def tally(world: ScriptedWorld, host: str = HOST) -> tuple[int, int]:
    """How many events of a subscription kept its objective, and how many did not, as they are stored."""
    number = world.query(
        "SELECT number FROM subscription WHERE id = ?", bytes.fromhex(world.ids[host].replace("-", ""))
    )
    [found] = world.query(
        "SELECT coalesce(sum(count_15), 0), coalesce(sum(count_16), 0) FROM stat"
        " WHERE span = 3600 AND subscription_number = ?",
        number[0][0],
    )
    return tuple(found)


async def subscribed(gateway: RunningGateway, within: int = 60, **given: object) -> None:
    await gateway.subscribe(HOST, objective={"share": 0.99, "within": within}, **given)


def test_events_that_arrive_at_once_are_on_time(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await subscribed(gateway)
        await gateway.subscribe("other.example")
        await gateway.create("a", "b", "c")
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 3)

    world.run(scenario)
    assert tally(world) == (3, 0)
    assert tally(world, "other.example") == (0, 0)


def test_an_event_that_arrives_after_its_time_or_is_given_up_is_late(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await subscribed(gateway, within=5)
        world.endpoint(HOST).answers(Reply(status=500))
        await gateway.create("a")
        await gateway.until(lambda: len(world.attempts(HOST, 1)) == 1)
        world.endpoint(HOST).answers(Reply())
        await gateway.until(lambda: len(world.attempts(HOST, 1)) == 2)
        world.endpoint(HOST).answers(Reply(status=500))
        await gateway.create("b")
        await gateway.until(lambda: len(world.attempts(HOST, 2)) == 4)
        await asyncio.sleep(10)

    world.run(scenario)
    assert tally(world) == (0, 2)


def test_what_waits_is_not_counted_and_an_event_counts_once_however_often_it_is_sent(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await subscribed(gateway)
        await gateway.create("a")
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 1)
        await gateway.until_recorded()
        await gateway.retry(HOST, 1)
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 2)
        world.endpoint(HOST).answers(Reply(status=500))
        await gateway.create("b")
        await gateway.until(lambda: len(world.attempts(HOST, 2)) == 1)

    world.run(scenario)
    assert tally(world) == (1, 0)


def test_the_time_of_a_delayed_event_begins_when_it_is_due(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await subscribed(gateway, within=5, after={"seconds": 600})
        await gateway.create("a")
        await gateway.until(lambda: bool(world.endpoint(HOST).sequences))

    world.run(scenario)
    assert tally(world) == (1, 0)
