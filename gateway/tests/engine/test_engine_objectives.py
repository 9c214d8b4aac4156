"""Which events keep the objective of their subscription: each counts once, when its first run ends."""

import asyncio

from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld
from gateway.tests.world.network import Reply

from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.objective import MIN_LATE
from signalpost.domain.operations.conditions import ConditionRow
from signalpost.domain.timestamps import DAY

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


async def all_late(world: ScriptedWorld, gateway: RunningGateway) -> None:
    """Make so many late events that the error budget is told of."""
    await subscribed(gateway, within=1)
    world.endpoint(HOST).answer = lambda _call: Reply(after=2.0)
    await gateway.create(*(f"late-{number}" for number in range(MIN_LATE)))


def burning(gateway: RunningGateway) -> list[ConditionRow]:
    return [each for each in gateway.engine.watch.open if each.kind == "objectiveBurning"]


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
        await gateway.until(lambda: len(world.attempts(HOST, 1)) == 2, every=1.0)
        world.endpoint(HOST).answers(Reply(status=500))
        await gateway.create("b")
        await gateway.until(lambda: len(world.attempts(HOST, 2)) == 4, every=10.0)
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


def test_an_error_budget_that_is_used_up_too_fast_is_told_and_so_is_that_it_no_longer_is(world: ScriptedWorld) -> None:
    world.look_every = 10.0

    async def scenario(gateway: RunningGateway) -> None:
        await all_late(world, gateway)
        await gateway.until(lambda: bool(burning(gateway)), within=180)
        [found] = burning(gateway)
        assert found.detail == "In the last hour, 5 of 5 did not arrive within 1 s; 99 % are promised."
        world.endpoint(HOST).answers(Reply())
        await gateway.create("in-time")
        await gateway.until(lambda: burning(gateway)[0].told_at is not None, within=60)
        await gateway.until(lambda: not burning(gateway), within=1_200)

    world.run(scenario)
    notices = world.query("SELECT body FROM event WHERE tenant_id = ?", OPERATIONS_TENANT)
    assert len(notices) == 2


def test_a_paused_subscription_and_one_without_its_objective_use_up_nothing(world: ScriptedWorld) -> None:
    world.look_every = 10.0

    async def scenario(gateway: RunningGateway) -> None:
        await all_late(world, gateway)
        await gateway.until(lambda: tally(world) == (0, MIN_LATE))
        await gateway.change(HOST, objective=None)
        await asyncio.sleep(80)
        await gateway.change(HOST, objective={"share": 0.99, "within": 1}, status="paused")
        await asyncio.sleep(80)
        assert not gateway.engine.watch.open
        await gateway.change(HOST, status="active")
        await gateway.until(lambda: bool(gateway.engine.watch.open), within=30)

    world.run(scenario)


def test_what_was_told_of_an_error_budget_is_looked_at_again_after_the_clock_was_set_back(
    world: ScriptedWorld,
) -> None:
    world.look_every = 10.0

    async def scenario(gateway: RunningGateway) -> None:
        await all_late(world, gateway)
        await gateway.until(lambda: bool(burning(gateway)), within=180)
        world.wall.offset -= DAY
        await gateway.until(lambda: not burning(gateway), within=1_200)

    world.run(scenario)
