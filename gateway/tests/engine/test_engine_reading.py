"""Readers of subscriptions in virtual time: people are told if none comes, and of what the retention removes."""

import asyncio
from typing import Any

from gateway.tests.bodies import subscription_patch
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.engine.test_engine_notice_kinds import notices, opened, until_open, until_told_to_be_over

from signalpost.commands.secrets import PromoteSecret, RotateSecret
from signalpost.commands.subscriptions import CreateReadSubscription, DeleteSubscription, PatchSubscription
from signalpost.domain.body import read
from signalpost.domain.subscription import Subscription
from signalpost.domain.subscription_requests import ReadRequest
from signalpost.domain.timestamps import SECOND
from signalpost.engine.lanes.readers import HandedOut

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

HOUR = 3_600.0


async def subscribe(world: ScriptedWorld, gateway: RunningGateway, **given: Any) -> None:
    new = read(ReadRequest, {"kind": "poll", "eventTypes": ["documentCreated"], **given})
    command = CreateReadSubscription(
        tenant_id=TENANT, subscription_id=world.uuid("read"), new=new, secret="a secret of mine"
    )
    await gateway.submit(command)


def found(world: ScriptedWorld, gateway: RunningGateway) -> Subscription:
    subscription = gateway.engine.directory.subscription(TENANT, world.uuid("read"))
    assert subscription is not None
    return subscription


async def hand_out(world: ScriptedWorld, gateway: RunningGateway, lease: int = 60) -> HandedOut:
    readers = gateway.engine.lanes.readers
    return await readers.hand_out(lambda: found(world, gateway), 50, lease * SECOND, "a receipt", lambda _: None)


async def acknowledge(world: ScriptedWorld, gateway: RunningGateway) -> int:
    return await gateway.engine.lanes.readers.acknowledge(lambda: found(world, gateway), "a receipt", None)


def test_events_that_nobody_reads_for_an_hour_are_told_until_they_are_read(world: ScriptedWorld) -> None:
    world.look_every = 30.0

    async def scenario(gateway: RunningGateway) -> None:
        await subscribe(world, gateway)
        await asyncio.sleep(2 * HOUR)
        assert not opened(gateway), "nothing waits"
        await gateway.create("a")
        await asyncio.sleep(0.9 * HOUR)
        assert not opened(gateway)
        await until_open(gateway, "subscriptionUnread", within=HOUR)
        await asyncio.sleep(120)
        assert len((await hand_out(world, gateway)).events) == 1
        assert await acknowledge(world, gateway) == 1
        await until_told_to_be_over(gateway)

    world.run(scenario)
    assert notices(world) == [
        ("subscriptionUnread", "opened", "warning"),
        ("subscriptionUnread", "closed", "warning"),
    ]


def test_what_the_retention_removes_is_counted_told_and_passed_by_the_reader(world: ScriptedWorld) -> None:
    world.look_every = 30.0

    async def scenario(gateway: RunningGateway) -> None:
        await subscribe(world, gateway)
        await gateway.create("a", "b", "c")
        assert len((await hand_out(world, gateway, lease=1)).events) == 3
        await asyncio.sleep(200)
        await gateway.create("d")
        await gateway.engine.maintenance.retention.prune(TENANT, gateway.clock.wall(), 100 * SECOND)
        handed = await hand_out(world, gateway)
        assert ([each.sequence for each in handed.events], handed.lost) == ([4], 3)
        await until_open(gateway, "eventsLost")
        assert await acknowledge(world, gateway) == 1
        assert (await hand_out(world, gateway)).lost == 3

    world.run(scenario)


def test_the_retention_waits_for_no_reader_of_a_backlog_that_was_skipped(world: ScriptedWorld) -> None:
    """The lane is written only once its reader asks, and it may never ask again."""

    async def scenario(gateway: RunningGateway) -> None:
        await subscribe(world, gateway)
        await gateway.create("a", "b")
        assert len((await hand_out(world, gateway)).events) == 2
        of: Any = {"tenant_id": TENANT, "subscription_id": world.uuid("read")}
        await gateway.submit(PatchSubscription(**of, patch=subscription_patch(status="paused")))
        await gateway.submit(PatchSubscription(**of, patch=subscription_patch(status="active", skipBacklog=True)))
        await asyncio.sleep(200)
        await gateway.create("c")
        await gateway.engine.maintenance.retention.prune(TENANT, gateway.clock.wall(), 100 * SECOND)
        assert not await gateway.store.retention.is_awaited(TENANT, 3)
        handed = await hand_out(world, gateway)
        assert ([each.sequence for each in handed.events], handed.lost) == ([3], 0)

    world.run(scenario)


def test_a_restart_changes_nothing_of_what_is_handed_out(world: ScriptedWorld) -> None:
    async def before(gateway: RunningGateway) -> None:
        await subscribe(world, gateway)
        await gateway.create("a", "b")
        assert len((await hand_out(world, gateway, lease=3_600)).events) == 2

    async def after(gateway: RunningGateway) -> None:
        assert (await hand_out(world, gateway)).events == ()
        assert await acknowledge(world, gateway) == 2
        await gateway.create("c")
        assert [each.sequence for each in (await hand_out(world, gateway)).events] == [3]

    world.run(before)
    world.run(after)


def test_an_event_that_waits_for_its_delay_is_nothing_that_nobody_reads(world: ScriptedWorld) -> None:
    world.look_every = 30.0

    async def scenario(gateway: RunningGateway) -> None:
        await subscribe(world, gateway, after={"seconds": 7_200})
        await gateway.create("a")
        await asyncio.sleep(2.9 * HOUR)
        assert not opened(gateway)
        await until_open(gateway, "subscriptionUnread", within=HOUR)

    world.run(scenario)


def test_that_nobody_reads_is_over_once_the_subscription_is_deleted(world: ScriptedWorld) -> None:
    world.look_every = 30.0

    async def scenario(gateway: RunningGateway) -> None:
        await subscribe(world, gateway)
        await gateway.create("a")
        await until_open(gateway, "subscriptionUnread", within=2 * HOUR)
        await gateway.submit(DeleteSubscription(tenant_id=TENANT, subscription_id=world.uuid("read")))
        await until_told_to_be_over(gateway)

    world.run(scenario)


def test_that_the_key_of_a_reader_is_about_to_end_is_told_until_the_rotation_is_over(world: ScriptedWorld) -> None:
    world.look_every = 30.0

    async def scenario(gateway: RunningGateway) -> None:
        await subscribe(world, gateway)
        of: Any = {"tenant_id": TENANT, "subscription_id": world.uuid("read")}
        await gateway.submit(RotateSecret(**of, secret="another", overlap_hours=5))
        await asyncio.sleep(0.9 * HOUR)
        assert not opened(gateway)
        await until_open(gateway, "secretOverlapEnding")
        await asyncio.sleep(120)
        await gateway.submit(PromoteSecret(**of))
        await until_told_to_be_over(gateway)

    world.run(scenario)


def test_an_event_that_is_not_wanted_is_nothing_that_nobody_reads(world: ScriptedWorld) -> None:
    """An event is passed over only once a reader asks, and the first that is wanted is new by then."""
    world.look_every = 30.0

    async def scenario(gateway: RunningGateway) -> None:
        await subscribe(world, gateway, eventTypes=["documentUpdated"])
        await gateway.create("a")
        await asyncio.sleep(3 * HOUR)
        await gateway.update("a")
        await asyncio.sleep(0.9 * HOUR)
        assert not opened(gateway)
        await until_open(gateway, "subscriptionUnread", within=HOUR)

    world.run(scenario)
