"""Order within a document, and how one document's trouble touches no other (C17)."""

import asyncio

import pytest
from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld, seconds_between
from gateway.tests.examples import cases
from gateway.tests.world.network import BROKEN, Reply, SentRequest

from signalpost.domain.delivery.delivery import State

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]


@pytest.mark.parametrize("ordering", ["loose", "strict"])
def test_a_documents_events_go_one_at_a_time_in_order_c17(world: ScriptedWorld, ordering: str) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", ordering=ordering)
        world.endpoint("a").answer = lambda _call: Reply(after=world.random.random() * 2)
        await gateway.create("x", "y", "z")
        for name in ("x", "y", "z"):
            await gateway.update(name, 60)
        await gateway.until(lambda: world.endpoint("a").successes == 183)
        for name in ("x", "y", "z"):
            calls = [call for call in world.endpoint("a").calls if call.document_id == world.uuid(name)]
            sequences = [call.sequence for call in calls]
            assert sequences == sorted(set(sequences))
            assert min(seconds_between(calls)) >= 0
        assert world.endpoint("a").max_in_flight == 3

    world.run(scenario)


def test_loose_lets_later_events_pass_one_that_waits_for_its_retry_c17(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answer = lambda call: BROKEN if call.sequence == 1 and call.attempt < 3 else Reply()
        await gateway.create("x")
        await gateway.update("x", 5)
        await asyncio.sleep(9)
        assert world.endpoint("a").sequences == [2, 3, 4, 5, 6]
        await asyncio.sleep(1_000)
        assert world.endpoint("a").sequences == [2, 3, 4, 5, 6, 1]

    world.run(scenario)


@pytest.mark.parametrize("given_up", [True, False])
def test_strict_waits_until_the_earlier_is_delivered_or_given_up_c17(world: ScriptedWorld, given_up: bool) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", ordering="strict")
        world.endpoint("a").answer = lambda call: (
            BROKEN if call.sequence == 1 and (given_up or call.attempt < 3) else Reply()
        )
        await gateway.create("x")
        await gateway.update("x", 20)
        await gateway.create("other")
        await asyncio.sleep(9)
        assert world.endpoint("a").sequences == [22]
        await asyncio.sleep(1_000)
        calls = world.endpoint("a").of(1)
        ended = calls[-1].ended_at
        assert len(calls) == (4 if given_up else 3)
        later = [call for call in world.endpoint("a").calls if call.sequence in range(2, 22)]
        assert [call.sequence for call in later] == list(range(2, 22))
        assert all(call.at >= ended for call in later)
        assert [row.state for row in world.deliveries("a").values()] == [State.FAILED] * given_up

    world.run(scenario)


@pytest.mark.parametrize("ordering", cases(["loose", "strict"], ["strict"]))
def test_ten_thousand_events_of_one_document_stop_no_other_c17(world: ScriptedWorld, ordering: str) -> None:
    many = 10_000

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", ordering=ordering)
        slow = world.uuid("slow")
        world.endpoint("a").answer = lambda call: Reply(after=0.9 if call.document_id == slow else 0.01)
        await gateway.create("slow")
        await gateway.update("slow", many - 1)
        await gateway.create(*(f"d{number}" for number in range(200)))
        started = gateway.loop.time()
        await gateway.until(lambda: {c.sequence for c in world.endpoint("a").calls} >= set(range(many + 1, many + 201)))
        assert gateway.loop.time() - started < 5
        await gateway.until_recorded()
        blocked = [row for row in world.deliveries("a").values() if row.state == State.BLOCKED]
        assert len(blocked) > many - 50

    async def later(gateway: RunningGateway) -> None:
        world.endpoint("a").answers(Reply(after=0.001))
        await gateway.until(lambda: world.endpoint("a").successes >= many + 200)
        await gateway.until_recorded()
        assert world.deliveries("a") == {}

    world.crash(scenario)
    world.run(later)
    seen: dict[int, list[SentRequest]] = {}
    for call in world.endpoint("a").calls:
        seen.setdefault(call.sequence, []).append(call)
    assert len(seen) == many + 200
    assert sum(len(calls) for calls in seen.values()) <= many + 200 + 8
    order = [c.sequence for c in world.endpoint("a").calls if c.document_id == world.uuid("slow") and c.is_delivered]
    assert order == sorted(order)


def test_ordering_may_change_to_strict_and_back_with_work_under_way(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answer = lambda call: BROKEN if call.sequence == 1 and call.attempt < 3 else Reply(after=1)
        await gateway.create("x", "y")
        await gateway.update("x", 10)
        await gateway.until(lambda: len(world.endpoint("a").calls) > 4)
        await gateway.change("a", ordering="strict")
        await asyncio.sleep(20)
        assert not {call.sequence for call in world.endpoint("a").calls} >= set(range(1, 13))
        await gateway.change("a", ordering="loose")
        await asyncio.sleep(3)
        await gateway.update("x", 5)
        await gateway.until(lambda: world.endpoint("a").successes == 17)
        await asyncio.sleep(1_000)
        assert sorted(world.endpoint("a").sequences) == list(range(1, 18))
        assert [call.attempt for call in world.endpoint("a").of(1)] == [1, 2, 3]

    world.run(scenario)


def test_ordering_changed_while_a_page_is_read_loses_nothing(world: ScriptedWorld) -> None:
    """The page was asked for from a head that the lane, loaded again, has not reached yet."""

    async def build(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", status="paused")
        await gateway.create(*(f"d{number}" for number in range(900)))

    async def scenario(gateway: RunningGateway) -> None:
        world.endpoint("a").answers(Reply(after=0.2))
        world.faults.slow_read = 0.1
        await gateway.change("a", status="active")
        for round_ in range(60):
            await gateway.change("a", ordering="loose" if round_ % 2 else "strict")
            await asyncio.sleep(0.05 + world.random.random() / 2)
        world.endpoint("a").answers(Reply())
        await gateway.until(lambda: world.endpoint("a").successes >= 900)
        await gateway.until_recorded()
        assert sorted(world.endpoint("a").sequences) == list(range(1, 901))
        assert gateway.health("a")["lost"] == 0

    world.run(build)
    world.run(scenario, cache_bytes=1)


def test_ordering_changed_while_the_store_is_busy_does_not_stop_the_lane_for_ever(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.create("x")
        await asyncio.sleep(1)
        world.faults.read = RuntimeError("the disk cannot be read")
        await gateway.change("a", ordering="strict")
        await asyncio.sleep(5)
        world.faults.read = None
        await gateway.create("y")
        await asyncio.sleep(5)
        assert world.endpoint("a").sequences == [1, 2]

    world.run(scenario)


def test_a_retry_by_hand_asked_for_while_the_lane_is_loaded_anew_is_kept(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.create("x")
        await asyncio.sleep(1)
        world.faults.slow_read = 0.5
        for round_ in range(12):
            await gateway.change("a", ordering="loose" if round_ % 2 else "strict")
            await asyncio.sleep(round_ * 0.05)
            await gateway.submit()
            asked = asyncio.ensure_future(gateway.retry("a", 1))
            await asyncio.sleep(4)
            await asked
            assert len(world.endpoint("a").calls) == round_ + 2
        assert world.query("SELECT * FROM retry") == []

    world.run(scenario)
