"""What the watch of a gateway at work finds wrong."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.engine.test_connectors_in_fleets import NOBODY_ELSE
from gateway.tests.simulation.fleet_world import FleetWorld
from gateway.tests.world.network import BROKEN
from gateway.tests.world.vendors import HOST, KINDS, FakeVendor

from signalpost.commands.command import Command, CommandOutcome
from signalpost.commands.notices import OpenCondition
from signalpost.domain.access.tenant import OPERATIONS, OPERATIONS_TENANT
from signalpost.domain.errors import Unavailable
from signalpost.domain.operations.conditions import ConditionRow, Fact, NoticeTerms
from signalpost.domain.timestamps import DAY
from signalpost.engine.lanes.lane_views import LOOKED_AT_IN_A_ROW
from signalpost.engine.operations.lane_facts import LaneFacts
from signalpost.engine.operations.watch import WRITTEN_AT_ONCE, Watch

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


def test_however_much_is_wrong_few_commands_of_a_look_are_under_way_at_a_time(world: ScriptedWorld) -> None:
    asked: list[int] = []

    async def scenario(gateway: RunningGateway) -> None:
        engine = gateway.engine

        async def enqueue(command: Command[Any]) -> asyncio.Future[CommandOutcome[Any]]:
            asked.append(len(asyncio.all_tasks()))
            return await engine.enqueue_eventless(command)

        watch = Watch(engine._store, engine.directory, engine.lanes, gateway.clock, enqueue, NoticeTerms(), "")
        watch.add(ManyWrong())
        await watch.look()
        await watch.look()
        assert len(watch.open) == MANY

    world.run(scenario)
    assert max(asked) < WRITTEN_AT_ONCE + OTHER_TASKS


class Fleet(FleetWorld):
    def __init__(self, folder: Path) -> None:
        super().__init__(1, folder, NOBODY_ELSE)
        for _ in range(3):
            self.start_node()
            self.drive(3.0)

    def open(self, kind: str, members: str) -> list[tuple[object, ...]]:
        return self.rows(f"SELECT {members} FROM condition WHERE kind = ?", kind)


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


def test_a_disk_of_a_machine_that_is_gone_is_not_low_for_ever(fleet: Fleet) -> None:
    low = Fact(kind="diskLow", tenant_id=OPERATIONS_TENANT, subject="replaced", name="replaced", since=1)
    node = next(iter(fleet.running))
    node.loop.create_task(node.engine.enqueue(OpenCondition(tenant_id=OPERATIONS_TENANT, tenant=OPERATIONS, fact=low)))
    fleet.drive(30.0)
    [(absent_since,)] = fleet.open("diskLow", "absent_since")
    assert absent_since is not None


def test_others_have_their_turn_while_a_look_tells_of_many_lanes(world: ScriptedWorld) -> None:
    many = 8 * LOOKED_AT_IN_A_ROW

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.submit(*(world.subscription(f"p{number}", status="paused") for number in range(many)))
        [of_lanes] = [each for each in gateway.engine.watch._sources if isinstance(each, LaneFacts)]
        telling, rounds = asyncio.create_task(of_lanes.facts(gateway.clock.wall())), 0
        while not telling.done():
            rounds += 1
            await asyncio.sleep(0)
        assert telling.result() == []  # what a person paused is left alone
        assert rounds >= many // LOOKED_AT_IN_A_ROW

    world.run(scenario)
