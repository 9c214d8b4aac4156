"""What holds an endpoint's sends back: breaker, concurrency, rate limit, what is not recorded yet."""

import asyncio

import pytest
from gateway.tests.bodies import subscription_patch
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.world.network import BROKEN, HANG, Reply, SentRequest
from msgspec.structs import replace

from signalpost.commands.subscriptions import PatchSubscription
from signalpost.commands.tenants import ChangeTenant
from signalpost.domain.access.tenant_limits import LimitsPatch
from signalpost.domain.delivery.explanation import HeldUp
from signalpost.domain.errors import TooMany, Unavailable
from signalpost.domain.event import EventType
from signalpost.domain.timestamps import SECOND
from signalpost.engine.lanes import dispatcher, lane_worker
from signalpost.sharing.slots import DEFAULTS

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]


async def _open_breaker(world: ScriptedWorld, gateway: RunningGateway, reply: Reply = BROKEN) -> None:
    """Make the breaker of `a` open, which takes some 60 events."""
    world.endpoint("a").answers(reply)
    for number in range(80):
        await gateway.create(f"d{number}")
        await asyncio.sleep(1)
        if gateway.health("a")["breaker"] == "open":
            return
    raise AssertionError("it did not open")


def test_the_breaker_opens_after_20_failures_over_a_minute_and_not_before(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("many")
        await gateway.subscribe("few")
        for host in ("many", "few"):
            world.endpoint(host).answers(BROKEN)
        await gateway.create(*(f"d{number}" for number in range(4)))
        await asyncio.sleep(55)
        assert gateway.health("many")["breaker"] == "closed"
        await gateway.change("few", status="paused")
        await gateway.create(*(f"e{number}" for number in range(30)))
        await asyncio.sleep(0.4)
        assert len(world.endpoint("many").calls) > 20
        assert gateway.health("many")["breaker"] == "closed"
        await asyncio.sleep(30)
        assert gateway.health("many")["breaker"] == "open"
        assert gateway.health("many")["state"] == "failing"
        await asyncio.sleep(100)
        assert gateway.health("few")["breaker"] == "closed"

    world.run(scenario)


def test_an_open_breaker_lets_one_probe_at_a_time_through_10_s_doubling_to_5_min(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(10,) * 10)
        await _open_breaker(world, gateway)
        opened = gateway.loop.time()
        await gateway.create(*(f"e{number}" for number in range(100)))
        await asyncio.sleep(3_000)
        calls = world.endpoint("a").calls
        probes = [call for call in calls if call.at > opened]
        ends = [
            max(call.ended_at for call in calls if call.at <= opened),
            *(call.ended_at for call in probes),
        ]
        waits = [probe.at - end for end, probe in zip(ends, probes, strict=False)]
        expected = [min(10 * 2**exponent, 300) for exponent in range(len(waits))]
        assert all(least <= wait <= least * 1.2 + 0.1 for least, wait in zip(expected, waits, strict=True)), waits
        assert waits[-1] >= 300
        assert gateway.health("a")["lag"] >= 90

    world.run(scenario)


def test_one_success_closes_the_breaker_and_what_waited_goes_out(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await _open_breaker(world, gateway)
        world.endpoint("a").answers(Reply())
        await gateway.create(*(f"e{number}" for number in range(100)))
        await asyncio.sleep(60)
        health = gateway.health("a")
        assert (health["breaker"], health["state"], health["lastError"]) == ("closed", "healthy", None)
        await asyncio.sleep(400)
        last = (await gateway.log())[-1].sequence
        assert sorted(world.endpoint("a").sequences) == list(range(1, last + 1))

    world.run(scenario)


@pytest.mark.parametrize("crash", [True, False])
def test_an_open_breaker_survives_a_restart(world: ScriptedWorld, crash: bool) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await _open_breaker(world, gateway)
        await asyncio.sleep(30)

    async def second(gateway: RunningGateway) -> None:
        assert gateway.health("a")["breaker"] == "open"
        await asyncio.sleep(100)
        assert len(world.endpoint("a").calls) <= seen + 5
        assert world.endpoint("a").max_in_flight <= 4

    (world.crash if crash else world.run)(first)
    seen = len(world.endpoint("a").calls)
    world.run(second)


@pytest.mark.parametrize("crash", [True, False])
def test_a_new_url_starts_with_a_closed_breaker_and_stays_so(world: ScriptedWorld, crash: bool) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await _open_breaker(world, gateway)
        await asyncio.sleep(100)
        await gateway.change("a", status="paused")
        await asyncio.sleep(100)
        await gateway.change("a", url="https://new-place/hook")
        assert gateway.health("a")["breaker"] == "closed"
        await gateway.until_recorded()

    async def second(gateway: RunningGateway) -> None:
        assert gateway.health("a")["breaker"] == "closed"
        await gateway.change("a", status="active")
        await asyncio.sleep(500)
        assert len(world.endpoint("new-place").sequences) > 60

    (world.crash if crash else world.run)(first)
    world.run(second)


def test_what_the_former_url_still_answers_says_nothing_of_the_new_one_c16(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(Reply(status=503, after=3, retry_after="3600"))
        await gateway.create("x")
        await asyncio.sleep(1)
        await gateway.change("a", url="https://new-place/hook")
        await asyncio.sleep(10)
        assert world.endpoint("a").in_flight == 0
        assert (gateway.health("a")["state"], gateway.health("a")["lastError"]) == ("healthy", None)
        await gateway.create("y")
        await asyncio.sleep(1)
        assert world.endpoint("new-place").sequences == [2]

    world.run(scenario)


def test_an_endpoint_starts_with_few_at_a_time_and_gets_more_while_it_is_fast(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(Reply(after=0.2))
        await gateway.create(*(f"d{number}" for number in range(2_000)))
        await asyncio.sleep(0.1)
        assert 1 <= world.endpoint("a").max_in_flight <= 4
        await gateway.until(lambda: world.endpoint("a").successes == 2_000)
        assert world.endpoint("a").max_in_flight == 128
        assert gateway.loop.time() < 1_000 + 15

    world.run(scenario)


def test_a_slow_endpoint_gets_no_more_and_one_that_hangs_half(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("slow")
        await gateway.subscribe("hangs")
        world.endpoint("slow").answers(Reply(after=2))
        world.endpoint("hangs").answer = lambda call: HANG if call.sequence > 300 else Reply(after=0.1)
        await gateway.create(*(f"d{number}" for number in range(600)))
        await gateway.until(lambda: world.endpoint("hangs").successes == 300)
        assert world.endpoint("hangs").max_in_flight > 20
        await asyncio.sleep(30)
        now = gateway.loop.time()
        assert world.endpoint("hangs").in_flight <= 1
        assert sum(call.at > now - 20 for call in world.endpoint("hangs").calls) <= 4
        assert world.endpoint("slow").max_in_flight == 4

    world.run(scenario)


def test_a_process_has_a_bounded_number_under_way_and_serves_all_in_turns(world: ScriptedWorld) -> None:
    hosts = [f"h{number}" for number in range(20)]

    async def scenario(gateway: RunningGateway) -> None:
        for host in hosts:
            await gateway.subscribe(host)
            world.endpoint(host).answers(Reply(after=0.5))
        await gateway.create(*(f"d{number}" for number in range(1_000)))
        await asyncio.sleep(20)
        progress = [world.endpoint(host).successes for host in hosts]
        assert min(progress) > 0.5 * max(progress)
        await gateway.until(lambda: all(world.endpoint(host).successes == 1_000 for host in hosts))
        assert gateway.network.max_in_flight <= DEFAULTS.process * 4 // 5 + 1
        assert gateway.network.max_in_flight > DEFAULTS.process * 3 // 4

    world.run(scenario)


def test_endpoints_that_hang_do_not_hold_up_one_that_answers(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        for number in range(300):
            await gateway.subscribe(f"hangs{number}")
            world.endpoint(f"hangs{number}").answers(HANG)
        await gateway.subscribe("good")
        await gateway.create("first")
        await asyncio.sleep(20)
        await gateway.create(*(f"d{number}" for number in range(500)))
        started = gateway.loop.time()
        await gateway.until(lambda: world.endpoint("good").successes == 501)
        assert gateway.loop.time() - started < 1
        world.endpoint("good").answer = lambda call: Reply(status=500 if call.attempt == 1 else 200)
        await gateway.create("last")
        await asyncio.sleep(15)
        assert world.endpoint("good").successes == 502

    world.run(scenario)


BEHIND = [f"behind{number}" for number in range(12)]


async def _resume_before_live(world: ScriptedWorld, gateway: RunningGateway, each: int) -> None:
    """Resume those behind, each with so many to send, and right after them publish the one that `live` wants."""
    order: list[str] = []

    def note(call: SentRequest) -> Reply:
        order.append(call.host)
        return Reply()

    for host in (*BEHIND, "live"):
        world.endpoint(host).answer = note
    resumed = (
        PatchSubscription(tenant_id=TENANT, subscription_id=world.ids[host], patch=subscription_patch(status="active"))
        for host in BEHIND
    )
    await gateway.submit(*resumed, world.update("d0"))
    await gateway.until(lambda: all(world.endpoint(host).successes == each for host in BEHIND))
    assert order.index("live") < len(BEHIND) // 4


def test_lanes_that_catch_up_do_not_go_before_one_that_keeps_up(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("live", types=EventType.UPDATED)
        for host in BEHIND:
            await gateway.subscribe(host, types=EventType.CREATED, status="paused")
        behind = 2 * dispatcher.BEHIND_FROM
        await gateway.create(*(f"d{number}" for number in range(behind)))
        await _resume_before_live(world, gateway, behind)

    world.run(scenario)


def test_lanes_with_much_to_send_of_what_they_read_do_not_go_before_one_that_keeps_up(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("live", types=EventType.UPDATED)
        for host in BEHIND:
            await gateway.subscribe(host, types=EventType.CREATED)
            world.endpoint(host).answers(Reply(after=4))
        await gateway.create(*(f"d{number}" for number in range(400)))
        await asyncio.sleep(1)
        assert all(gateway.engine.lanes.views.head(gateway.of(host)) == 400 for host in BEHIND)
        for host in BEHIND:
            await gateway.change(host, status="paused")
        await asyncio.sleep(5)
        await _resume_before_live(world, gateway, 400)

    world.run(scenario)


def test_endpoints_that_failed_for_long_are_served_again_once_they_answer(world: ScriptedWorld) -> None:
    hosts = [f"h{number}" for number in range(200)]

    async def scenario(gateway: RunningGateway) -> None:
        for host in hosts:
            await gateway.subscribe(host)
            world.endpoint(host).answers(HANG)
        await gateway.create(*(f"d{number}" for number in range(5)))
        await asyncio.sleep(40)
        assert sum(world.endpoint(host).in_flight for host in hosts) <= DEFAULTS.process // 2
        for host in hosts:
            world.endpoint(host).answers(Reply())
        await gateway.create("more")
        await gateway.until(lambda: all(6 in world.endpoint(host).sequences for host in hosts), within=10)
        await asyncio.sleep(800)
        assert all(sorted(world.endpoint(host).sequences) == list(range(1, 7)) for host in hosts)

    world.run(scenario)


def test_in_no_second_do_more_attempts_start_than_the_rate_limit(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", rateLimit=20)
        await gateway.subscribe("b")
        await gateway.create(*(f"d{number}" for number in range(300)))
        await gateway.until(lambda: world.endpoint("a").successes == 300)
        ats = [call.at for call in world.endpoint("a").calls]
        assert ats == sorted(ats)
        assert all(later >= at + 1 for at, later in zip(ats, ats[20:], strict=False))
        assert ats[-1] - ats[0] == pytest.approx(300 / 20 - 1, abs=0.05)
        assert max(call.at for call in world.endpoint("b").calls) - ats[0] < 2
        await gateway.change("a", rateLimit=None)
        await gateway.create(*(f"e{number}" for number in range(300)))
        await asyncio.sleep(2)
        assert world.endpoint("a").successes == 600

    world.run(scenario)


def test_a_rate_limit_counts_what_must_be_read_first_when_it_starts(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", rateLimit=20)
        await gateway.create(*(f"d{number}" for number in range(200)))
        for slow, count in ((0.0, 50), (1.5, 100), (0.3, 200)):
            world.faults.slow_read = slow
            await gateway.until(lambda count=count: world.endpoint("a").successes >= count)  # type: ignore[misc]
        ats = [call.at for call in world.endpoint("a").calls]
        assert all(later >= at + 1 for at, later in zip(ats, ats[20:], strict=False))
        assert gateway.store.log.bodies_read > 100

    world.run(scenario, cache_bytes=1)


def test_timers_do_not_pile_up_while_a_retry_is_far_away(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", rateLimit=1, delays=(3_600,))
        world.endpoint("a").answer = lambda call: BROKEN if call.sequence == 1 else Reply()
        for number in range(600):
            await gateway.create(f"d{number}")
            await asyncio.sleep(2.5 if number % 2 else 0.2)
        assert gateway.loop.timers < 20

    world.run(scenario)


def test_sending_stops_while_too_much_is_not_recorded_and_goes_on_after_that(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.create(*(f"d{number}" for number in range(2_500)))
        world.faults.record = Unavailable("The disk is full.")
        await asyncio.sleep(60)
        assert world.endpoint("a").successes <= lane_worker.MAX_UNRECORDED + 128
        assert world.endpoint("a").successes >= lane_worker.MAX_UNRECORDED
        assert "cannot be recorded since" in (gateway.engine.trouble or "")
        world.faults.record = None
        await gateway.until(lambda: world.endpoint("a").successes == 2_500)
        await gateway.until_recorded()
        assert gateway.engine.trouble is None
        assert len(world.endpoint("a").calls) == 2_500
        assert world.lane("a").head == 2_500
        assert world.lane("a").open == []

    world.run(scenario)


def test_what_a_process_has_not_recorded_is_bounded_over_all_its_lanes(world: ScriptedWorld) -> None:
    hosts = [f"h{number}" for number in range(15)]

    async def scenario(gateway: RunningGateway) -> None:
        for host in hosts:
            await gateway.subscribe(host)
        await gateway.create(*(f"d{number}" for number in range(1_100)))
        world.faults.record = Unavailable("The disk is full.")
        await asyncio.sleep(60)
        sent = sum(len(world.endpoint(host).calls) for host in hosts)
        assert sent <= dispatcher.MAX_UNRECORDED + DEFAULTS.process

    async def later(gateway: RunningGateway) -> None:
        world.faults.record = None
        await gateway.until(lambda: all(len(set(world.endpoint(host).sequences)) == 1_100 for host in hosts), every=1)
        await asyncio.sleep(10)

    world.crash(scenario)
    sent = {host: len(world.endpoint(host).calls) for host in hosts}
    world.run(later)
    for host in hosts:
        assert len(world.endpoint(host).calls) <= 1_100 + sent[host]


def test_a_process_that_was_blocked_by_records_goes_on_without_a_new_event(world: ScriptedWorld) -> None:
    hosts = [f"h{number}" for number in range(12)]

    async def scenario(gateway: RunningGateway) -> None:
        for host in hosts:
            await gateway.subscribe(host)
        await gateway.create(*(f"d{number}" for number in range(1_100)))
        world.faults.record = RuntimeError("odd")
        await asyncio.sleep(60)
        world.faults.record = None
        await gateway.until(lambda: all(world.endpoint(host).successes == 1_100 for host in hosts), every=1)
        assert all(len(world.endpoint(host).calls) == 1_100 for host in hosts)

    world.run(scenario)


def test_a_retry_and_new_events_take_turns(world: ScriptedWorld) -> None:
    """A pile of due retries starves no new event, and new events starve no retry."""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(30,))
        world.endpoint("a").answer = lambda call: (
            Reply(status=500, after=1) if call.sequence <= 40 and call.attempt == 1 else Reply(after=1.5)
        )
        await gateway.create(*(f"d{number}" for number in range(40)))
        await asyncio.sleep(15)
        await gateway.create(*(f"e{number}" for number in range(400)))
        await asyncio.sleep(45)
        calls = [call for call in world.endpoint("a").calls if 1_045 < call.at < 1_055]
        assert 20 <= len(calls) <= 40
        retries = sum(call.attempt == 2 for call in calls)
        assert 0.4 < retries / len(calls) < 0.6

    world.run(scenario)


def test_what_memory_alone_knows_of_a_delivery_is_told_to_whoever_asks_why_it_is_not_there(
    world: ScriptedWorld,
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        def held_up(host: str, sequence: int, name: str) -> HeldUp:
            lane = gateway.engine.lanes.views.here(gateway.of(host))
            assert lane is not None
            is_sending = gateway.engine.lanes.views.is_sending(gateway.of(host), sequence, world.uuid(name))
            return replace(lane.held_up, in_flight=is_sending)

        await gateway.subscribe("hangs")
        await gateway.subscribe("limited", rateLimit=1)
        await gateway.subscribe("busy")
        world.endpoint("hangs").answers(HANG)
        world.endpoint("busy").answers(Reply(status=429, retry_after="100"))
        await gateway.create("x", "y")
        await asyncio.sleep(0.5)
        now = gateway.clock.steady()
        assert held_up("hangs", 1, "x") == HeldUp(in_flight=True)
        assert not held_up("hangs", 3, "x").in_flight
        limited = held_up("limited", 2, "y").rate_limited_until
        assert limited is not None
        assert now < limited <= now + SECOND
        asked = held_up("busy", 2, "y").asked_to_wait_until
        assert asked is not None
        assert now + 99 * SECOND < asked <= now + 101 * SECOND
        await asyncio.sleep(102)
        assert held_up("limited", 2, "y") == HeldUp()

    world.run(scenario)


# --- Limits of a tenant -----------------------------------------------------------------------------------------------


async def _limit(gateway: RunningGateway, **limits: int | None) -> None:
    await gateway.submit(ChangeTenant(tenant_id=TENANT, name="default", limits=LimitsPatch(**limits)))


@pytest.mark.parametrize("crash", [True, False])
def test_a_tenant_has_no_more_attempts_in_flight_than_it_may_and_a_change_counts_at_once(
    world: ScriptedWorld, crash: bool
) -> None:
    hosts = [f"host{number}" for number in range(12)]
    most: list[int] = []

    def in_flight() -> int:
        return sum(world.endpoint(host).in_flight for host in hosts)

    def answer(_: SentRequest) -> Reply:
        most.append(in_flight())
        return Reply(after=0.5)

    async def first(gateway: RunningGateway) -> None:
        await _limit(gateway, in_flight=3)
        for host in hosts:
            world.endpoint(host).answer = answer
            await gateway.subscribe(host)
        await gateway.create(*(f"a{number}" for number in range(20)))
        await asyncio.sleep(10)
        assert max(most) <= 3

    async def second(gateway: RunningGateway) -> None:
        most.clear()
        await asyncio.sleep(5)
        assert 0 < max(most) <= 3, "also after a restart"
        await _limit(gateway, in_flight=None)
        await asyncio.sleep(5)
        assert max(most) > 3
        await _limit(gateway, in_flight=1)
        await asyncio.sleep(2)
        most.clear()
        await gateway.create(*(f"b{number}" for number in range(5)))
        await asyncio.sleep(10)
        assert max(most) == 1
        await gateway.until(lambda: all(world.endpoint(host).successes >= 25 for host in hosts))

    (world.crash if crash else world.run)(first)
    world.run(second)


def test_changes_beyond_the_rate_of_a_tenant_are_refused_and_imports_wait_for_it(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await _limit(gateway, changes_per_second=5)
        for _ in range(3):
            outcomes = await asyncio.gather(
                *(gateway.engine.submit(world.create(f"{gateway.loop.time()} {number}")) for number in range(8)),
                return_exceptions=True,
            )
            refused = [each for each in outcomes if isinstance(each, TooMany)]
            assert [(each.code, each.retry_after) for each in refused] == [("change_rate", 1)] * 3
            await asyncio.sleep(1)
        began = gateway.loop.time()
        for _ in range(20):
            await gateway.engine.limits.import_turn(TENANT)
        assert 3 <= gateway.loop.time() - began < 4
        await _limit(gateway, changes_per_second=None)
        await gateway.create(*(f"free {number}" for number in range(50)))

    world.run(scenario)
