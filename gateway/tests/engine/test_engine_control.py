"""Pausing, skipping, deleting; the retention; a lane that another owner wrote."""

import asyncio

import pytest
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld, types
from gateway.tests.world.network import BROKEN, HANG, Reply

from signalpost.commands.tenants import ChangeTenant
from signalpost.domain.access.tenant import TenantStatus
from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.lane_bounds import Bounds
from signalpost.domain.delivery.replay import ReplayState
from signalpost.domain.errors import Unavailable
from signalpost.domain.timestamps import SECOND

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

DAY = 24 * 3_600.0
DAYS_10 = 864_000


# --- Pausing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("crash", [True, False])
def test_a_pause_keeps_everything_for_the_resume(world: ScriptedWorld, crash: bool) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answer = lambda call: BROKEN if call.sequence == 1 else Reply(after=0.5)
        await gateway.create("x", "y")
        await asyncio.sleep(1)
        await gateway.change("a", status="paused")
        await gateway.create(*(f"d{number}" for number in range(300)))
        await asyncio.sleep(1_000)
        assert len(world.endpoint("a").calls) == 2
        assert gateway.health("a")["state"] == "paused"
        assert gateway.health("a")["lag"] == 300

    async def second(gateway: RunningGateway) -> None:
        world.endpoint("a").answers(Reply())
        await asyncio.sleep(100)
        assert len(world.endpoint("a").calls) == 2
        await gateway.change("a", status="active")
        await asyncio.sleep(100)
        assert sorted(world.endpoint("a").sequences) == list(range(1, 303))
        assert [call.attempt for call in world.endpoint("a").of(1)] == [1, 2]

    (world.crash if crash else world.run)(first)
    world.run(second)


@pytest.mark.parametrize("crash", [True, False])
def test_the_pause_of_a_tenant_holds_all_its_lanes_and_loses_nothing(world: ScriptedWorld, crash: bool) -> None:
    async def set_status(gateway: RunningGateway, status: TenantStatus) -> None:
        await gateway.submit(ChangeTenant(tenant_id=TENANT, name="default", status=status))

    async def first(gateway: RunningGateway) -> None:
        for host in ("a", "b"):
            await gateway.subscribe(host)
            world.endpoint(host).answer = lambda call: BROKEN if call.sequence == 1 else Reply()
        await gateway.create("x", "y")
        await asyncio.sleep(1)
        await set_status(gateway, "paused")
        await gateway.create(*(f"d{number}" for number in range(20)))
        await gateway.subscribe("c")
        await asyncio.sleep(1_000)
        assert {host: len(world.endpoint(host).calls) for host in "abc"} == {"a": 2, "b": 2, "c": 0}
        assert gateway.health("a")["state"] == gateway.health("c")["state"] == "paused"

    async def second(gateway: RunningGateway) -> None:
        await gateway.create("z")
        await asyncio.sleep(100)
        assert len(world.endpoint("a").calls) == 2
        for host in ("a", "b"):
            world.endpoint(host).answers(Reply())
        await set_status(gateway, "active")
        await asyncio.sleep(1_000)
        assert gateway.health("a")["state"] == "healthy"
        for host in ("a", "b"):
            assert sorted(world.endpoint(host).sequences) == list(range(1, 24))
        assert world.endpoint("c").sequences == [23]

    (world.crash if crash else world.run)(first)
    world.run(second)


def test_what_flies_when_a_pause_comes_ends_and_counts(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answer = lambda call: Reply(status=500 if call.sequence % 2 else 200, after=3)
        await gateway.create(*(f"d{number}" for number in range(20)))
        await asyncio.sleep(1)
        assert world.endpoint("a").in_flight == 4
        await gateway.change("a", status="paused")
        await asyncio.sleep(500)
        assert len(world.endpoint("a").calls) == 4
        assert world.endpoint("a").sequences == [2, 4]
        world.endpoint("a").answers(Reply())
        await gateway.change("a", status="active")
        await asyncio.sleep(1)
        # Resumed, it begins with one at a time.
        assert sorted(world.endpoint("a").sequences) == list(range(1, 21))
        assert [call.attempt for call in world.endpoint("a").of(3)] == [1, 2]

    world.run(scenario)


@pytest.mark.parametrize("crash_before_recording", [True, False])
def test_a_resume_may_skip_the_backlog(world: ScriptedWorld, crash_before_recording: bool) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(30, 30))
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x", "y")  # awaits a retry
        await asyncio.sleep(1)
        await gateway.change("a", status="paused")
        await gateway.create(*(f"d{number}" for number in range(50)))
        await asyncio.sleep(10)
        world.endpoint("a").answers(Reply())
        await gateway.change("a", status="active", skipBacklog=True)
        if not crash_before_recording:
            await gateway.create("new")
            await asyncio.sleep(100)
            assert world.endpoint("a").sequences == [53]

    async def second(gateway: RunningGateway) -> None:
        await gateway.create("newer")
        await asyncio.sleep(100)

    world.crash(first)
    world.run(second)
    assert world.endpoint("a").sequences == ([53] if crash_before_recording else [53, 54])
    assert {s: row.state for s, row in world.deliveries("a").items()} == {1: State.FAILED, 2: State.FAILED}


@pytest.mark.parametrize("caught_up", [True, False])
def test_a_skipped_backlog_stays_skipped_where_only_retries_were_left_of_it(
    world: ScriptedWorld, caught_up: bool
) -> None:
    """The crash comes between the commit of the change and the record of the lane."""

    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(30, 30))
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x", "y")
        await asyncio.sleep(1)
        if not caught_up:
            await gateway.create("z")
        await gateway.change("a", status="paused")
        await asyncio.sleep(10)
        world.endpoint("a").answers(Reply())
        await gateway.change("a", status="active", skipBacklog=True)

    async def second(_gateway: RunningGateway) -> None:
        await asyncio.sleep(100)

    world.crash(first)
    world.run(second)
    world.run(second)
    assert not {1, 2} & set(world.endpoint("a").sequences)


def test_a_skipped_backlog_stays_skipped_where_what_is_left_of_it_is_in_the_store_alone(world: ScriptedWorld) -> None:
    """A load brings what a replay made due, and not the retries that are due later."""
    world.bounds = Bounds(retries_kept=2, retries_loaded=3)

    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(600, 600))
        await gateway.create(*(f"d{number}" for number in range(6)))
        await gateway.until(lambda: len(world.endpoint("a").sequences) == 6)
        world.endpoint("a").answers(BROKEN)
        await gateway.create(*(f"e{number}" for number in range(6)))
        await gateway.until(lambda: len(world.endpoint("a").calls) == 12)
        world.endpoint("a").answers(Reply())
        await gateway.change("a", rateLimit=1)
        for sequence in range(1, 7):
            await gateway.retry("a", sequence)
        await gateway.until_recorded()
        await gateway.change("a", status="paused")
        await gateway.until_recorded()

    async def second(gateway: RunningGateway) -> None:
        await gateway.change("a", status="active", skipBacklog=True)

    async def third(_gateway: RunningGateway) -> None:
        await asyncio.sleep(2_000)

    world.crash(first)
    world.crash(second)
    world.run(third)
    assert not {7, 8, 9, 10, 11, 12} & set(world.endpoint("a").sequences)


@pytest.mark.parametrize("restarts", [True, False])
def test_a_retry_asked_for_before_a_backlog_was_skipped_is_not_sent(world: ScriptedWorld, *, restarts: bool) -> None:
    """Nothing is recorded meanwhile, so the lane has not acted upon it yet."""

    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.create("x")
        await gateway.until_recorded()
        world.faults.record = Unavailable("The disk is full.")
        await gateway.retry("a", 1)
        await gateway.change("a", status="paused")
        await gateway.change("a", status="active", skipBacklog=True)
        world.faults.record = None

    async def second(_gateway: RunningGateway) -> None:
        await asyncio.sleep(100)
        assert world.query("SELECT count(*) FROM retry") == [(0,)]

    async def both(gateway: RunningGateway) -> None:
        await first(gateway)
        await second(gateway)

    if restarts:
        world.crash(first)
        world.run(second)
    else:
        world.run(both)
    assert world.endpoint("a").sequences == [1]
    assert world.deliveries("a") == {}


def test_a_retry_asked_for_after_a_backlog_was_skipped_is_sent_after_a_restart(world: ScriptedWorld) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.create("x")
        await gateway.until_recorded()
        world.faults.record = Unavailable("The disk is full.")
        await gateway.change("a", status="paused")
        await gateway.change("a", status="active", skipBacklog=True)
        await gateway.retry("a", 1)
        world.faults.record = None

    async def second(_gateway: RunningGateway) -> None:
        await asyncio.sleep(100)

    world.crash(first)
    world.run(second)
    assert world.endpoint("a").sequences == [1, 1]


def test_a_retry_begun_after_a_backlog_was_skipped_goes_on_after_a_restart(world: ScriptedWorld) -> None:
    """Another delivery has been under way since before it was skipped."""

    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=())
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x")
        await gateway.until_recorded()
        world.endpoint("a").answers(Reply(after=4))
        await gateway.create("y")
        await gateway.until_recorded()
        await gateway.change("a", status="paused")
        await gateway.change("a", status="active", skipBacklog=True)
        await gateway.until_recorded()
        await gateway.retry("a", 1)
        await gateway.until_recorded()
        assert (world.deliveries("a")[1].state, world.lane("a").open) == (State.AWAITING_RETRY, [2])

    async def second(_gateway: RunningGateway) -> None:
        await asyncio.sleep(100)

    world.crash(first)
    world.run(second)
    assert sorted(world.endpoint("a").sequences) == [1, 2]
    assert world.deliveries("a") == {}


def test_what_a_replay_had_begun_before_a_backlog_was_skipped_is_given_up_after_a_crash(world: ScriptedWorld) -> None:
    """The crash comes between the commit of the change and the record of the lane."""

    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(30, 30))
        await gateway.create("x")
        await gateway.until_recorded()
        world.endpoint("a").answers(BROKEN)
        await gateway.replay("a", "all")
        await asyncio.sleep(1)
        await gateway.change("a", status="paused")
        await gateway.until_recorded()
        world.endpoint("a").answers(Reply())
        await gateway.change("a", status="active", skipBacklog=True)

    async def second(_gateway: RunningGateway) -> None:
        await asyncio.sleep(1_000)

    world.crash(first)
    world.run(second)
    assert world.endpoint("a").sequences == [1]
    assert world.deliveries("a")[1].state == State.FAILED


def test_a_replay_that_runs_is_cancelled_when_the_backlog_is_skipped(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.create(*(f"d{number}" for number in range(1_000)))
        await gateway.until_recorded()
        await gateway.until(lambda: len(world.endpoint("a").calls) == 1_000)
        await gateway.change("a", rateLimit=1)
        before = await gateway.replay("a", "all")
        await asyncio.sleep(5)
        await gateway.change("a", status="paused")
        await gateway.change("a", status="active", skipBacklog=True)
        sent = len(world.endpoint("a").calls)
        after = await gateway.replay("a", "all", last=3)
        await asyncio.sleep(2_000)
        found = await gateway.replay_of("a", before)
        assert (found.state, found.waiting) == (ReplayState.CANCELLED, 0)
        assert found.delivered == sent - 1_000 < found.queued < 1_000
        assert (await gateway.replay_of("a", after)).delivered == 3
        assert [call.sequence for call in world.endpoint("a").calls[sent:]] == [1, 2, 3]

    world.run(scenario)


def test_a_backlog_may_be_skipped_again_where_nothing_was_added_to_the_log(world: ScriptedWorld) -> None:
    """What was under way at the first time, and failed then, is a backlog as well."""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(60, 60))
        world.endpoint("a").answers(Reply(status=500, after=3))
        await gateway.create("x")
        await asyncio.sleep(1)
        await gateway.change("a", status="paused")
        await gateway.change("a", status="active", skipBacklog=True)
        await asyncio.sleep(10)
        world.endpoint("a").answers(Reply())
        await gateway.change("a", status="paused")
        await gateway.change("a", status="active", skipBacklog=True)
        await asyncio.sleep(500)
        assert len(world.endpoint("a").calls) == 1
        await gateway.create("y")
        await asyncio.sleep(1)
        assert world.endpoint("a").sequences == [2]

    world.run(scenario)


def test_a_delete_drops_what_waits_and_what_flies(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.subscribe("b")
        world.endpoint("a").answer = lambda call: BROKEN if call.sequence < 10 else Reply(after=3)
        await gateway.create(*(f"d{number}" for number in range(50)))
        await asyncio.sleep(1)
        assert world.endpoint("a").in_flight > 0
        calls = len(world.endpoint("a").calls)
        await gateway.unsubscribe("a")
        assert gateway.engine.directory.subscription(TENANT, world.ids["a"]) is None
        await gateway.create("later")
        await asyncio.sleep(700)
        assert len(world.endpoint("a").calls) == calls
        assert len(world.endpoint("b").sequences) == 51
        assert world.query("SELECT count(*) FROM lane") == [(1,)]
        # The retention takes the rest away, and nothing writes it anew.
        assert world.query("SELECT count(*) FROM delivery") == [(0,)]

    world.run(scenario)


@pytest.mark.parametrize("state", ["open", "awaiting retry"])
def test_what_waits_for_its_event_to_be_read_does_not_go_out_after_a_pause(world: ScriptedWorld, state: str) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.create("x")
        await asyncio.sleep(1)
        world.endpoint("a").answers(BROKEN)
        await gateway.update("x")
        if state == "open":
            world.faults.slow_read = 1.0
            await gateway.until(lambda: gateway.engine.lanes.in_flight > 0)
        else:
            await gateway.until(lambda: len(world.endpoint("a").calls) == 2)
            world.faults.slow_read = 1.0
            await gateway.until(lambda: gateway.engine.lanes.in_flight == 0)
            await gateway.until(lambda: gateway.engine.lanes.in_flight > 0)
        calls = len(world.endpoint("a").calls)
        await gateway.change("a", status="paused")
        await asyncio.sleep(100)
        assert len(world.endpoint("a").calls) == calls
        assert gateway.engine.lanes.in_flight == 0
        world.endpoint("a").answers(Reply())
        await gateway.change("a", status="active")
        await asyncio.sleep(5)
        assert world.endpoint("a").sequences == [1, 2]
        assert world.endpoint("a").calls[-1].attempt == (1 if state == "open" else 2)

    world.run(scenario, cache_bytes=1)


def test_what_waits_for_its_event_to_be_read_does_not_go_out_after_a_deletion(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.faults.slow_read = 1.0
        await gateway.create("x")
        await gateway.until(lambda: gateway.engine.lanes.in_flight > 0)
        await gateway.unsubscribe("a")
        await asyncio.sleep(5)
        assert world.endpoint("a").calls == []
        assert gateway.engine.lanes.in_flight == 0

    world.run(scenario, cache_bytes=1)


# --- The retention ----------------------------------------------------------------------------------------------------


def test_the_retention_removes_what_is_old_a_little_at_a_time(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=())
        world.endpoint("a").answer = lambda call: BROKEN if call.sequence % 100 == 0 else Reply()
        await gateway.create(*(f"d{number}" for number in range(1_200)))
        await asyncio.sleep(DAY / 2)
        await gateway.create(*(f"e{number}" for number in range(10)))
        assert world.query("SELECT count(*) FROM event WHERE tenant_id > 0") == [(1_210,)]
        floors = set()
        for _ in range(200):
            await asyncio.sleep(DAY / 2 / 198)
            floors.add(await gateway.store.log.floor(TENANT))
        await gateway.until_recorded()
        assert world.query("SELECT count(*), min(sequence) FROM event WHERE tenant_id > 0") == [(10, 1_201)]
        assert world.query("SELECT min(sequence) FROM attempt") == [(1_201,)]
        assert world.deliveries("a") == {}
        assert await gateway.store.log.floor(TENANT) == 1_201
        assert gateway.health("a")["lost"] == 0
        assert world.logged("error", "") == 0
        assert len(world.endpoint("a").calls) == 1_210

    world.run(scenario, retention_days=1)


def test_a_clock_that_is_set_years_ahead_takes_nothing_before_its_time(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", status="paused")
        await gateway.create("x")
        world.wall.offset = 3_650 * 24 * 3600 * SECOND
        await asyncio.sleep(DAY * 0.95)
        assert world.query("SELECT count(*) FROM event WHERE tenant_id > 0") == [(1,)]
        assert gateway.health("a")["lost"] == 0
        assert world.logged("warning", "set ahead") > 0
        assert world.logged("error", "") == 0
        await asyncio.sleep(DAY * 0.1)
        assert world.query("SELECT count(*) FROM event WHERE tenant_id > 0") == [(0,)]
        assert gateway.health("a")["lost"] == 1

    world.run(scenario, retention_days=1)


def test_a_clock_that_is_set_back_keeps_what_is_not_old_by_it(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.create("x")
        world.wall.offset = -24 * 3600 * SECOND
        await asyncio.sleep(DAY * 1.9)
        assert world.query("SELECT count(*) FROM event WHERE tenant_id > 0") == [(1,)]
        assert world.logged("warning", "") == 0
        await asyncio.sleep(DAY * 0.2)
        assert world.query("SELECT count(*) FROM event WHERE tenant_id > 0") == [(0,)]

    world.run(scenario, retention_days=1)


def test_a_paused_lane_is_told_before_the_retention_takes_its_events(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(DAYS_10,) * 3)
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x", "y")
        await asyncio.sleep(1)
        await gateway.change("a", status="paused")
        await gateway.create(*(f"d{number}" for number in range(50)))
        await asyncio.sleep(DAY * 0.45)
        assert world.logged("warning", "behind by more than half") == 0
        await asyncio.sleep(DAY * 0.1)
        assert world.logged("warning", "behind by more than half") > 0
        assert world.logged("error", "retention") == 0
        await gateway.create(*(f"e{number}" for number in range(5)))
        await asyncio.sleep(DAY * 0.5)
        assert world.logged("error", "retention") == 1
        assert gateway.health("a")["lost"] == 52
        assert world.lane("a").health["lost"] == 52
        assert world.query("SELECT min(sequence) FROM event WHERE tenant_id > 0") == [(53,)]
        assert world.deliveries("a") == {}
        world.endpoint("a").answers(Reply())
        await gateway.change("a", status="active")
        await asyncio.sleep(100)
        assert world.endpoint("a").sequences == [53, 54, 55, 56, 57]

    world.run(scenario, retention_days=1)


def test_a_lane_that_wanted_nothing_of_what_the_retention_takes_has_lost_nothing_after_a_crash(
    world: ScriptedWorld,
) -> None:
    async def before(gateway: RunningGateway) -> None:
        await gateway.subscribe("idle", types=types("documentDeleted"))
        await gateway.create(*(f"d{number}" for number in range(20)))
        await asyncio.sleep(DAY)
        await gateway.create("new")
        await asyncio.sleep(DAY / 10)
        assert world.query("SELECT min(sequence) FROM event WHERE tenant_id > 0") == [(21,)]

    async def after(gateway: RunningGateway) -> None:
        await asyncio.sleep(1)
        assert gateway.health("idle")["lost"] == 0

    world.crash(before, retention_days=1)
    world.run(after, retention_days=1)
    assert world.logged("error", "") == 0


def test_what_waits_in_the_store_alone_is_told_as_well_when_the_retention_takes_it(world: ScriptedWorld) -> None:
    world.bounds = Bounds(retries_kept=2, retries_loaded=3)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(DAYS_10,) * 3)
        world.endpoint("a").answers(BROKEN)
        await gateway.create(*(f"d{number}" for number in range(20)))
        await asyncio.sleep(DAY * 0.2)
        world.endpoint("a").answers(Reply())
        for sequence in range(1, 4):
            await gateway.retry("a", sequence)
        await asyncio.sleep(DAY * 0.9)
        assert world.endpoint("a").sequences == [1, 2, 3]
        assert gateway.health("a")["lost"] == 17
        assert world.logged("error", "retention") == 1
        assert world.deliveries("a") == {}

    world.run(scenario, retention_days=1)


def test_a_lane_paused_for_long_keeps_a_short_record_of_what_it_lost(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", status="paused")
        for number in range(200):
            await gateway.create(f"d{number}")
            await asyncio.sleep(600)
        await asyncio.sleep(DAY)
        assert gateway.health("a")["lost"] > 150
        ((gaps,),) = world.query("SELECT gaps FROM lane")
        assert len(gaps) < 20

    world.run(scenario, retention_days=1)


def test_a_retry_whose_event_was_removed_is_given_up_and_said(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(DAYS_10 // 10, DAYS_10 // 10))
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x")
        await asyncio.sleep(DAY * 1.3)
        assert len(world.endpoint("a").calls) == 1
        assert gateway.health("a")["lost"] == 1
        assert world.logged("error", "removed") + world.logged("error", "removes") == 1
        await gateway.create("y")
        await asyncio.sleep(1)
        assert len(world.endpoint("a").calls) == 2

    world.run(scenario, retention_days=1)


def test_the_retention_goes_on_after_an_error(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.create("x")
        world.faults.prune = Unavailable("busy")
        await asyncio.sleep(DAY * 1.1)
        world.faults.prune = RuntimeError("odd")
        await asyncio.sleep(DAY * 0.1)
        assert world.query("SELECT count(*) FROM event WHERE tenant_id > 0") == [(1,)]
        world.faults.prune = None
        await asyncio.sleep(1_300)
        assert world.query("SELECT count(*) FROM event WHERE tenant_id > 0") == [(0,)]

    world.run(scenario, retention_days=1)


def test_a_lane_that_slept_through_what_it_did_not_want_has_lost_nothing(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", types=types("documentDeleted"))
        await gateway.create("x", "y")
        await asyncio.sleep(DAY * 1.1)
        assert gateway.health("a")["lost"] == 0
        assert world.logged("error", "") == 0
        assert world.logged("warning", "") == 0
        await gateway.submit(world.delete("x"))
        await asyncio.sleep(1)
        assert world.endpoint("a").sequences == [3]

    world.run(scenario, retention_days=1)


# --- Another owner ----------------------------------------------------------------------------------------------------


def test_a_lane_that_another_owner_wrote_is_loaded_anew(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answer = lambda call: Reply(status=500 if call.sequence % 50 == 0 else 200, after=0.3)
        await gateway.create(*(f"d{number}" for number in range(300)))
        await gateway.until(lambda: world.endpoint("a").successes > 40)
        await gateway.until_recorded()
        lane = world.lane("a")
        recorded = {s for s in range(1, lane.head + 1) if s not in lane.open and s not in world.deliveries("a")}
        world.query("UPDATE lane SET version = version + 1")
        fenced_at = gateway.loop.time()
        await gateway.until(lambda: len({s for s in world.endpoint("a").sequences if s % 50}) == 294, within=300)
        await asyncio.sleep(1_000)
        again = [call for call in world.endpoint("a").calls if call.at > fenced_at + 1]
        assert recorded
        assert not {call.sequence for call in again if call.is_delivered} & recorded
        # Each repeat is of what flew at that moment, or ended in the moments before.
        assert sum(len(world.endpoint("a").of(s)) - 1 for s in range(1, 301) if s % 50) <= 2 * 128
        assert world.lane("a").head == 300
        assert world.lane("a").open == []
        assert {row.state for row in world.deliveries("a").values()} == {State.FAILED}
        assert len(world.deliveries("a")) == 6

    world.run(scenario)


def test_a_fence_while_a_page_is_read_loses_nothing(world: ScriptedWorld) -> None:
    """The page was asked for from a head that the lane, loaded again, has not reached yet."""

    async def build(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", status="paused", rateLimit=10)
        await gateway.create(*(f"d{number}" for number in range(900)))

    async def scenario(gateway: RunningGateway) -> None:
        world.endpoint("a").answers(Reply(after=0.002))
        world.faults.slow_pages = [0.0, 0.3]
        await gateway.change("a", status="active")
        await asyncio.sleep(0.005)
        assert gateway.store.log.pages_read == 2
        world.query("UPDATE lane SET version = version + 1")
        await asyncio.sleep(1)
        await gateway.change("a", rateLimit=None)
        await gateway.until(lambda: set(world.endpoint("a").sequences) == set(range(1, 901)))
        assert gateway.health("a")["lost"] == 0
        assert world.logged("error", "") == 0

    world.run(build)
    world.run(scenario, cache_bytes=1)


def test_a_retry_by_hand_is_not_lost_when_the_lane_turns_out_to_be_another_owners(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.create("x", "y")
        await asyncio.sleep(1)
        for round_ in range(8):
            await gateway.retry("a", 1)
            await asyncio.sleep(round_ * 0.01)
            world.query("UPDATE lane SET version = version + 1")
            await asyncio.sleep(5)
            seen = len(world.endpoint("a").of(1))
            assert seen >= round_ + 2
            assert world.query("SELECT * FROM retry") == []

    world.run(scenario)


def test_a_retry_by_hand_that_a_lane_loaded_anew_finds_in_the_store_is_made_once(world: ScriptedWorld) -> None:
    """The lane is read between the retry's commit and the word of it. So it hears of it twice."""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.create("x")
        await gateway.until_recorded()
        world.faults.slow_read = 1.0
        await gateway.change("a", ordering="strict")
        world.faults.slow_word = 2.0
        asked = asyncio.create_task(gateway.retry("a", 1))
        await asyncio.sleep(0.5)
        world.faults.slow_read = 0.0
        world.faults.record = Unavailable("the disk is full")
        await asked
        world.faults.record = None
        await asyncio.sleep(60)
        assert [(call.attempt, call.is_replay) for call in world.endpoint("a").of(1)] == [(1, False), (1, True)]
        assert [attempt.run for attempt in gateway.attempts("a", 1)] == [0, 1]

    world.run(scenario)


def test_what_a_fenced_lane_had_under_way_holds_nothing_up(world: ScriptedWorld) -> None:
    """Whatever the fence drops is no longer counted as not recorded, or as under way: it is more than both bounds."""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        for round_ in range(30):
            await gateway.create(*(f"d{round_}-{number}" for number in range(450)))
            await asyncio.sleep(0.03)
            world.query("UPDATE lane SET version = version + 1")
            await asyncio.sleep(0.5)
        await gateway.until(lambda: len(set(world.endpoint("a").sequences)) == 30 * 450, every=1)

    world.run(scenario)


def test_an_engine_that_closes_while_nothing_can_be_recorded_ends(world: ScriptedWorld) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answer = lambda call: HANG if call.sequence == 2 else Reply()
        await gateway.create("x", "y")
        world.faults.record = Unavailable("The disk is full.")
        await asyncio.sleep(1)

    async def second(_gateway: RunningGateway) -> None:
        await asyncio.sleep(100)

    world.run(first)
    world.faults.record = None
    world.endpoint("a").answers(Reply())
    world.run(second)
    assert sorted(world.endpoint("a").sequences) == [1, 1, 2]
    assert world.lane("a").open == []


def test_a_close_waits_for_what_is_under_way_as_long_as_its_grace_and_no_longer(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.subscribe("b")
        world.endpoint("a").answers(HANG)
        world.endpoint("b").answers(Reply(after=1.5))
        await gateway.create("x")
        await gateway.until(lambda: len(world.endpoint("b").calls) == 1)
        began = gateway.loop.time()
        await gateway.engine.close(2)
        assert 2 <= gateway.loop.time() - began < 2.1

    world.crash(scenario)
    assert [(attempt.failure, attempt.counted) for attempt in world.attempts("a", 1)] == [("cut", 0)]
    assert world.endpoint("b").sequences == [1]


def test_a_command_after_the_close_is_refused(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.engine.close(1)
        with pytest.raises(Unavailable):
            await gateway.create("x")

    world.crash(scenario)
