"""An endpoint whose breaker is open is left alone until its next probe. A retry by hand, a resume and a delivered test
are that probe, and happen now (C16)."""

import asyncio
from typing import Any

import msgspec
import pytest
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.engine.test_engine_samples import try_out
from gateway.tests.world.network import BROKEN, Reply, SentRequest

from signalpost.domain.delivery.breaker import Breaker
from signalpost.domain.delivery.delivery import State
from signalpost.domain.timestamps import SECOND, format_timestamp
from signalpost.store.nouns.deliveries import DeliveryFilter
from signalpost.store.nouns.lanes import EndpointHealth

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

NOW = 0.2
"""Seconds within which something happens that happens now: a commit, and a record or two of the lane."""
DELIVERED, GIVEN_UP, DUE, NOT_DUE, NEVER_SENT = range(1, 6)
"""What `build` leaves, by sequence; the last one is made by `begin`."""
WAIT = 40
"""Seconds between the last probe and the next one."""


async def build(gateway: RunningGateway) -> None:
    endpoint = gateway.world.endpoint("a")
    endpoint.answer = lambda call: Reply() if call.sequence == DELIVERED else BROKEN
    await gateway.subscribe("a", delays=(1, 1))
    await gateway.create("delivered", "given up")
    await asyncio.sleep(10)
    await gateway.change("a", retryDelays=(5, 60, 300))
    await gateway.create("due")
    await asyncio.sleep(1)
    await gateway.change("a", retryDelays=(3_600, 3_600, 3_600))
    await gateway.create("not due")
    await asyncio.sleep(1)


def open_breaker(world: ScriptedWorld) -> None:
    """The next process finds the breaker of `a` open, and the next probe due in `WAIT` seconds."""
    world.time.now += 10
    at = world.wall.now
    breaker = Breaker(
        failures=50, failing_since=at - 600 * SECOND, probe_at=at + WAIT * SECOND, wait=WAIT * SECOND
    )  # fmt: skip
    world.query("UPDATE lane SET health = ?", msgspec.json.encode(EndpointHealth(breaker, "status: 500")))


async def begin(gateway: RunningGateway) -> None:
    """Let everything that can wait for the probe; from now on nothing succeeds."""
    gateway.world.endpoint("a").answers(BROKEN)
    await gateway.create("never sent")
    await asyncio.sleep(1)
    assert calls_of(gateway) == []


def calls_of(gateway: RunningGateway) -> list[SentRequest]:
    """The calls that the running process made."""
    return [call for call in gateway.world.endpoint("a").calls if call.process == gateway.number]


def shown(gateway: RunningGateway) -> list[tuple[int, bool]]:
    return [(call.sequence, call.is_delivered) for call in calls_of(gateway)]


@pytest.fixture
def troubled(world: ScriptedWorld) -> ScriptedWorld:
    world.run(build)
    open_breaker(world)
    states = {sequence: row.state for sequence, row in world.deliveries("a").items()}
    assert states == {GIVEN_UP: State.FAILED, DUE: State.AWAITING_RETRY, NOT_DUE: State.AWAITING_RETRY}
    return world


# --- When it is -------------------------------------------------------------------------------------------------------


def test_lists_and_health_show_the_next_probe_and_not_the_retry_times_of_before_c16(troubled: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await begin(gateway)
        await gateway.until_recorded()
        probe_at = troubled.lane("a").health["breaker"]["probe_at"]
        assert gateway.health("a")["nextProbeAt"] == format_timestamp(probe_at)
        not_due = troubled.deliveries("a")[NOT_DUE].due
        assert not_due > probe_at
        shown = {DELIVERED: None, GIVEN_UP: None, DUE: probe_at, NOT_DUE: not_due, NEVER_SENT: probe_at}
        assert await due_of(gateway) == shown
        troubled.endpoint("a").answers(Reply())
        await try_out(gateway)
        await gateway.until_recorded()
        assert gateway.health("a")["nextProbeAt"] is None
        assert await due_of(gateway) == {**shown, DUE: None, NEVER_SENT: None}

    troubled.run(scenario)


async def due_of(gateway: RunningGateway) -> dict[int, int | None]:
    """When each delivery is sent, as lists and single deliveries show it."""
    subscription = gateway.of("a")
    page = await gateway.store.deliveries.page(TENANT, [subscription], DeliveryFilter(), None, 100)
    for view in page.data:
        found = await gateway.store.deliveries.get(subscription, view.entry)
        assert found is not None
        assert found[0] == view
    return {view.entry.sequence: view.due for view in page.data}


# --- A retry by hand --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sequence", [DELIVERED, GIVEN_UP, DUE, NOT_DUE, NEVER_SENT])
def test_a_retry_by_hand_goes_out_now_as_the_probe_c16(troubled: ScriptedWorld, sequence: int) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await begin(gateway)
        asked_at = gateway.loop.time()
        await gateway.retry("a", sequence)
        await asyncio.sleep(NOW)
        (probe,) = calls_of(gateway)
        assert probe.sequence == sequence
        assert asked_at <= probe.at < asked_at + NOW

    troubled.run(scenario)


@pytest.mark.parametrize("sequence", [DUE, NOT_DUE, NEVER_SENT])
def test_a_failure_of_it_costs_the_delivery_none_of_its_attempts_c16(troubled: ScriptedWorld, sequence: int) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await begin(gateway)
        before = troubled.deliveries("a").get(sequence)
        await gateway.retry("a", sequence)
        await asyncio.sleep(NOW)
        assert [a.counted for a in gateway.attempts("a", sequence)][-1] == 0
        after = troubled.deliveries("a")[sequence]
        assert (after.state, after.run) == (State.AWAITING_RETRY, 0)
        if before is None:
            assert after.failed_attempts == 0
        else:
            assert after.failed_attempts == before.failed_attempts
            assert after.due == before.due or (sequence == DUE and after.due > before.due)
        await asyncio.sleep(20_000)
        counted = [a.counted for a in gateway.attempts("a", sequence)]
        assert sum(counted) == 4
        assert troubled.deliveries("a")[sequence].state == State.FAILED

    troubled.run(scenario)


def test_a_retry_by_hand_that_succeeds_closes_the_breaker_and_all_else_follows_c16(troubled: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await begin(gateway)
        troubled.endpoint("a").answers(Reply())
        await gateway.retry("a", NOT_DUE)
        await asyncio.sleep(5)
        assert shown(gateway) == [(NOT_DUE, True), (DUE, True), (NEVER_SENT, True)] or shown(gateway) == [
            (NOT_DUE, True), (NEVER_SENT, True), (DUE, True),
        ]  # fmt: skip
        assert gateway.health("a")["breaker"] == "closed"

    troubled.run(scenario)


@pytest.mark.parametrize("retries", [1, 5])
def test_retries_by_hand_that_fail_do_not_put_the_next_probe_off_c16(troubled: ScriptedWorld, retries: int) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await begin(gateway)
        for _ in range(retries):
            await gateway.retry("a", DUE)
            await asyncio.sleep(1)
        await asyncio.sleep(1_000)
        *by_hand, first, second = calls_of(gateway)[: retries + 2]
        assert [call.sequence for call in by_hand] == [DUE] * retries
        assert first.at - by_hand[0].ended_at <= WAIT
        assert 2 * WAIT <= second.at - first.ended_at <= 2 * WAIT * 1.2 + 0.1

    troubled.run(scenario)


def test_a_retry_by_hand_waits_for_the_probe_that_is_under_way_and_no_longer_c16(troubled: ScriptedWorld) -> None:
    """There is one probe at a time."""

    async def scenario(gateway: RunningGateway) -> None:
        await begin(gateway)
        troubled.endpoint("a").answers(Reply(status=500, after=3))
        await gateway.until(lambda: len(calls_of(gateway)) == 1)
        probed = calls_of(gateway)[0]
        for sequence in (GIVEN_UP, NOT_DUE):
            await gateway.retry("a", sequence)
        await asyncio.sleep(2)
        assert calls_of(gateway) == [probed]
        await asyncio.sleep(8)
        _, second, third = calls_of(gateway)
        assert [second.sequence, third.sequence] == [GIVEN_UP, NOT_DUE]
        assert probed.ended_at <= second.at < probed.ended_at + NOW
        assert second.ended_at <= third.at < second.ended_at + NOW

    troubled.run(scenario)


@pytest.mark.parametrize("sequence", [DELIVERED, GIVEN_UP, DUE, NOT_DUE, NEVER_SENT])
@pytest.mark.parametrize("turns", [0, 5, 10, 15, 20, 25, 30, 35])
def test_a_retry_by_hand_goes_out_now_also_after_a_crash_c16(
    troubled: ScriptedWorld, sequence: int, turns: int
) -> None:
    async def first(gateway: RunningGateway) -> None:
        await begin(gateway)
        await gateway.retry("a", sequence)
        gateway.turns_left = turns
        await asyncio.sleep(100)

    async def second(gateway: RunningGateway) -> None:
        await asyncio.sleep(NOW)
        [asked, *others] = [call for call in troubled.endpoint("a").calls if call.process >= 2]
        again = [call for call in others if call.at < asked.at + WAIT / 2]  # then the next probe is due
        assert {call.sequence for call in (asked, *again)} == {sequence}
        assert len(again) <= 1
        assert troubled.query("SELECT * FROM retry") == []

    troubled.crash(first)
    troubled.run(second)


def test_retries_by_hand_keep_to_the_rate_limit_also_while_the_breaker_is_open_c16(troubled: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await begin(gateway)
        await gateway.change("a", rateLimit=1)
        for sequence in (DUE, NOT_DUE, NEVER_SENT):
            await gateway.retry("a", sequence)
        await asyncio.sleep(5)
        first, second, third = calls_of(gateway)
        assert 1 <= second.at - first.at < 1 + NOW
        assert 1 <= third.at - second.at < 1 + NOW

    troubled.run(scenario)


def test_retry_after_holds_a_retry_by_hand_as_everything_else_c16(troubled: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await begin(gateway)
        troubled.endpoint("a").answers(Reply(status=503, retry_after="30"))
        await gateway.retry("a", DUE)
        await asyncio.sleep(1)
        await gateway.retry("a", NOT_DUE)
        await asyncio.sleep(40)
        first, second = calls_of(gateway)
        assert second.sequence == NOT_DUE
        assert 30 <= second.at - first.ended_at < 30 + NOW

    troubled.run(scenario)


def test_a_retry_by_hand_goes_before_everything_else_that_is_ready(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", rateLimit=1)
        await gateway.create(*(f"d{number}" for number in range(100)))
        await asyncio.sleep(10.3)
        sent = len(world.endpoint("a").calls)
        for sequence in (90, 1):
            await gateway.retry("a", sequence)
        await asyncio.sleep(3)
        assert [call.sequence for call in world.endpoint("a").calls[sent:]][:3] == [90, 1, sent + 1]

    world.run(scenario)


@pytest.mark.parametrize("ordering", ["loose", "strict"])
def test_an_earlier_event_of_its_document_that_is_ready_goes_before_it_c17(world: ScriptedWorld, ordering: str) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(5, 5, 5), ordering=ordering)
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x")
        await gateway.update("x")
        await asyncio.sleep(1)

    async def second(gateway: RunningGateway) -> None:
        await asyncio.sleep(1)
        world.endpoint("a").answers(Reply())
        await gateway.retry("a", 2)
        await asyncio.sleep(NOW)
        assert shown(gateway) == [(1, True), (2, True)]

    world.run(first)
    open_breaker(world)
    world.run(second)


def test_a_retry_by_hand_in_strict_order_does_not_overtake_what_awaits_its_retry_c17(world: ScriptedWorld) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(100, 100))
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x")
        await gateway.update("x")
        await asyncio.sleep(1)
        await gateway.change("a", ordering="strict")
        await asyncio.sleep(1)

    async def second(gateway: RunningGateway) -> None:
        world.endpoint("a").answers(Reply())
        await gateway.retry("a", 2)
        await asyncio.sleep(30)
        assert calls_of(gateway) == []
        await asyncio.sleep(200)
        assert [sequence for sequence, _ in shown(gateway)][:2] == [1, 2]

    world.run(first)
    open_breaker(world)
    world.run(second)


# --- A resume ---------------------------------------------------------------------------------------------------------


def test_a_resume_sends_the_first_that_waits_now_as_the_probe_c16(troubled: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await begin(gateway)
        await gateway.change("a", status="paused")
        resumed_at = gateway.loop.time()
        await gateway.change("a", status="active")
        await asyncio.sleep(1_000)
        by_hand, first, *_ = calls_of(gateway)
        assert resumed_at <= by_hand.at < resumed_at + NOW
        assert by_hand.sequence in (DUE, NEVER_SENT)
        assert 2 * WAIT <= first.at - by_hand.ended_at <= 2 * WAIT * 1.2 + 0.1

    troubled.run(scenario)


def test_a_resume_that_succeeds_closes_the_breaker_c16(troubled: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await begin(gateway)
        await gateway.change("a", status="paused")
        troubled.endpoint("a").answers(Reply())
        await gateway.change("a", status="active")
        await asyncio.sleep(5)
        assert {sequence for sequence, _ in shown(gateway)} == {DUE, NEVER_SENT}
        assert gateway.health("a")["breaker"] == "closed"

    troubled.run(scenario)


def test_a_probe_that_was_under_way_at_the_resume_does_not_put_the_next_off_c16(troubled: ScriptedWorld) -> None:
    """The old probe says nothing of the endpoint after the resume."""

    async def scenario(gateway: RunningGateway) -> None:
        await begin(gateway)
        troubled.endpoint("a").answers(Reply(status=500, after=4))
        await gateway.until(lambda: len(calls_of(gateway)) == 1)
        await gateway.change("a", status="paused")
        await gateway.change("a", status="active")
        await asyncio.sleep(5)
        before, probe = calls_of(gateway)
        assert before.ended_at <= probe.at < before.ended_at + NOW

    troubled.run(scenario)


@pytest.mark.parametrize("turns", [0, 10, 20, 30])
def test_a_resume_is_the_probe_also_after_a_crash_c16(troubled: ScriptedWorld, turns: int) -> None:
    async def first(gateway: RunningGateway) -> None:
        await begin(gateway)
        await gateway.change("a", status="paused")
        await asyncio.sleep(1)
        await gateway.change("a", status="active")
        await asyncio.sleep(0.1)
        gateway.turns_left = turns
        await asyncio.sleep(100)

    async def second(_gateway: RunningGateway) -> None:
        await asyncio.sleep(NOW)

    troubled.crash(first)
    troubled.run(second)
    assert len([call for call in troubled.endpoint("a").calls if call.process >= 2]) >= 1


def test_a_resume_while_nothing_is_ready_makes_the_next_that_is_the_probe_c16(world: ScriptedWorld) -> None:
    """Nothing is sent before its time, and nothing waits for more than that."""

    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", delays=(30, 30))
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x")
        await asyncio.sleep(1)
        await gateway.change("a", status="paused")

    async def second(gateway: RunningGateway) -> None:
        due = world.deliveries("a")[1].due
        await gateway.change("a", status="active")
        await asyncio.sleep(60)
        (probe, *_) = calls_of(gateway)
        assert 0 <= world.wall.at(probe.at) - due < 0.1 * SECOND

    world.run(first)
    open_breaker(world)
    world.run(second)


# --- A test -----------------------------------------------------------------------------------------------------------


def test_a_delivered_test_closes_the_breaker_and_what_waits_goes_out_c16(troubled: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await begin(gateway)
        troubled.endpoint("a").answers(Reply())
        assert (await try_out(gateway)).failure is None
        health = gateway.health("a")
        assert (health["breaker"], health["state"], health["failingSince"]) == ("closed", "healthy", None)
        await asyncio.sleep(5)
        assert {sequence for sequence, delivered in shown(gateway) if delivered} == {0, DUE, NEVER_SENT}
        assert troubled.logged("warning", "breaker closed") == 1
        await gateway.until_recorded()
        assert troubled.lane("a").health["breaker"] == msgspec.to_builtins(Breaker())

    troubled.run(scenario)


def test_a_probe_that_fails_after_a_delivered_test_leaves_the_breaker_closed_c16(troubled: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await begin(gateway)
        troubled.endpoint("a").answers(Reply(status=500, after=4))
        await gateway.retry("a", DUE)
        await asyncio.sleep(1)
        troubled.endpoint("a").answers(Reply())
        await try_out(gateway)
        await asyncio.sleep(10)
        assert not next(call for call in calls_of(gateway) if call.sequence == DUE).is_delivered
        assert gateway.health("a")["breaker"] == "closed"

    troubled.run(scenario)


def test_a_test_that_fails_changes_nothing(troubled: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await begin(gateway)
        before = gateway.health("a"), troubled.lane("a")
        assert (await try_out(gateway)).failure is not None
        await asyncio.sleep(1)
        assert [call.sequence for call in calls_of(gateway)] == [0]
        assert (gateway.health("a"), troubled.lane("a")) == before

    troubled.run(scenario)


def test_a_delivered_test_of_an_earlier_url_says_nothing_of_the_current_one(troubled: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await begin(gateway)
        troubled.endpoint("a").answers(Reply(after=3))
        testing = asyncio.create_task(try_out(gateway))
        await asyncio.sleep(1)
        await gateway.change("a", url="https://b/hook")
        troubled.endpoint("b").answers(BROKEN)
        await gateway.create(*(f"e{number}" for number in range(3)))
        await asyncio.sleep(1)
        failing = gateway.health("a")["failingSince"]
        assert failing is not None
        assert (await testing).failure is None
        assert gateway.health("a")["failingSince"] == failing

    troubled.run(scenario)


def test_a_delivered_test_ends_what_failed_before_it_also_while_the_breaker_is_closed(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(BROKEN)
        await gateway.create("x")
        await asyncio.sleep(1)
        assert gateway.health("a")["state"] == "failing"
        world.endpoint("a").answers(Reply())
        await try_out(gateway)
        assert gateway.health("a")["state"] == "healthy"
        assert len(world.endpoint("a").calls) == 2

    world.run(scenario)


def test_a_delivered_test_of_a_deleted_subscription_changes_nothing(troubled: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await begin(gateway)
        troubled.endpoint("a").answers(Reply(after=3))
        testing: asyncio.Task[Any] = asyncio.create_task(try_out(gateway))
        await asyncio.sleep(1)
        await gateway.unsubscribe("a")
        assert (await testing).failure is None
        await asyncio.sleep(1)
        assert len(calls_of(gateway)) == 1

    troubled.run(scenario)
