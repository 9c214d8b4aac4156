"""When a failed attempt is tried again, and when no more (C15, C16); retries by hand."""

import asyncio
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld, seconds_between
from gateway.tests.world.network import BROKEN, HANG, REFUSED, Reply
from gateway.tests.world.virtual_time import BEGINNING

from signalpost.domain.delivery.delivery import State
from signalpost.domain.timestamps import SECOND

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]


@pytest.mark.parametrize("reply", [BROKEN, HANG, REFUSED, Reply(status=302), Reply(status=404)])
def test_four_attempts_at_10_60_and_300_seconds_and_then_it_is_given_up_c16(world: ScriptedWorld, reply: Reply) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(reply)
        for number in range(4):  # so few that the breaker stays closed
            await gateway.create(f"d{number}")
        await asyncio.sleep(1_200)
        for sequence in range(1, 5):
            calls = world.endpoint("a").of(sequence)
            assert [call.attempt for call in calls] == [1, 2, 3, 4]
            row = world.deliveries("a")[sequence]
            assert (row.state, row.failed_attempts, row.run) == (State.FAILED, 4, 0)
            attempts = gateway.attempts("a", sequence)
            assert [(a.number, a.counted) for a in attempts] == [(1, 1), (2, 1), (3, 1), (4, 1)]
            waits = seconds_between(calls)
            assert all(least <= wait for least, wait in zip((10, 60, 300), waits, strict=True)), waits
        assert world.lane("a").open == []

    world.run(scenario)


def test_jitter_spreads_retries_over_a_fifth_and_never_makes_one_early_c16(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        broken = {sequence for sequence in range(1, 300) if sequence % 2}
        world.endpoint("a").answer = lambda call: BROKEN if call.sequence in broken else Reply()
        for number in range(1_200):  # enough that something succeeds all the time, and the breaker stays closed
            await gateway.create(f"d{number}")
            await asyncio.sleep(0.5)
        waits = [seconds_between(world.endpoint("a").of(sequence)) for sequence in sorted(broken)]
        for position, delay in enumerate((10.0, 60.0, 300.0)):
            of_these = [wait[position] for wait in waits]
            assert min(of_these) >= delay
            assert max(of_these) < delay * 1.2 + 0.1
            assert min(of_these) < delay * 1.02
            assert max(of_these) > delay * 1.18

    world.run(scenario)


def test_a_subscriptions_own_delays_replace_the_schedule(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("two", delays=(1,))
        await gateway.subscribe("one", delays=())
        for host in ("one", "two"):
            world.endpoint(host).answers(BROKEN)
        await gateway.create("x")
        await asyncio.sleep(100)
        assert [call.attempt for call in world.endpoint("two").calls] == [1, 2]
        assert [call.attempt for call in world.endpoint("one").calls] == [1]
        assert [world.deliveries(host)[1].state for host in ("one", "two")] == [State.FAILED, State.FAILED]

    world.run(scenario)


@pytest.mark.parametrize(
    ("retry_after", "least"),
    [
        ("2", 10),
        ("120", 120),
        ("999999", 3_600),
        (format_datetime(datetime.fromtimestamp(BEGINNING / SECOND + 1_000 + 200, UTC), usegmt=True), 199),
    ],
)
def test_retry_after_lengthens_the_wait_and_holds_everything_else_c16(
    world: ScriptedWorld, retry_after: str, least: int
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.subscribe("b")
        first = Reply(status=429, retry_after=retry_after)
        world.endpoint("a").answer = lambda call: first if call.attempt == 1 and call.sequence == 1 else Reply()
        await gateway.create("x")
        await asyncio.sleep(0.5)
        await gateway.create("y", "z")
        await asyncio.sleep(1.3 * 3_600)
        calls = world.endpoint("a").calls
        ended = calls[0].ended_at
        assert [call.attempt for call in world.endpoint("a").of(1)] == [1, 2]
        assert least <= world.endpoint("a").of(1)[1].at - ended <= max(10, least) * 1.2 + 2
        hold = min(least, 3_600) if retry_after != "2" else 2
        assert all(call.at - ended >= hold for call in calls[1:])
        assert world.endpoint("a").of(2)[0].at - ended < hold + 2.5
        assert [call.at for call in world.endpoint("b").calls][-1] < ended + 5

    world.run(scenario)


def test_retry_after_holds_a_probe_of_an_open_breaker_too_c16(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(BROKEN)
        for number in range(40):
            await gateway.create(f"d{number}")
            await asyncio.sleep(2)
        await gateway.until(lambda: gateway.health("a")["breaker"] == "open")
        await asyncio.sleep(6)
        seen = len(world.endpoint("a").calls)
        world.endpoint("a").answers(Reply(status=503, retry_after="3000"))
        await gateway.until(lambda: len(world.endpoint("a").calls) > seen)
        await asyncio.sleep(2_999)
        assert len(world.endpoint("a").calls) == seen + 1
        world.endpoint("a").answers(Reply())
        await asyncio.sleep(400)
        assert len(world.endpoint("a").calls) > seen + 30

    world.run(scenario)


@pytest.mark.parametrize("answered_after", [0.1, 3.0], ids=["before the move", "after the move"])
def test_a_wait_that_the_former_url_asked_for_does_not_hold_the_new_one_c16(
    world: ScriptedWorld, answered_after: float
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(Reply(status=503, retry_after="3600", after=answered_after))
        await gateway.create("x")
        await asyncio.sleep(1)
        await gateway.change("a", url="https://b/hook")
        await asyncio.sleep(5)
        assert gateway.of("a").url == "https://b/hook"
        await gateway.create("y")
        await gateway.until(lambda: world.endpoint("b").sequences == [2], within=2)
        assert len(world.endpoint("a").calls) == 1

    world.run(scenario)


def test_attempts_cut_by_a_shutdown_do_not_count_c16(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answer = lambda call: BROKEN if call.attempt == 1 and call.sequence == 1 else HANG
        await gateway.create("x")
        await gateway.until(lambda: len(world.endpoint("a").calls) == 2)
        await gateway.create("y")
        await asyncio.sleep(1)

    world.run(scenario, grace=0.5)
    assert [(a.number, a.counted, a.failure) for a in world.attempts("a", 1)] == [(1, 1, "status"), (2, 0, "cut")]
    assert [(a.number, a.counted, a.failure) for a in world.attempts("a", 2)] == [(1, 0, "cut")]
    world.endpoint("a").answers(BROKEN)

    async def later(_gateway: RunningGateway) -> None:
        await asyncio.sleep(1_000)

    world.run(later)
    assert [call.attempt for call in world.endpoint("a").of(1)] == [1, 2, 2, 3, 4]
    assert [call.attempt for call in world.endpoint("a").of(2)] == [1, 1, 2, 3, 4]
    assert world.endpoint("a").of(1)[2].process == 2


@pytest.mark.parametrize("crash", [True, False])
def test_retries_keep_their_times_and_numbers_over_a_restart_c16(world: ScriptedWorld, crash: bool) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answer = lambda call: BROKEN if call.attempt < 3 else Reply()
        await gateway.create("x", "y")
        await gateway.until(lambda: len(world.endpoint("a").calls) == 4)
        await gateway.until_recorded()

    async def second(_gateway: RunningGateway) -> None:
        await asyncio.sleep(500)

    (world.crash if crash else world.run)(first)
    due = {sequence: row.due for sequence, row in world.deliveries("a").items()}
    world.time.now += 5
    world.run(second)
    for sequence in (1, 2):
        calls = world.endpoint("a").of(sequence)
        assert [call.attempt for call in calls] == [1, 2, 3]
        assert 0 <= world.wall.at(calls[2].at) - due[sequence] < 0.1 * SECOND


@pytest.mark.parametrize("step", [-3_600, 3_600])
def test_a_step_of_the_wall_clock_neither_stalls_nor_fires_retries_c16(world: ScriptedWorld, step: int) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x")
        await asyncio.sleep(5)
        world.wall.offset = step * SECOND
        await gateway.create("y")
        await gateway.until(lambda: len(world.endpoint("a").calls) == 8, within=500)
        for sequence in (1, 2):
            waits = seconds_between(world.endpoint("a").of(sequence))
            assert all(d <= wait <= d * 1.2 + 0.1 for d, wait in zip((10, 60, 300), waits, strict=True)), waits
        await gateway.create("z")
        log = await gateway.log()
        assert [event.at for event in log] == sorted({event.at for event in log})

    world.run(scenario)


# --- By hand ----------------------------------------------------------------------------------------------------------


def test_a_retry_by_hand_of_one_that_awaits_a_retry_is_extra_and_its_schedule_stays(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x")
        await gateway.until(lambda: len(world.endpoint("a").calls) == 2)
        await gateway.until_recorded()
        due = world.deliveries("a")[1].due
        await asyncio.sleep(5)
        asked_at = gateway.loop.time()
        await gateway.retry("a", 1)
        await gateway.until(lambda: len(world.endpoint("a").calls) == 3)
        assert world.endpoint("a").calls[2].at - asked_at < 0.2
        await gateway.until_recorded()
        row = world.deliveries("a")[1]
        assert (row.state, row.due, row.failed_attempts) == (State.AWAITING_RETRY, due, 2)
        await asyncio.sleep(1_000)
        calls = world.endpoint("a").of(1)
        assert len(calls) == 5
        assert not any(call.is_replay for call in calls)
        assert [a.counted for a in gateway.attempts("a", 1)] == [1, 1, 0, 1, 1]
        assert 0 <= world.wall.at(calls[3].at) - due < 0.1 * SECOND
        assert world.deliveries("a")[1].failed_attempts == 4

    world.run(scenario)


def test_a_retry_by_hand_that_succeeds_ends_the_schedule(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x")
        await asyncio.sleep(1)
        world.endpoint("a").answers(Reply())
        await gateway.retry("a", 1)
        await asyncio.sleep(1_000)
        assert len(world.endpoint("a").calls) == 2
        assert world.deliveries("a") == {}

    world.run(scenario)


def test_a_retry_by_hand_of_a_failed_or_delivered_one_is_a_new_run(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(1,))
        world.endpoint("a").answer = lambda call: BROKEN if call.sequence == 1 else Reply()
        await gateway.create("x", "y")
        await asyncio.sleep(10)
        assert world.deliveries("a")[1].state == State.FAILED
        await gateway.retry("a", 1)
        await gateway.retry("a", 2)
        await asyncio.sleep(100)
        shown = [(call.attempt, call.is_replay) for call in world.endpoint("a").of(1)]
        assert shown == [(1, False), (2, False), (1, True)]
        assert [(call.attempt, call.is_replay) for call in world.endpoint("a").of(2)] == [(1, False), (1, True)]
        row = world.deliveries("a")[1]
        assert (row.state, row.run) == (State.FAILED, 1)
        assert list(world.deliveries("a")) == [1]
        world.endpoint("a").answers(Reply())
        await gateway.retry("a", 1)
        await asyncio.sleep(100)
        assert world.deliveries("a") == {}
        assert len(world.endpoint("a").of(1)) == 4
        assert world.query("SELECT * FROM retry") == []

    world.run(scenario)


def test_a_retry_by_hand_of_a_pending_one_does_nothing(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(Reply(after=3))
        await gateway.create(*(f"d{number}" for number in range(20)))
        await gateway.retry("a", 1)  # under way
        await gateway.retry("a", 20)  # waits
        await asyncio.sleep(200)
        assert len(world.endpoint("a").calls) == 20
        assert world.query("SELECT * FROM retry") == []

    world.run(scenario)


@pytest.mark.parametrize("kind", ["first", "retry", "last", "extra"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_retry_by_hand_during_an_attempt_that_fails_is_made_right_after_it_c16(
    world: ScriptedWorld, kind: str, times: int
) -> None:
    """The request was answered 202. However often it is repeated meanwhile, one attempt follows."""
    under_way = {"first": 1, "retry": 2, "last": 3, "extra": 3}[kind]

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(50, 50, 50) if kind == "extra" else (50, 50))
        world.endpoint("a").answers(Reply(status=500, after=3))
        await gateway.create("x")
        await gateway.until(lambda: len(world.endpoint("a").calls) == min(under_way, 2))
        if kind == "extra":
            await asyncio.sleep(10)
            await gateway.retry("a", 1)
        await gateway.until(lambda: len(world.endpoint("a").calls) == under_way)
        for _ in range(times):
            await gateway.retry("a", 1)
        await asyncio.sleep(2)
        assert len(world.endpoint("a").calls) == under_way
        await asyncio.sleep(10)
        calls = world.endpoint("a").calls
        assert len(calls) == under_way + 1
        assert 0 <= calls[-1].at - calls[-2].ended_at < 0.2
        assert calls[-1].is_replay == (kind == "last")
        assert [a.counted for a in gateway.attempts("a", 1)][-2:] == [kind != "extra", kind == "last"]
        assert world.query("SELECT * FROM retry") == []
        await asyncio.sleep(1_000)
        counted = sum(attempt.counted for attempt in gateway.attempts("a", 1) if attempt.run == 0)
        assert counted == (4 if kind == "extra" else 3)

    world.run(scenario)


def test_a_retry_by_hand_during_an_attempt_that_delivers_is_made_by_it(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(Reply(after=3))
        await gateway.create("x")
        await asyncio.sleep(1)
        await gateway.retry("a", 1)
        await asyncio.sleep(100)
        assert len(world.endpoint("a").calls) == 1
        assert world.query("SELECT * FROM retry") == []

    world.run(scenario)


@pytest.mark.parametrize("turns", range(0, 60, 2))
def test_a_retry_by_hand_during_the_last_attempt_survives_a_crash_c16(world: ScriptedWorld, turns: int) -> None:
    """The process ends at any moment from shortly before the end of that attempt on; then all is well."""

    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=())
        world.endpoint("a").answers(Reply(status=500, after=3))
        await gateway.create("x")
        await asyncio.sleep(1)
        await gateway.retry("a", 1)
        await asyncio.sleep(1.99)
        gateway.turns_left = turns
        await asyncio.sleep(100)

    async def second(_gateway: RunningGateway) -> None:
        world.endpoint("a").answers(Reply())
        await asyncio.sleep(100)

    world.crash(first)
    world.run(second)
    attempt, *_, by_hand = world.endpoint("a").calls
    assert len(world.endpoint("a").calls) <= 3
    assert by_hand.at > attempt.at + 2.9
    assert by_hand.is_delivered or (by_hand.process == 1 and by_hand.ended_at is not None)
    assert (world.deliveries("a") == {}) == by_hand.is_delivered
    assert world.query("SELECT * FROM retry") == []


@pytest.mark.parametrize("answered_after", [0.0005, 0.01, 0.1])
def test_a_retry_by_hand_during_an_attempt_that_a_crash_ends_is_done_once_that_is_repeated_and_delivered_c16(
    world: ScriptedWorld, answered_after: float
) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(Reply(after=4.9))
        await gateway.create("x")
        await asyncio.sleep(1)
        await gateway.retry("a", 1)

    async def second(_gateway: RunningGateway) -> None:
        await asyncio.sleep(100)

    world.crash(first)
    world.endpoint("a").answers(Reply(after=answered_after))
    world.faults.slow_record = 0.02
    world.run(second)
    _, repeated = world.endpoint("a").calls
    assert repeated.is_delivered
    assert world.query("SELECT * FROM retry") == []


def test_a_retry_by_hand_during_an_attempt_that_a_stop_cuts_short_comes_after_the_restart_c16(
    world: ScriptedWorld,
) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(3_000,))
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x")
        await asyncio.sleep(1)
        world.endpoint("a").answers(HANG)
        await gateway.retry("a", 1)
        await gateway.until(lambda: len(world.endpoint("a").calls) == 2)
        await gateway.retry("a", 1)

    async def second(_gateway: RunningGateway) -> None:
        world.endpoint("a").answers(BROKEN)
        await asyncio.sleep(10)

    world.run(first, grace=0.5)
    world.time.now += 1
    world.run(second)
    assert [call.process for call in world.endpoint("a").calls] == [1, 1, 2]
    assert [attempt.counted for attempt in world.attempts("a", 1)] == [1, 0, 0]
    assert world.query("SELECT * FROM retry") == []


@pytest.mark.parametrize("turns", range(0, 60, 2))
def test_a_retry_by_hand_survives_a_crash_before_its_attempt(world: ScriptedWorld, turns: int) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=())
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x")
        await asyncio.sleep(1)
        world.endpoint("a").answers(Reply())
        await gateway.retry("a", 1)
        gateway.turns_left = turns
        await asyncio.sleep(100)

    async def second(_gateway: RunningGateway) -> None:
        await asyncio.sleep(100)

    world.crash(first)
    world.run(second)
    calls = world.endpoint("a").calls
    assert calls[-1].is_delivered
    assert 2 <= len(calls) <= 3
    assert all((call.attempt, call.is_replay) == (1, True) for call in calls[1:])
    assert world.deliveries("a") == {}
    assert world.query("SELECT * FROM retry") == []


def test_a_retry_by_hand_reaches_a_delivery_whose_retry_is_in_the_store_alone(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await _park_many(world, gateway, 4_500)
        asked_at = gateway.loop.time()
        # The later it failed the surer it is in the store alone.
        late = max(world.deliveries("a").values(), key=lambda row: row.due)
        await gateway.retry("a", late.sequence)
        await asyncio.sleep(5)
        call = world.endpoint("a").of(late.sequence)[-1]
        assert asked_at <= call.at < asked_at + 1
        await gateway.until_recorded()
        assert world.deliveries("a")[late.sequence] == late

    world.run(scenario)


def test_more_deliveries_awaiting_a_retry_than_memory_keeps_are_all_retried_in_time_c16(world: ScriptedWorld) -> None:
    many = 5_000

    async def scenario(gateway: RunningGateway) -> None:
        await _park_many(world, gateway, many)
        world.endpoint("a").answers(Reply())
        await gateway.until(lambda: world.endpoint("a").successes == many, within=2_000, every=1.0)

    world.run(scenario)
    for sequence in range(1, many + 1):
        first, *_, last = world.endpoint("a").of(sequence)
        assert last.attempt == 2
        assert (first.ended_at) + 600 <= last.at < (first.ended_at) + 600 * 1.2 + 1
    assert world.deliveries("a") == {}


def test_more_deliveries_awaiting_a_retry_than_memory_keeps_survive_a_crash_c16(world: ScriptedWorld) -> None:
    many = 2_500

    async def first(gateway: RunningGateway) -> None:
        await _park_many(world, gateway, many)

    async def second(gateway: RunningGateway) -> None:
        await gateway.change("a", status="paused")
        await asyncio.sleep(700)
        await gateway.change("a", status="active", rateLimit=100)
        world.endpoint("a").answers(Reply())
        await gateway.until(lambda: world.endpoint("a").successes == many, within=2_000, every=1.0)
        assert gateway.store.lanes.refills < 10

    world.crash(first)
    world.run(second)
    assert len(world.endpoint("a").calls) == 2 * many
    assert world.deliveries("a") == {}


async def _park_many(world: ScriptedWorld, gateway: RunningGateway, many: int) -> None:
    """`many` deliveries wait for their only retry, all within 400 s."""
    await gateway.subscribe("a", delays=(600, 600))
    world.endpoint("a").answers(BROKEN)
    # The breaker must not open: it takes a minute, and this takes less.
    await gateway.create(*(f"d{number}" for number in range(many)))
    await gateway.until(lambda: len(world.deliveries("a")) == many, within=55, every=0.5)
