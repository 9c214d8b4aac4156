"""A subscription that begins in the past gets exactly the events from there on, each once (C14)."""

import asyncio

import pytest
from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld, types
from gateway.tests.engine.test_engine_notice_kinds import until_open
from gateway.tests.engine.test_engine_objectives import tally
from gateway.tests.world.network import Reply

from signalpost.commands.erasures import EraseDocument
from signalpost.domain import beginning
from signalpost.domain.delivery.outcome import Failure

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

HOST = "hooks.example"


@pytest.mark.parametrize("cache_bytes", [0, 1 << 26])
@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("after", [0, 1, 150, 399, 400])
def test_it_gets_exactly_what_follows_its_beginning_c14(
    world: ScriptedWorld, after: int, others: int, cache_bytes: int
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        for number in range(others):
            await gateway.subscribe(f"other{number}")
        await gateway.create(*(f"d{number}" for number in range(400)))
        await asyncio.sleep(1_000)
        await gateway.subscribe(HOST, begins=beginning.after(after, 1))
        assert gateway.of(HOST).starts_after == after
        await gateway.create("later")
        await gateway.until(lambda: len(world.endpoint(HOST).calls) == 401 - after)
        await asyncio.sleep(1_000)
        assert sorted(world.endpoint(HOST).sequences) == list(range(after + 1, 402))
        assert all(call.attempt == 1 and not call.is_replay for call in world.endpoint(HOST).calls)
        assert gateway.health(HOST)["lag"] == 0

    world.run(scenario, cache_bytes=cache_bytes)


def test_it_goes_on_after_a_crash_and_while_it_is_paused_at_first(world: ScriptedWorld) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.create(*(f"d{number}" for number in range(300)))
        await gateway.subscribe(HOST, begins=beginning.after(100, 1), status="paused")
        await gateway.create("later")

    async def second(gateway: RunningGateway) -> None:
        await asyncio.sleep(100)
        assert world.endpoint(HOST).calls == []
        await gateway.change(HOST, status="active")
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 201)
        assert sorted(world.endpoint(HOST).sequences) == list(range(101, 302))

    world.crash(first)
    world.run(second)


def test_types_conditions_and_delays_count_for_past_events_as_for_any(world: ScriptedWorld) -> None:
    is_a = {"field": "document.title", "is": "a"}

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.create("a", "b")
        await gateway.update("a")
        await gateway.update("b")
        await asyncio.sleep(600)
        await gateway.subscribe("types", types=types("documentCreated"), begins=beginning.after(1, 1))
        await gateway.subscribe("when", when=is_a, begins=beginning.after(0, 1))
        await gateway.subscribe("after", after={"seconds": 300}, begins=beginning.after(0, 1))
        await gateway.subscribe("still", after={"seconds": 300, "if": is_a}, begins=beginning.after(0, 1))
        began = world.time.now
        await gateway.until(lambda: len(world.endpoint("after").sequences) == 4)
        assert world.time.now - began < 10, "their delay was over long ago"
        await asyncio.sleep(1_000)
        assert world.endpoint("types").sequences == [2]
        assert world.endpoint("when").sequences == [1]
        assert world.endpoint("still").sequences == [], "none of them is called so any more"

    world.run(scenario)


def test_nothing_of_an_erased_document_is_sent(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.create("a", "b")
        await gateway.submit(world.delete("a"))
        await gateway.submit(
            EraseDocument(tenant_id=1, tenant="default", document_id=world.uuid("a"), erasure_id=world.uuid("erasure"))
        )
        await asyncio.sleep(60)
        await gateway.subscribe(HOST, begins=beginning.after(0, 1))
        await asyncio.sleep(60)
        assert world.endpoint(HOST).sequences == [2]
        assert [each.failure for each in gateway.attempts(HOST, 1)] == [Failure.SKIPPED]

    world.run(scenario)


def test_what_the_retention_removes_before_it_came_there_is_said(world: ScriptedWorld) -> None:
    """The beginning was looked up, then events were removed, then the subscription was made."""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.create(*(f"d{number}" for number in range(20)))
        looked_up = beginning.after(5, 1)
        while await gateway.store.retention.prune_log(1, 11, 100):
            pass
        await gateway.subscribe(HOST, begins=looked_up)
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 10)
        assert sorted(world.endpoint(HOST).sequences) == list(range(11, 21))
        assert gateway.health(HOST)["lost"] == 5

    world.run(scenario, cache_bytes=0)


def test_past_events_are_in_no_objective_and_in_no_time_to_delivery(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.create(*(f"d{number}" for number in range(50)))
        await asyncio.sleep(3_600)
        objective = {"share": 0.99, "within": 60}
        await gateway.subscribe(HOST, objective=objective, begins=beginning.after(0, 1))
        await gateway.create("later")
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 51)
        await gateway.until_recorded()
        assert sum(gateway.engine.counts.delivery_seconds["webhook"].counts) == 1

    world.run(scenario)
    assert tally(world, HOST) == (1, 0)


def test_it_is_late_no_sooner_than_if_it_had_begun_at_the_end(world: ScriptedWorld) -> None:
    world.look_every = 30.0

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.create(*(f"d{number}" for number in range(600)))
        await asyncio.sleep(24 * 3_600)
        await gateway.subscribe(HOST, begins=beginning.after(0, 1), rateLimit=1)
        made = world.time.now
        await until_open(gateway, "backlogOld")
        assert world.time.now - made > 5 * 60

    world.run(scenario)


def test_it_takes_no_other_subscription_s_turn(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("other")
        await gateway.create(*(f"d{number}" for number in range(2_000)))
        await gateway.until(lambda: len(world.endpoint("other").sequences) == 2_000)
        world.endpoint(HOST).answers(Reply(after=2.0))
        await gateway.subscribe(HOST, begins=beginning.after(0, 1))
        await asyncio.sleep(1)
        began = world.time.now
        await gateway.create("later")
        await gateway.until(lambda: len(world.endpoint("other").sequences) == 2_001)
        assert world.time.now - began < 1

    world.run(scenario)
