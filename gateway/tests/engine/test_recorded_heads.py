"""Heads of lanes that only pass over events are recorded from time to time, a few lanes at a time."""

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld, types
from gateway.tests.engine.subscriptions import subscription

from signalpost.engine.lanes.lane_workers import LaneWorkers
from signalpost.engine.lanes.recorded_heads import MAX_WOKEN, SLICE, WAKE_COST, RecordedHeads
from signalpost.engine.lanes.resting_lanes import RestingLane, RestingLanes, at_rest
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.store.nouns.lanes import EndpointHealth, LaneRow

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

MANY = 2 * MAX_WOKEN + 10
ROW = LaneRow(version=0, head=5, open=(), gaps=(), health=EndpointHealth(), rows=(), horizon=None)


class CountedLanes(RestingLanes):
    """Counts how often a lane was looked at, and woken."""

    def __init__(self) -> None:
        super().__init__()
        self.did: Counter[str] = Counter()

    def head_of(self, lane: RestingLane, seen: int) -> int:
        self.did["looks"] += 1
        return super().head_of(lane, seen)

    def wake(self, number: int) -> Any:
        self.did["wakes"] += 1
        return self.take(number)


def looks_and_wakes(count: int, passed: int) -> list[tuple[int, int]]:
    """How many of so many lanes, which all passed so many events, each slice looked at, and how many it woke."""
    lanes = CountedLanes()
    for number in range(1, count + 1):
        lane = at_rest(subscription(number=number), ROW, 0)
        assert lane is not None
        lanes.add(lane)
    around: Any = SimpleNamespace(seen={1: ROW.head + passed}, changed=lambda _: None, steady=lambda: 0)
    here: Any = SimpleNamespace(workers=LaneWorkers(), resting=lanes, wake=lanes.wake)
    heads = RecordedHeads(here, around, around, around, LoopTurns())
    did = []
    for _ in heads.slices(max_passed=1, max_passed_at_rest=1):
        did.append((lanes.did["looks"], lanes.did["wakes"]))
        lanes.did.clear()
    assert len(lanes) == (0 if passed > 1 else count)
    return did


def test_a_look_at_many_lanes_at_rest_is_many_short_steps() -> None:
    did = looks_and_wakes(10 * SLICE, passed=1)
    assert sum(looks for looks, _ in did) == 10 * SLICE
    assert max(looks for looks, _ in did) == SLICE


def test_a_step_wakes_the_fewer_lanes_the_longer_it_takes_to_wake_one() -> None:
    did = looks_and_wakes(10 * SLICE, passed=2)
    assert sum(wakes for _, wakes in did) == 10 * SLICE
    assert max(wakes for _, wakes in did) <= SLICE // WAKE_COST + 1


def test_many_lanes_that_passed_the_same_events_are_recorded_a_few_at_a_time_and_rest_again(
    world: ScriptedWorld,
) -> None:
    hosts = [f"h{number}" for number in range(MANY)]

    async def scenario(gateway: RunningGateway) -> None:
        lanes = gateway.engine.lanes
        await gateway.submit(*(world.subscription(host, types=types("documentDeleted")) for host in hosts))
        await gateway.create("a")
        assert len(lanes.here.resting) == MANY
        recording = asyncio.create_task(lanes.recorded_heads.record(0, 0))
        most_awake = 0
        while not recording.done():
            most_awake = max(most_awake, MANY - len(lanes.here.resting))
            await asyncio.sleep(0.001)
        await recording
        assert 0 < most_awake <= MAX_WOKEN + SLICE // WAKE_COST + 1
        assert len(lanes.here.resting) == MANY

    world.crash(scenario)
    assert {world.lane(host).head for host in hosts} == {1}
