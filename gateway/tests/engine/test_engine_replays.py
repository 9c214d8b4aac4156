"""Replays: what is fed and what is not, cancelling, pausing, deleting; beside new events; over crashes."""

import asyncio
from random import Random

import pytest
from gateway.tests.bodies import subscription_patch
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld, types
from gateway.tests.examples import cases
from gateway.tests.world.network import BROKEN, REFUSED, Reply, SentRequest

from signalpost.commands.replays import StartReplay
from signalpost.commands.subscriptions import PatchSubscription
from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.lane_bounds import Bounds
from signalpost.domain.delivery.replay import ReplayChoice, ReplayRange, ReplayState
from signalpost.domain.timestamps import SECOND
from signalpost.store.nouns.lanes import LaneFlush, LaneWanted

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]


def replayed(world: ScriptedWorld, host: str = "a") -> list[SentRequest]:
    return [call for call in world.endpoint(host).calls if call.is_replay]


async def given_up(gateway: RunningGateway, *names: str) -> None:
    """An event for each name, given up after one attempt."""
    await gateway.subscribe("a", retryDelays=())
    gateway.world.endpoint("a").answers(BROKEN)
    for first in range(0, len(names), 5_000):
        await gateway.create(*names[first : first + 5_000])
    await gateway.until(lambda: len(gateway.world.endpoint("a").calls) == len(names), every=1)
    await gateway.until_recorded()


# --- What is fed ------------------------------------------------------------------------------------------------------


def test_what_failed_is_sent_again_and_marked_with_four_attempts_each(world: ScriptedWorld) -> None:
    """C16, C18: also where the subscription's own schedule has fewer."""

    async def scenario(gateway: RunningGateway) -> None:
        await given_up(gateway, "x", "y", "z")
        world.endpoint("a").answer = lambda call: Reply() if call.sequence == 2 else BROKEN
        replay_id = await gateway.replay("a", "failed")
        started = await gateway.replay_of("a", replay_id)
        assert (started.state, started.count, started.queued) == (ReplayState.RUNNING, 3, 0)
        await asyncio.sleep(2_000)
        done = await gateway.replay_of("a", replay_id)
        assert (done.state, done.queued) == (ReplayState.FINISHED, 3)
        assert (done.delivered, done.failed, done.skipped, done.waiting) == (1, 2, 0, 0)
        assert done.finished_at is not None

    world.run(scenario)
    for sequence, attempts in ((1, [1, 2, 3, 4]), (2, [1]), (3, [1, 2, 3, 4])):
        calls = [call for call in replayed(world) if call.sequence == sequence]
        assert [call.attempt for call in calls] == attempts
        assert [a.run for a in world.attempts("a", sequence)] == [0] + [1] * len(attempts)
    assert {s: (r.state, r.failed_attempts, r.run) for s, r in world.deliveries("a").items()} == {
        1: (State.FAILED, 4, 1),
        3: (State.FAILED, 4, 1),
    }


@pytest.mark.parametrize("kept", [1_000, 2])
def test_what_waits_for_its_retry_is_sent_now_and_goes_on_with_its_schedule(world: ScriptedWorld, kept: int) -> None:
    """C16: the attempt counts as the one that was due later. Also where most of them are in the store alone."""
    world.bounds = Bounds(retries_kept=kept, retries_loaded=kept + 1, replays_below=3)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", retryDelays=(36_000, 36_000))
        world.endpoint("a").answers(BROKEN)
        await gateway.create(*(f"d{number}" for number in range(12)))
        await gateway.until(lambda: len(world.endpoint("a").calls) == 12)
        await gateway.until_recorded()
        world.endpoint("a").answer = lambda call: BROKEN if call.sequence == 5 else Reply()
        replay_id = await gateway.replay("a", "waiting")
        assert (await gateway.replay_of("a", replay_id)).count == 12
        await asyncio.sleep(60)
        done = await gateway.replay_of("a", replay_id)
        assert (done.state, done.queued) == (ReplayState.FINISHED, 12)
        assert sorted(call.sequence for call in world.endpoint("a").calls[12:]) == [*range(1, 13)]
        assert {call.attempt for call in world.endpoint("a").calls[12:]} == {2}
        assert replayed(world) == []
        await gateway.until_recorded()
        assert {s: (r.state, r.failed_attempts, r.run) for s, r in world.deliveries("a").items()} == {
            5: (State.AWAITING_RETRY, 2, 0)
        }
        await asyncio.sleep(50_000)
        assert world.endpoint("a").calls[-1].attempt == 3

    world.run(scenario)


def test_a_replay_that_waits_while_retries_are_in_the_store_alone_begins_once_they_are_done(
    world: ScriptedWorld,
) -> None:
    world.bounds = Bounds(retries_kept=2, retries_loaded=3, replays_below=3)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(BROKEN)
        await gateway.create(*(f"d{number}" for number in range(12)))
        await gateway.until(lambda: len(world.endpoint("a").calls) == 12)
        world.endpoint("a").answers(Reply())
        await gateway.until_recorded()
        replay_id = await gateway.replay("a", "failed")
        for sequence in range(1, 13):
            await gateway.retry("a", sequence)
        await gateway.until(lambda: len(world.endpoint("a").sequences) == 12)
        await asyncio.sleep(1)
        assert (await gateway.replay_of("a", replay_id)).state is ReplayState.FINISHED

    world.run(scenario)


def test_what_was_delivered_is_left_alone_unless_all_is_asked_for(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", retryDelays=())
        world.endpoint("a").answer = lambda call: BROKEN if call.sequence == 2 else Reply()
        await gateway.create("x", "y", "z")
        await gateway.until_recorded()
        world.endpoint("a").answers(Reply())
        await gateway.replay("a", "failed")
        await asyncio.sleep(1)
        assert [call.sequence for call in replayed(world)] == [2]
        await gateway.replay("a", "all", first=2)
        await asyncio.sleep(1)
        assert [call.sequence for call in replayed(world)] == [2, 2, 3]

    world.run(scenario)


def test_only_what_was_asked_for_then_and_lies_in_the_range_is_replayed(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.create("before")
        await gateway.subscribe("a", types=types("documentCreated"))
        await gateway.create("x", "y")
        await gateway.update("x")
        await gateway.change("a", eventTypes=types("documentUpdated"))
        await gateway.create("z")
        await gateway.update("y")
        await gateway.update("z")
        await gateway.until_recorded()
        assert sorted(world.endpoint("a").sequences) == [2, 3, 6, 7]
        replay_id = await gateway.replay("a", "all", last=6)
        await asyncio.sleep(1)
        assert (await gateway.replay_of("a", replay_id)).count == 3

    world.run(scenario)
    assert [call.sequence for call in replayed(world)] == [2, 3, 6]


def test_a_skipped_backlog_is_not_replayed(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.create("x")
        await gateway.until_recorded()
        await gateway.change("a", status="paused")
        await gateway.create("y", "z")
        await gateway.change("a", status="active", skipBacklog=True)
        await gateway.create("w")
        await gateway.until_recorded()
        replay_id = await gateway.replay("a", "all")
        await asyncio.sleep(1)
        assert (await gateway.replay_of("a", replay_id)).count == 2

    world.run(scenario)
    assert [call.sequence for call in replayed(world)] == [1, 4]


def test_what_is_open_waits_for_its_retry_or_is_blocked_is_left_as_it_is(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", ordering="strict")
        world.endpoint("a").answer = lambda call: Reply(after=4) if call.sequence == 4 else BROKEN
        await gateway.create("x")
        await gateway.update("x", times=2)  # blocked behind the first
        await gateway.create("flying")
        await asyncio.sleep(1)
        replay_id = await gateway.replay("a", "all")
        await asyncio.sleep(2)
        found = await gateway.replay_of("a", replay_id)
        assert (found.state, found.queued) == (ReplayState.FINISHED, 0)
        world.endpoint("a").answers(Reply())
        await asyncio.sleep(1_000)

    world.run(scenario)
    calls = world.endpoint("a").calls
    assert [(call.sequence, call.attempt, call.is_replay) for call in calls] == [
        (1, 1, False),
        (4, 1, False),
        (1, 2, False),
        (2, 1, False),
        (3, 1, False),
    ]


def test_a_replay_ends_where_the_lane_was_when_it_started(world: ScriptedWorld) -> None:
    """What comes later is delivered, not replayed."""

    async def scenario(gateway: RunningGateway) -> None:
        await given_up(gateway, "x")
        world.endpoint("a").answers(Reply(after=0.5))
        await gateway.replay("a", "all")
        await gateway.create(*(f"d{number}" for number in range(20)))
        await asyncio.sleep(60)

    world.run(scenario)
    assert [call.sequence for call in replayed(world)] == [1]
    assert sorted(world.endpoint("a").sequences) == list(range(1, 22))


def test_replays_of_one_subscription_go_one_after_the_other(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await given_up(gateway, *(f"d{number}" for number in range(40)))
        world.endpoint("a").answers(Reply(after=0.2))
        first = await gateway.replay("a", "failed", 1, 20)
        second = await gateway.replay("a", "failed", 15, 40)
        await asyncio.sleep(60)
        assert [(await gateway.replay_of("a", each)).queued for each in (first, second)] == [20, 20]

    world.run(scenario)
    assert sorted(call.sequence for call in replayed(world)) == list(range(1, 41))


def test_in_strict_order_a_replay_holds_nothing_back(world: ScriptedWorld) -> None:
    """C17"""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", ordering="strict", retryDelays=())
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x")
        await gateway.until_recorded()
        await gateway.replay("a", "failed")
        await asyncio.sleep(1)
        world.endpoint("a").answers(Reply())
        await gateway.update("x")
        await asyncio.sleep(1)
        assert world.endpoint("a").sequences == [2]

    world.run(scenario)


# --- Cancelling, pausing, deleting ------------------------------------------------------------------------------------


def test_cancelled_it_queues_no_more_and_what_was_queued_is_sent(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await given_up(gateway, *(f"d{number}" for number in range(3_000)))
        world.endpoint("a").answers(Reply(after=1))
        replay_id = await gateway.replay("a", "failed")
        await asyncio.sleep(5)
        await gateway.cancel("a", replay_id)
        sent = len(replayed(world))
        await asyncio.sleep(1_000)
        cancelled = await gateway.replay_of("a", replay_id)
        assert cancelled.state is ReplayState.CANCELLED
        assert sent < cancelled.queued < 1_500
        assert len(replayed(world)) == cancelled.queued

    world.run(scenario)


@pytest.mark.parametrize("crash", [True, False])
def test_a_cancelled_one_stays_cancelled_after_a_restart(world: ScriptedWorld, crash: bool) -> None:
    async def first(gateway: RunningGateway) -> None:
        await given_up(gateway, *(f"d{number}" for number in range(1_000)))
        world.endpoint("a").answers(Reply(after=3))
        await gateway.cancel("a", await gateway.replay("a", "failed"))

    async def second(gateway: RunningGateway) -> None:
        await asyncio.sleep(1_000)
        found = await gateway.replay_of("a", world.replays[0])
        assert found.state is ReplayState.CANCELLED
        assert len({call.sequence for call in replayed(world)}) == found.queued < 1_000

    (world.crash if crash else world.run)(first)
    world.run(second)


def test_while_paused_nothing_is_queued_and_the_resume_goes_on(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await given_up(gateway, "x", "y")
        await gateway.change("a", status="paused")
        world.endpoint("a").answers(Reply())
        replay_id = await gateway.replay("a", "failed")
        await asyncio.sleep(100)
        waiting = await gateway.replay_of("a", replay_id)
        assert (waiting.state, waiting.queued, replayed(world)) == (ReplayState.RUNNING, 0, [])
        await gateway.change("a", status="active")
        await asyncio.sleep(1)
        assert (await gateway.replay_of("a", replay_id)).state is ReplayState.FINISHED

    world.run(scenario)
    assert [call.sequence for call in replayed(world)] == [1, 2]


def test_deleting_the_subscription_ends_its_replays(world: ScriptedWorld) -> None:
    async def first(gateway: RunningGateway) -> None:
        await given_up(gateway, *(f"d{number}" for number in range(2_000)))
        world.endpoint("a").answers(Reply(after=1))
        await gateway.replay("a", "failed")
        await asyncio.sleep(3)
        await gateway.unsubscribe("a")
        sent = len(world.endpoint("a").calls)
        await asyncio.sleep(700)  # the retention comes by
        assert len(world.endpoint("a").calls) == sent
        assert world.query("SELECT count(*) FROM replay") == [(0,)]

    async def second(_gateway: RunningGateway) -> None:
        await asyncio.sleep(10)

    world.run(first)
    world.run(second)
    assert world.logged("error", "") == 0


def test_finished_ones_are_kept_as_long_as_the_log(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.create("x")
        await gateway.until_recorded()
        finished = await gateway.replay("a", "all")
        await asyncio.sleep(20 * 3_600)
        assert (await gateway.replay_of("a", finished)).queued == 1
        await gateway.change("a", status="paused")
        running = await gateway.replay("a", "all")
        await asyncio.sleep(5 * 3_600)
        assert [replay.id for replay in await gateway.store.replays.page(gateway.of("a"), None, 10)] == [running]

    world.run(scenario, retention_days=1)


def test_a_stop_leaves_the_rest_of_a_replay_to_the_next_start(world: ScriptedWorld) -> None:
    async def first(gateway: RunningGateway) -> None:
        await given_up(gateway, *(f"d{number}" for number in range(3_000)))
        world.endpoint("a").answers(Reply(after=2))
        await gateway.replay("a", "failed")
        await asyncio.sleep(5)

    async def second(gateway: RunningGateway) -> None:
        world.endpoint("a").answers(Reply())
        await asyncio.sleep(100)
        found = await gateway.replay_of("a", world.replays[0])
        assert (found.state, found.queued) == (ReplayState.FINISHED, 3_000)

    world.run(first)
    waiting = [row for row in world.deliveries("a").values() if row.state == State.AWAITING_RETRY]
    assert len(waiting) < 1_000
    world.run(second)
    delivered = [call.sequence for call in replayed(world) if call.is_delivered]
    assert sorted(delivered) == list(range(1, 3_001))


# --- Beside all else --------------------------------------------------------------------------------------------------


class WatchedLane:
    """The most that a lane had awaiting a retry and blocked, at every call."""

    def __init__(self, world: ScriptedWorld, gateway: RunningGateway) -> None:
        self.most = 0
        (self._runner,) = gateway.engine.lanes.here.workers
        world.checks.append(self.look)

    def look(self, _call: SentRequest) -> None:
        lane = self._runner.lane
        self.most = max(self.most, len(lane.retry_queue) + lane.blocked)


@pytest.mark.slow
@pytest.mark.parametrize("documents", cases([1, 8_000], [8_000]))
def test_many_thousands_are_replayed_in_bounded_memory_while_new_events_go_on(
    world: ScriptedWorld, documents: int
) -> None:
    many = 8_000 if documents > 1 else 4_000

    async def scenario(gateway: RunningGateway) -> None:
        if documents == 1:
            await given_up(gateway, "d0")
            await gateway.update("d0", times=many - 1)
            await gateway.until(lambda: len(world.endpoint("a").calls) == many, every=1)
            await gateway.until_recorded()
        else:
            await given_up(gateway, *(f"d{number}" for number in range(many)))
        watched = WatchedLane(world, gateway)
        world.endpoint("a").answers(Reply(after=0.01))
        replay_id = await gateway.replay("a", "failed")
        waits = []
        while (await gateway.replay_of("a", replay_id)).state is ReplayState.RUNNING:
            before = gateway.loop.time()
            await gateway.update("d0")
            newest = (await gateway.log())[-1].sequence
            await gateway.until(lambda newest=newest: newest in world.endpoint("a").sequences, every=0.1)  # type: ignore[misc]
            waits.append(gateway.loop.time() - before)
        await asyncio.sleep(30)
        assert len(waits) > 3
        assert max(waits) < (15 if documents == 1 else 3)
        assert watched.most < 1_100

    world.run(scenario)
    delivered = [call.sequence for call in replayed(world)]
    assert sorted(delivered) == list(range(1, many + 1))


def test_a_replay_to_an_endpoint_that_is_down_waits_for_room_and_goes_on_when_it_is_up(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await given_up(gateway, *(f"d{number}" for number in range(3_000)))
        watched = WatchedLane(world, gateway)
        before = len(world.endpoint("a").calls)
        replay_id = await gateway.replay("a", "failed")
        await asyncio.sleep(3_600)
        # Less than a thousand have room. Each is tried at most twice until the breaker opens, which then only probes.
        assert len(world.endpoint("a").calls) - before < 2_000
        assert gateway.health("a")["breaker"] == "open"
        waiting = await gateway.replay_of("a", replay_id)
        assert waiting.state is ReplayState.RUNNING
        assert waiting.queued < 1_000
        world.endpoint("a").answers(Reply())
        await asyncio.sleep(3_600)
        assert (await gateway.replay_of("a", replay_id)).queued == 3_000
        assert watched.most < 1_000

    world.run(scenario)
    unsettled = world.deliveries("a")
    assert {row.state for row in unsettled.values()} <= {State.FAILED}
    delivered = {call.sequence for call in replayed(world) if call.is_delivered}
    assert delivered | set(unsettled) == set(range(1, 3_001))
    assert len(delivered) > 2_900


def test_a_sparse_replay_goes_on_over_several_writes(world: ScriptedWorld) -> None:
    """More entries than one transaction looks through lie between those that were asked for."""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", types=types("documentCreated"))
        await gateway.create("x")
        for _ in range(24):
            await gateway.update("x", times=1_000)
        await gateway.create("y")
        await gateway.until_recorded()
        replay_id = await gateway.replay("a", "all")
        await asyncio.sleep(0.05)
        assert (await gateway.replay_of("a", replay_id)).state is ReplayState.RUNNING

    async def after_a_stop(gateway: RunningGateway) -> None:
        (looked_through,) = world.query("SELECT cursor FROM replay")[0]
        assert looked_through < 24_000, "the stop waited for the replay"
        await asyncio.sleep(1)
        assert (await gateway.replay_of("a", world.replays[0])).state is ReplayState.FINISHED

    world.run(scenario)
    world.run(after_a_stop)
    assert [call.sequence for call in replayed(world)] == [1, 24_002]


def test_one_that_was_started_just_before_a_crash_needs_nothing_else_to_begin(world: ScriptedWorld) -> None:
    async def first(gateway: RunningGateway) -> None:
        await given_up(gateway, "x")
        await gateway.replay("a", "failed")

    async def second(_gateway: RunningGateway) -> None:
        world.endpoint("a").answers(Reply())
        await asyncio.sleep(1)

    world.crash(first)
    assert replayed(world) == []
    world.run(second)
    assert [call.sequence for call in replayed(world)] == [1]


def test_one_that_is_started_while_the_lane_is_loaded_anew_begins_after_that(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await given_up(gateway, "x")
        world.endpoint("a").answers(Reply())
        subscription = gateway.of("a")
        world.faults.slow_read = 1.0
        await gateway.change("a", ordering="strict")
        await gateway.submit(
            StartReplay(
                tenant_id=TENANT, subscription_id=subscription.id, replay_id=world.uuid("r"),
                choice=ReplayChoice("failed"), count=1, count_is_capped=False,
                range=ReplayRange(from_at=0, to_at=gateway.clock.wall(), from_sequence=1, to_sequence=1),
            )
        )  # fmt: skip
        await asyncio.sleep(0.5)
        assert replayed(world) == []
        await asyncio.sleep(5)

    world.run(scenario)
    assert [call.sequence for call in replayed(world)] == [1]


# --- Fenced and crashed -----------------------------------------------------------------------------------------------


def test_a_lane_that_another_owner_wrote_takes_its_replays_from_the_store(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await given_up(gateway, *(f"d{number}" for number in range(1_500)))
        world.endpoint("a").answers(Reply(after=0.5))
        replay_id = await gateway.replay("a", "failed")
        await asyncio.sleep(2)
        (other,) = (await gateway.store.lanes.load([LaneWanted(gateway.of("a"), 1)])).values()
        write = LaneFlush(
            tenant_id=TENANT,
            subscription_number=gateway.of("a").number,
            version=other.version,
            head=other.head,
            open=(),
            gaps=(),
            health=other.health,
            rows={},
            abandoned_to=0,
            attempts=(),
            retries_done=(),
            replays=(),
            look_up=(),
            refill=0,
            feed=None,
        )
        assert await gateway.store.lanes.record([write])
        await asyncio.sleep(300)
        found = await gateway.replay_of("a", replay_id)
        assert (found.state, found.queued) == (ReplayState.FINISHED, 1_500)

    world.run(scenario)
    assert {call.sequence for call in replayed(world)} == set(range(1, 1_501))
    assert world.deliveries("a") == {}


def test_an_order_that_is_changed_meanwhile_loses_no_part_of_a_replay(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await given_up(gateway, *(f"d{number}" for number in range(1_500)))
        world.endpoint("a").answers(Reply(after=0.5))
        replay_id = await gateway.replay("a", "failed")
        for ordering in ("strict", "loose", "strict"):
            await asyncio.sleep(0.7)
            await gateway.change("a", ordering=ordering)
        second = await gateway.replay("a", "all", last=3)  # while the lane is loaded again
        await asyncio.sleep(300)
        assert [(await gateway.replay_of("a", each)).queued for each in (replay_id, second)] == [1_500, 3]

    world.run(scenario)
    assert sorted(call.sequence for call in replayed(world)) == sorted([*range(1, 1_501), 1, 2, 3])


class Auditor:
    """Holds every call of a replay against what was recorded when its life began."""

    def __init__(self, world: ScriptedWorld) -> None:
        self._world = world
        self._known: dict[int, list[str | None]] = {}
        world.checks.append(self.check)

    def read(self) -> None:
        found = self._world.query("SELECT sequence, failure FROM attempt WHERE run > 0 ORDER BY started_at")
        self._known = {}
        for sequence, failure in found:
            self._known.setdefault(sequence, []).append(failure)
        assert all(failures.count(None) <= 1 for failures in self._known.values()), "delivered twice, recorded twice"

    def check(self, call: SentRequest) -> None:
        if call.is_replay:
            failures = self._known.get(call.sequence, [])
            assert None not in failures, f"recorded as delivered, and sent again: {call}"
            assert len(failures) < 4, f"all attempts were used: {call}"

    def ended(self, call: SentRequest) -> None:
        if call.is_replay and call.outcome is not None and call.outcome.failure != "cut":
            self._known.setdefault(call.sequence, []).append(call.outcome.failure)


@pytest.mark.parametrize("seed", cases(range(8), range(0, 8, 2)))
def test_over_crashes_every_failed_one_is_replayed_and_none_twice_but_the_unrecorded(
    world: ScriptedWorld, seed: int
) -> None:
    random = Random(seed)
    many = random.choice([50, 700, 1_500])
    auditor = Auditor(world)
    world.on_end = auditor.ended

    async def begin(gateway: RunningGateway) -> None:
        await given_up(gateway, *(f"d{number % 300}-{number}" for number in range(many)))
        await gateway.replay("a", "failed")
        world.endpoint("a").answer = lambda _call: _answers(random)

    async def work(gateway: RunningGateway) -> None:
        while True:
            for _ in range(random.randrange(4)):
                await gateway.submit(world.create(f"new{random.randrange(10**9)}"))
            if random.random() < 0.3:
                changes = random.choice([{"ordering": random.choice(["loose", "strict"])}, {"status": "paused"}])
                ids = world.ids["a"]
                await gateway.submit(
                    PatchSubscription(tenant_id=TENANT, subscription_id=ids, patch=subscription_patch(**changes))
                )
                await asyncio.sleep(random.choice([0.0, 0.03, 1.0]))
                await gateway.change("a", status="active")
            await asyncio.sleep(random.choice([0.001, 0.02, 0.5, 12.0]))

    async def end(gateway: RunningGateway) -> None:
        world.endpoint("a").answers(Reply())
        await gateway.change("a", status="active")
        await asyncio.sleep(3_600)
        found = await gateway.replay_of("a", world.replays[0])
        assert (found.state, found.queued) == (ReplayState.FINISHED, many)

    world.crash(begin)
    for _ in range(6):
        auditor.read()
        world.crash(work, turns=random.randrange(1, random.choice([30, 300, 2_000])))
        world.time.now += random.choice([0.0, 1.0, 50.0])
    auditor.read()
    world.run(end)

    assert world.logged("error", "") == 0
    gone = {row.sequence for row in world.deliveries("a").values() if row.run > 0}
    assert {row.state for row in world.deliveries("a").values()} <= {State.FAILED}
    delivered = {call.sequence for call in replayed(world) if call.is_delivered}
    assert delivered | gone == set(range(1, many + 1))
    for sequence in gone:
        assert sum(a.counted for a in world.attempts("a", sequence) if a.run > 0) == 4


def _answers(random: Random) -> Reply:
    chance = random.random()
    if chance < 0.7:
        return Reply(after=random.choice([0.001, 0.01, 0.3]))
    return REFUSED if chance < 0.75 else BROKEN


def test_the_time_at_which_a_replay_was_found_is_when_it_is_due(world: ScriptedWorld) -> None:
    """A replayed delivery waits for nothing but its turn."""

    async def scenario(gateway: RunningGateway) -> None:
        await given_up(gateway, "x")
        world.endpoint("a").answers(Reply())
        asked_at = gateway.loop.time()
        await gateway.replay("a", "failed")
        await asyncio.sleep(1)
        (call,) = replayed(world)
        assert call.at - asked_at < 0.1
        assert call.signed_at == gateway.world.wall.at(call.at) // SECOND

    world.run(scenario)
