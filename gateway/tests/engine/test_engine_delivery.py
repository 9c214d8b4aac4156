"""What goes where: every event to every subscription that asked for it, once (C13, C14)."""

import asyncio

import pytest
from gateway.tests.bodies import subscription_patch
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld, types
from gateway.tests.world.network import Reply

from signalpost.commands.subscriptions import DeleteSubscription, PatchSubscription
from signalpost.domain.errors import Unavailable
from signalpost.engine.lanes import recorded_heads

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

CREATED, UPDATED, DELETED = types("documentCreated"), types("documentUpdated"), types("documentDeleted")


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def test_every_event_reaches_each_matching_subscription_exactly_once_c13(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        for host in ("all", "also-all"):
            await gateway.subscribe(host)
        await gateway.subscribe("news", types=CREATED)
        await gateway.subscribe("changes", types=UPDATED | DELETED)
        await gateway.create(*names("d", 300))
        for name in names("d", 300):
            await gateway.submit(world.update(name))
        await gateway.submit(*(world.delete(name) for name in names("d", 100)))
        await gateway.until(lambda: len(world.endpoint("all").calls) == 700)
        await asyncio.sleep(1_000)
        log = await gateway.log()
        assert [event.sequence for event in log] == list(range(1, 701))
        for host, mask in {"all": 7, "also-all": 7, "news": CREATED, "changes": UPDATED | DELETED}.items():
            calls = world.endpoint(host).calls
            wanted = {event.sequence: event for event in log if event.type & mask}
            assert sorted(call.sequence for call in calls) == sorted(wanted)
            assert all(call.body == wanted[call.sequence].body for call in calls)
            assert all(call.event_id == wanted[call.sequence].id for call in calls)
            assert all(call.attempt == 1 and not call.is_replay for call in calls)
        assert world.lane("all").head == 700
        assert world.lane("all").open == []

    world.run(scenario)


def test_a_new_subscription_gets_exactly_what_is_committed_after_it_c14(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("first")
        await gateway.create(*names("before", 5))
        # The first command makes a batch of its own; the others are one batch.
        await gateway.submit(
            world.create("x"),
            world.create("in-batch-before"),
            world.subscription("new"),
            world.create("in-batch-after"),
            world.update("x"),
        )
        await gateway.create("later")
        assert gateway.of("new").starts_after == 7
        await asyncio.sleep(1)
        assert sorted(world.endpoint("new").sequences) == [8, 9, 10]
        assert sorted(world.endpoint("first").sequences) == list(range(1, 11))

    world.run(scenario)


def test_types_count_as_of_the_events_sequence_even_within_one_batch_c14(world: ScriptedWorld) -> None:
    def refilter(mask: int) -> PatchSubscription:
        return PatchSubscription(
            tenant_id=TENANT, subscription_id=world.ids["a"], patch=subscription_patch(eventTypes=mask)
        )

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", types=UPDATED)
        await asyncio.sleep(1)
        await gateway.submit(
            world.create("a"),  # 1: a batch of its own, not asked for
            world.create("b"),  # 2: not asked for
            world.update("a"),  # 3
            refilter(CREATED),
            world.create("c"),  # 4
            world.update("a"),  # 5: no longer asked for
            refilter(DELETED),
            world.create("d"),  # 6: no longer asked for
            world.delete("d"),  # 7
            refilter(UPDATED | DELETED),
            world.update("b"),  # 8
            world.delete("b"),  # 9
        )
        await asyncio.sleep(1)
        await gateway.create("e")  # 10: not asked for
        await gateway.update("e")  # 11
        await asyncio.sleep(1)
        assert sorted(world.endpoint("a").sequences) == [3, 4, 7, 8, 9, 11]

    world.run(scenario)


def test_types_changed_while_the_lane_is_behind_count_from_the_change_on_c14(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", types=CREATED)
        await gateway.change("a", status="paused")
        await gateway.create("a", "b")  # 1, 2
        await gateway.update("a")  # 3: not asked for
        await gateway.change("a", eventTypes=UPDATED)
        await gateway.create("c")  # 4: not asked for
        await gateway.update("c")  # 5
        await gateway.change("a", status="active")
        await asyncio.sleep(1)
        assert sorted(world.endpoint("a").sequences) == [1, 2, 5]

    world.run(scenario)
    world.crash(lambda _life: asyncio.sleep(10))
    assert len(world.endpoint("a").calls) == 3


def test_one_batch_may_hold_new_changed_and_deleted_subscriptions_beside_events_c14(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("kept", types=CREATED)
        await gateway.subscribe("gone")
        await gateway.subscribe("narrowed")
        await asyncio.sleep(1)
        await gateway.submit(
            world.create("a"),  # 1, alone
            world.create("b"),  # 2
            DeleteSubscription(tenant_id=TENANT, subscription_id=world.ids["gone"]),
            PatchSubscription(
                tenant_id=TENANT, subscription_id=world.ids["narrowed"], patch=subscription_patch(eventTypes=DELETED)
            ),
            world.subscription("short-lived"),
            DeleteSubscription(tenant_id=TENANT, subscription_id=world.ids["short-lived"]),
            world.subscription("new"),
            PatchSubscription(
                tenant_id=TENANT, subscription_id=world.ids["new"], patch=subscription_patch(eventTypes=DELETED)
            ),
            world.create("c"),  # 3
            world.delete("a"),  # 4
        )
        await asyncio.sleep(1)
        assert sorted(world.endpoint("kept").sequences) == [1, 2, 3]
        # Event 1 was under way; 2 may have been dropped with the subscription, later ones must not come.
        assert set(world.endpoint("gone").sequences) <= {1, 2}
        assert sorted(world.endpoint("narrowed").sequences) == [1, 2, 4]
        assert world.endpoint("short-lived").calls == []
        assert world.endpoint("new").sequences == [4]

    world.run(scenario)


def test_sleeping_lanes_wake_for_what_they_want_and_miss_nothing(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("created", types=CREATED)
        await gateway.subscribe("deleted", types=DELETED)
        for round_ in range(20):
            await gateway.submit(world.create(f"d{round_}"), world.update(f"d{round_}"), world.delete(f"d{round_}"))
            await asyncio.sleep(world.random.random() * 0.1)
        await asyncio.sleep(1)
        log = await gateway.log()
        assert world.endpoint("created").sequences == [e.sequence for e in log if e.type == CREATED]
        assert world.endpoint("deleted").sequences == [e.sequence for e in log if e.type == DELETED]

    world.run(scenario)


def test_an_event_that_one_of_a_thousand_lanes_wants_touches_that_one_alone(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.submit(*(world.subscription(f"idle{number}", types=DELETED) for number in range(1_000)))
        await gateway.subscribe("busy", types=CREATED)
        await asyncio.sleep(1)
        before = dict(world.query("SELECT subscription_number, version FROM lane"))
        await gateway.create(*names("d", 50))
        await asyncio.sleep(1)
        after = dict(world.query("SELECT subscription_number, version FROM lane"))
        assert [number for number in after if after[number] != before[number]] == [gateway.of("busy").number]
        # And a lane that was left alone still meets what it asked for.
        await gateway.submit(world.delete("d7"))
        await asyncio.sleep(1)
        assert world.endpoint("idle500").sequences == [51]
        assert len(world.endpoint("busy").calls) == 50

    world.run(scenario)


def test_a_sleeping_lanes_head_is_recorded_once_that_saves_a_restart_work(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("idle", types=DELETED)
        await gateway.create("first")
        await gateway.submit(world.delete("first"))
        await asyncio.sleep(1)
        delivered = world.lane("idle")
        await gateway.create(*names("d", recorded_heads.MAX_PASSED))
        await asyncio.sleep(40)
        assert world.lane("idle").version == delivered.version
        await gateway.create("one more")
        await asyncio.sleep(40)
        assert world.lane("idle").head == delivered.head + recorded_heads.MAX_PASSED + 1

    world.crash(scenario)


def test_a_stop_in_order_records_every_head_so_that_a_restart_reads_nothing(world: ScriptedWorld) -> None:
    async def before(gateway: RunningGateway) -> None:
        await gateway.subscribe("idle", types=DELETED)
        await gateway.create(*names("d", 20))

    async def after(gateway: RunningGateway) -> None:
        await asyncio.sleep(1)
        assert gateway.store.log.pages_read == 0

    world.run(before)
    assert world.lane("idle").head == 20
    world.run(after)


def test_bodies_that_left_the_cache_are_read_again(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("slow", delays=(10,))
        world.endpoint("slow").answers(Reply(after=2.0))
        await gateway.create(*names("d", 200))
        await gateway.until(lambda: len(world.endpoint("slow").sequences) == 200)
        assert gateway.store.log.bodies_read > 0
        bodies = {event.sequence: event.body for event in await gateway.log()}
        assert all(call.body == bodies[call.sequence] for call in world.endpoint("slow").calls)
        assert len(world.endpoint("slow").calls) == 200

    world.run(scenario, cache_bytes=5_000)


def test_an_event_that_a_lane_reads_before_the_word_of_its_commit_comes_is_sent_once(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.faults.slow_word, world.faults.late_read = 0.1, 0.01
        first = asyncio.create_task(gateway.create("x"))
        await asyncio.sleep(0.05)
        await gateway.create("y")
        await first
        await asyncio.sleep(1)
        assert [call.sequence for call in world.endpoint("a").calls] == [1, 2]
        assert world.lane("a").head == 2

    world.run(scenario, cache_bytes=1)


@pytest.mark.parametrize("cache_bytes", [1, 20_000, 64_000_000])
def test_a_lane_far_behind_reads_the_log_in_pages_whatever_the_cache_holds(
    world: ScriptedWorld, cache_bytes: int
) -> None:
    async def build(gateway: RunningGateway) -> None:
        await gateway.subscribe("behind", status="paused")
        await gateway.create(*names("d", 1_000))

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.change("behind", status="active")
        await gateway.until(lambda: world.endpoint("behind").successes == 1_000, within=600)
        assert 4 <= gateway.store.log.pages_read <= 30
        assert sorted(world.endpoint("behind").sequences) == list(range(1, 1_001))

    world.run(build)
    world.run(scenario, cache_bytes=cache_bytes)


def test_lanes_that_are_resumed_together_read_the_log_once_for_all_of_them(world: ScriptedWorld) -> None:
    hosts = [f"h{number}" for number in range(20)]

    async def build(gateway: RunningGateway) -> None:
        for host in hosts:
            await gateway.subscribe(host, status="paused")
        await gateway.create(*names("d", 1_000))

    async def scenario(gateway: RunningGateway) -> None:
        resumed = (
            PatchSubscription(
                tenant_id=TENANT, subscription_id=world.ids[host], patch=subscription_patch(status="active")
            )
            for host in hosts
        )
        await gateway.submit(*resumed)
        await gateway.until(lambda: all(world.endpoint(host).successes == 1_000 for host in hosts), within=600)
        assert gateway.store.log.pages_read <= 8

    world.run(build)
    world.run(scenario)


def test_lanes_that_catch_up_do_not_throw_out_each_others_pages_for_ever(world: ScriptedWorld) -> None:
    hosts = [f"h{number}" for number in range(20)]

    async def build(gateway: RunningGateway) -> None:
        for position, host in enumerate(hosts):
            await gateway.subscribe(host, status="paused")
            await gateway.create(*names(f"{position}-", 30))

    async def scenario(gateway: RunningGateway) -> None:
        for host in hosts:
            await gateway.change(host, status="active")
        await gateway.until(lambda: sum(world.endpoint(host).successes for host in hosts) == 30 * 210, within=600)
        for position, host in enumerate(hosts):
            assert sorted(world.endpoint(host).sequences) == list(range(position * 30 + 1, 601))
        assert gateway.store.log.pages_read < 200

    world.run(build)
    world.run(scenario, cache_bytes=30_000)


def test_the_log_being_unreadable_for_a_while_delays_and_loses_nothing(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.faults.read = Unavailable("busy")
        await gateway.create(*names("d", 50))
        await asyncio.sleep(5)
        world.faults.read = None
        await gateway.until(lambda: len(world.endpoint("a").sequences) == 50)
        await asyncio.sleep(10)
        assert len(world.endpoint("a").calls) == 50

    world.run(scenario, cache_bytes=1)


def test_a_change_that_cannot_be_committed_is_refused_and_harms_no_other(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.create("one")
        world.faults.publish = Unavailable("The disk is full.", retry_after=30)
        with pytest.raises(Unavailable, match="disk is full"):
            await gateway.create("two")
        await asyncio.sleep(1)
        assert world.endpoint("a").sequences == [1]
        world.faults.publish = None
        await gateway.create("two", "three")
        await asyncio.sleep(1)
        assert world.endpoint("a").sequences == [1, 2, 3]

    world.run(scenario)


def test_a_refused_command_in_a_batch_harms_no_other(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        results = await asyncio.gather(
            *(gateway.engine.submit(command) for command in (
                world.create("a"), world.update("no-such"), world.create("b"), world.delete("no-such"),
                world.update("a"),
            )),
            return_exceptions=True,
        )  # fmt: skip
        assert [isinstance(result, Exception) for result in results] == [False, True, False, True, False]
        await asyncio.sleep(1)
        assert sorted(world.endpoint("a").sequences) == [1, 2, 3]

    world.run(scenario)


def test_a_subscription_made_in_one_life_gets_what_comes_in_the_next(world: ScriptedWorld) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", types=UPDATED)
        await gateway.create("x")

    async def second(gateway: RunningGateway) -> None:
        await gateway.create("y")
        await gateway.update("x")
        await asyncio.sleep(1)

    world.crash(first)
    world.run(second)
    assert world.endpoint("a").sequences == [3]


def test_a_thousand_changes_at_once_are_all_committed(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.submit(*(world.subscription(f"s{number}") for number in range(1_000)))
        assert len(world.query("SELECT * FROM lane")) == 1_000

    world.run(scenario)
