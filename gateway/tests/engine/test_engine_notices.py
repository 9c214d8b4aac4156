"""What the watch of a gateway at work finds wrong."""

import asyncio
import gc
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any, cast

import pytest
from gateway.tests.engine.idle_fleet import IdleFleet
from gateway.tests.engine.off_loop import ForThread, ListForThread, OffLoop
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.world.network import BROKEN
from gateway.tests.world.vendors import HOST, KINDS, FakeVendor
from gateway.tests.world.virtual_time import VirtualExecutor
from msgspec.structs import replace

from signalpost.commands.command import Command, CommandOutcome
from signalpost.commands.notices import OpenCondition
from signalpost.domain.access.tenant import OPERATIONS, OPERATIONS_TENANT
from signalpost.domain.errors import Unavailable
from signalpost.domain.operations.conditions import ConditionRow, Fact, NoticeTerms
from signalpost.domain.timestamps import DAY, HOUR
from signalpost.engine.lanes.lanes_here import LanesHere
from signalpost.engine.lanes.log_cache import LogCache
from signalpost.engine.operations.lane_facts import LaneFacts
from signalpost.engine.operations.watch import WRITTEN_AT_ONCE, Enqueue, Watch
from signalpost.sharing.resting_turns import RestingTurns, no_rest
from signalpost.store.statements import Row

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

MANY = 4 * WRITTEN_AT_ONCE
OTHER_TASKS = 60
"""More than a gateway has that does nothing else."""


def open_kinds(gateway: RunningGateway) -> list[str]:
    return [each.kind for each in gateway.engine.watch.open]


def test_a_subscription_whose_connection_lets_nothing_through_is_told_though_no_attempt_fails(
    world: ScriptedWorld,
) -> None:
    world.look_every, world.destinations = 10.0, KINDS
    world.vendors[HOST] = FakeVendor()

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", signIn="consent")
        await gateway.deliver("s", "c")
        await gateway.create("a")
        await gateway.until(lambda: bool(open_kinds(gateway)), within=300)
        assert open_kinds(gateway) == ["subscriptionHeld"]

    world.run(scenario)
    assert not world.attempts("s", 1)


def test_a_look_whose_writes_fail_is_made_again_and_leaves_no_error_behind(world: ScriptedWorld) -> None:
    world.look_every = 10.0

    async def scenario(gateway: RunningGateway) -> None:
        for host in ("a.example", "b.example"):
            world.endpoint(host).answers(BROKEN)
            await gateway.subscribe(host)
        await gateway.create("a")
        await asyncio.sleep(60)
        world.faults.publish = Unavailable("The database cannot be reached.")
        await asyncio.sleep(120)
        assert not open_kinds(gateway)
        world.faults.publish = None
        await gateway.until(lambda: open_kinds(gateway) == ["subscriptionFailing"] * 2, within=60)
        gc.collect()  # what nobody looked at is told then

    world.run(scenario)


class ManyWrong:
    """A source that finds very many subscriptions held up."""

    kinds = frozenset({"subscriptionHeld"})

    async def facts(self, now: int) -> list[Fact]:
        names = [f"s{number}" for number in range(MANY)]
        return [
            Fact(kind="subscriptionHeld", tenant_id=TENANT, subject=name, name=name, since=now - DAY) for name in names
        ]

    def sees(self, condition: ConditionRow) -> bool:
        return True


def watching(gateway: RunningGateway, store: Any, enqueue: Enqueue, thread: Executor) -> Watch:
    """A watch of a gateway's that takes no rests."""
    engine, turns = gateway.engine, RestingTurns(lambda: 0.0)
    return Watch(store, engine.directory, engine.lanes, gateway.clock, enqueue, NoticeTerms(), "", thread, turns)


def test_however_much_is_wrong_few_commands_of_a_look_are_under_way_at_a_time(world: ScriptedWorld) -> None:
    asked: list[int] = []

    async def scenario(gateway: RunningGateway) -> None:
        engine = gateway.engine

        async def enqueue(command: Command[Any]) -> asyncio.Future[CommandOutcome[Any]]:
            asked.append(len(asyncio.all_tasks()))
            return await engine.enqueue_eventless(command)

        watch = watching(gateway, engine._store, enqueue, VirtualExecutor())
        watch.add(ManyWrong())
        await watch.look()
        await watch.look()
        assert len(watch.open) == MANY

    world.run(scenario)
    assert max(asked) < WRITTEN_AT_ONCE + OTHER_TASKS


class Fleet(IdleFleet):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.start_nodes(3)

    def open(self, kind: str, members: str) -> list[tuple[object, ...]]:
        return self.rows(f"SELECT {members} FROM condition WHERE kind = ?", kind)

    def kill_one(self, ran_for: int) -> None:
        """Kill a node that joined so long ago, µs."""
        node = next(iter(self.running))
        self.kill(node)
        aged = "UPDATE node SET joined_at = joined_at - ? WHERE id = ? RETURNING id"
        assert self.rows(aged, ran_for, node.store.fleet.node_id)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with closing(Fleet(tmp_path)) as fleet:
        yield fleet


def test_that_a_node_was_lost_is_told_though_others_join_that_do_not_know_of_it(fleet: Fleet) -> None:
    fleet.kill(next(iter(fleet.running)))
    fleet.drive(20.0)
    fleet.start_node()
    fleet.drive(60.0)
    [(told_at, absent_since)] = fleet.open("nodeLost", "told_at, absent_since")
    assert told_at is not None
    assert absent_since is None


def test_a_node_that_ran_for_long_and_is_started_again_at_once_is_not_told_of(fleet: Fleet) -> None:
    fleet.kill_one(ran_for=HOUR)
    fleet.drive(20.0)
    fleet.start_node()
    fleet.drive(180.0)
    assert fleet.open("nodeLost", "name") == []


def test_a_machine_without_its_node_is_told_of_after_two_minutes(fleet: Fleet) -> None:
    fleet.kill_one(ran_for=HOUR)
    fleet.drive(120.0)
    assert fleet.open("nodeLost", "name") == []
    fleet.drive(60.0)
    [(detail, told_at)] = fleet.open("nodeLost", "detail, told_at")
    assert str(detail).endswith("None has started there since.")
    assert told_at is not None


def test_a_machine_whose_nodes_end_again_and_again_is_told_of_once(fleet: Fleet) -> None:
    fleet.kill(next(iter(fleet.running)))
    fleet.drive(12 * 60.0)
    [(opened_at, absent_since)] = fleet.open("nodeLost", "opened_at, absent_since")
    assert absent_since is not None
    fleet.kill(next(iter(fleet.running)))
    fleet.drive(60.0)
    assert fleet.open("nodeLost", "opened_at, absent_since") == [(opened_at, None)]


def test_a_disk_of_a_machine_that_is_gone_is_not_low_for_ever(fleet: Fleet) -> None:
    low = Fact(kind="diskLow", tenant_id=OPERATIONS_TENANT, subject="replaced", name="replaced", since=1)
    node = next(iter(fleet.running))
    node.loop.create_task(node.engine.enqueue(OpenCondition(tenant_id=OPERATIONS_TENANT, tenant=OPERATIONS, fact=low)))
    fleet.drive(30.0)
    [(absent_since,)] = fleet.open("diskLow", "absent_since")
    assert absent_since is not None


class ForThreadAlone(ManyWrong):
    """A source whose facts are for a thread."""

    def __init__(self, thread: OffLoop) -> None:
        self._thread = thread
        self.told: list[list[Fact]] = []

    async def facts(self, now: int) -> list[Fact]:
        self.told.append(ListForThread(self._thread, *await super().facts(now)))
        return self.told[-1]


def test_what_is_wrong_is_gone_through_and_let_go_of_on_a_thread(world: ScriptedWorld) -> None:
    thread = OffLoop()

    async def scenario(gateway: RunningGateway) -> None:
        engine, source = gateway.engine, ForThreadAlone(thread)
        kept = engine._store.lists

        async def packed(kind: type[ConditionRow]) -> list[Row]:
            return ListForThread(thread, *await kept.every_packed(kind))

        lists = SimpleNamespace(every_packed=packed, unpacked=kept.unpacked)
        store = SimpleNamespace(fleet=engine._store.fleet, lists=lists)
        watch = watching(gateway, store, engine.enqueue_eventless, thread)
        watch.add(source)
        for _ in range(2):
            await watch.look()
        assert len(watch.open) == watch.counts.of_kinds["subscriptionHeld"] == watch.counts.of_tenants[TENANT] == MANY
        assert [len(each) for each in source.told] == [0, 0], "to let go of them takes as long"

    world.run(scenario)


def test_lanes_are_looked_at_on_a_thread(world: ScriptedWorld) -> None:
    thread = OffLoop()

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("p", status="paused")
        await gateway.subscribe("a")
        world.endpoint("a").answers(BROKEN)
        await gateway.create("d")
        await gateway.until(lambda: bool(gateway.attempts("a", 1)))
        lanes = [ForThread(thread, each) for each in gateway.engine.lanes.here.workers]
        told = await facts_of(gateway, lanes, thread).facts(gateway.clock.wall())
        assert [each.kind for each in told] == ["subscriptionFailing"], "what a person paused is left alone"
        assert all(each.looks for each in lanes)

    world.run(scenario)


def facts_of(gateway: RunningGateway, lanes: Sequence[Any], thread: Executor) -> LaneFacts:
    """What tells of these lanes alone."""
    engine, here = gateway.engine, SimpleNamespace(workers=lanes)
    turns = RestingTurns(lambda: 0.0)
    return LaneFacts(
        engine._store, engine.directory, cast(LanesHere, here), LogCache(1_000), thread, turns, 5, lambda: True
    )


def test_a_thread_that_looks_while_a_subscription_is_enabled_again_finds_no_former_failures(
    world: ScriptedWorld,
) -> None:
    """The thread may look between any two lines of what the event loop does."""
    world.endpoint("a").answers(BROKEN)
    told: list[list[str]] = []

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.create("d")
        await gateway.until(lambda: bool(gateway.attempts("a", 1)))
        [worker] = gateway.engine.lanes.here.workers
        facts, now = facts_of(gateway, [worker], VirtualExecutor()), gateway.clock.wall()
        worker.update(replace(gateway.of("a"), status="disabled", disabled_at=now), gateway.clock.steady())
        code = type(worker).update.__code__

        def look(frame: FrameType, _event: str, _given: object) -> Any:
            if frame.f_code is code:
                told.append([each.kind for each in facts._look([worker], now, no_rest).facts])
            return look

        enabled = replace(gateway.of("a"), status="active", revived_at=now)
        before = sys.gettrace()
        sys.settrace(look)
        try:
            worker.update(enabled, gateway.clock.steady())
        finally:
            sys.settrace(before)

    world.run(scenario)
    assert told[0] == ["subscriptionDisabled"]
    assert told[-1] == []
    assert {kind for kinds in told for kind in kinds} == {"subscriptionDisabled"}
